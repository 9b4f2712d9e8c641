"""transformers, imported so that it works beside a torchvision of another build than torch.

PyPI's torchvision, which the MDS and LitData libraries bring, does not fit a CPU build of torch from elsewhere: its
import fails, and with it that of every model of transformers. Text has no use for it.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from typing import Any


def import_transformers() -> Any:
    """The library.

    Raises:
        ModuleNotFoundError: it is not installed, or something that it needs is not.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    if not _torchvision_is_broken():
        import transformers

        return transformers
    sys.modules["torchvision"] = None  # type: ignore[assignment]  # whoever looks for it finds none
    import transformers
    from transformers.utils import import_utils

    # It asks but once, and another library may have imported it before.
    if hasattr(import_utils, "_torchvision_available"):  # until version 5
        import_utils._torchvision_available = False
    for ask in (import_utils.is_torchvision_available, import_utils.is_torchvision_v2_available):
        if hasattr(ask, "cache_clear"):
            ask.cache_clear()
    return transformers


def _torchvision_is_broken() -> bool:
    if find_spec("torchvision") is None:  # it is not there, or hidden already
        return False
    try:
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError):
        return True
    return False
