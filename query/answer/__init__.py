"""`archive query`: SQL of anybody's, answered by a process that is locked, bounded in memory, and can be killed.

`command` asks; `answerer` forks the process, which loads DuckDB and Arrow only then (`behind`), opens the lake and
locks itself (`sandbox`). So nothing that loads them is imported here, nor by `command`.
"""
