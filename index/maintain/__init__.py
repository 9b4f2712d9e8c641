"""`archive maintain`: keeps a lake in order.

`run` calls the steps: `sweep` removes what is left of forgotten texts, `archive.compact` merges small files,
`archive.vacuum` finds the files that nobody needs, and `archive.leftovers` those outside of the lake. `kinds` says what
each needs to know of the tables.
"""
