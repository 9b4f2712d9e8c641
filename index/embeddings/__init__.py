"""Vectors of texts: one for each window, from any encoder of transformers. `archive embed` is in `index.vectors`.

docs/embed.md describes the windows, the table and the dtypes. `encoder`, `tokens`, `batches`, `model` and `encode` need
torch, transformers and numpy only, so that they also run on a machine that has nothing else.
"""
