"""`archive export`: a clean set as shards that trainers read, each row with its evidence.

The steps, each in a module of its name: `select` the texts, `filter_texts` where that needs their words,
`assign_shards`, `shuffle` the texts to their shards, `write_shards`; then the `manifest`. `run` does them in order.
"""
