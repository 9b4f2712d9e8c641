"""`archive query`: SQL that anybody wrote, answered by a process that is locked, bounded in memory, and can be killed.

`command` asks by `answerer`, which starts the process (`archive.engine.sandbox`); in it `child` runs, which `lock`
locks. The command forks before DuckDB and Arrow are loaded, so it imports nothing that loads them.
"""
