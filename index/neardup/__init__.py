"""`archive index`: from the texts of a lake to near-duplicates, and since when each text is known.

`build` has the whole of it: `signatures`, `bands`, `candidates` that share a band, `pairs` that are verified, and
`cluster`, which derives the witnesses. Nothing is imported here: `archive index --help` does without the kernels.
"""
