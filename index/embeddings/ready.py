"""Imports torch and transformers, which takes seconds, in the process that workers fork from."""

from __future__ import annotations

import contextlib

from index.hugging_face import import_transformers

with contextlib.suppress(Exception):  # where they cannot be imported, the command states why
    _transformers = import_transformers()
    for _name in ("AutoConfig", "AutoModel"):
        getattr(_transformers, _name)
