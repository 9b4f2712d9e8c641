"""A run: blocks are drawn from the sets, the generations of every arm are trained, and their results are collected.

`experiment` runs all of it; `generation` is the work of one process, each step of which writes a file.
"""
