"""The subcommands of `archive` that belong to the lake."""
