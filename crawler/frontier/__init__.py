"""Which URLs wait, which are done, and how long each host is left in peace."""
