"""A map of the texts that have vectors: near vectors are near on it, as far as two dimensions can show that.

`project` finds the two dimensions, `grid` counts the texts in each field of the map, and `kept` keeps the map outside
the lake.
"""
