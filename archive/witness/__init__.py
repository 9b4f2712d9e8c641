"""`archive witness`: lines of other archives' indexes, which confirm captures of a lake.

A room of its own above the intake, whose units, parts and commits it uses. `lines` reads index lines; `work` turns an
index into a part, in any process; `run` plans, commits, and takes out what an earlier run matched with another lake.
"""
