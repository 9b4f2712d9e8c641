"""`archive verify`: the hashes of an export, and the records that its rows cite.

`run` checks a set or a lake. `shards` hashes and checks all rows, `records` and `compare` follow the citations of some.
"""
