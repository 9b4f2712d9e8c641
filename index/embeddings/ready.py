"""Imports torch and transformers, which takes seconds, in the process that workers fork from."""

from __future__ import annotations

from index.hugging_face import import_transformers

_transformers = import_transformers()
for _name in ("AutoConfig", "AutoModel"):
    getattr(_transformers, _name)
