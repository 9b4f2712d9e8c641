"""A run: blocks are drawn from the sets, generations of every arm are trained, and what they come to is collected.

`experiment` has the whole of it; `generation` is the work of one process, each step of which leaves a file.
"""
