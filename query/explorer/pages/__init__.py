"""The pages of the explorer. A new page is a module here, a template of its name, and a line in `table`."""
