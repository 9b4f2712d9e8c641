"""transformers, imported so that it works with a torchvision of another build than torch.

PyPI's torchvision, which LitData and MosaicML Streaming bring, does not fit a CPU build of torch from elsewhere. Its
import fails, because its compiled part does not declare the operators that its Python part describes; and the import of
every model of transformers fails with it. Text needs none of these operators, so their names are declared here.
"""

from __future__ import annotations

import os
import re
from typing import Any

from archive.errors import ArchiveError, error_line
from archive.extras import is_installed

#: What torch raises for an operator that nobody declared.
_UNDECLARED = re.compile(r"operator (torchvision::\w+) does not exist")
#: More operators than torchvision has.
_MOST = 100


def import_transformers() -> Any:
    """Import the library.

    Raises:
        ModuleNotFoundError: it is not installed, or something that it needs is not.
        ArchiveError: it cannot be imported, or torchvision is installed and cannot be imported.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    if is_installed("torch") and is_installed("torchvision"):
        make_torchvision_importable()
    try:
        import transformers
    except ModuleNotFoundError:
        raise
    except Exception as error:  # of another build than torch, or damaged
        raise ArchiveError(f"transformers cannot be imported: {error_line(error)}") from None
    return transformers


def make_torchvision_importable() -> None:
    """Declare the operators that torchvision misses, so that it can be imported. Those operators cannot be called.

    Raises:
        ArchiveError: it cannot be imported for another reason.
    """
    try:
        import torch  # first: without it torchvision is not to blame
    except Exception as error:
        raise ArchiveError(f"torch cannot be imported: {error_line(error)}") from None
    for _ in range(_MOST):
        try:
            import torchvision  # noqa: F401
        except (ImportError, RuntimeError) as error:
            operator = _UNDECLARED.search(str(error))
            if operator is None:
                raise ArchiveError(
                    f"torchvision does not fit torch ({str(error).splitlines()[0]}): "
                    "install both from one index, or: pip uninstall torchvision"
                ) from None
            torch.library.define(operator[1], "(Tensor values) -> Tensor")
        else:
            return
