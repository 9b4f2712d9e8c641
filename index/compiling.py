"""Says that the kernels are compiled, where that was not done before: the first run seems to stand still."""

from __future__ import annotations

import os
from pathlib import Path

import click


def announce(folder: Path, quiet: bool) -> None:
    """Say on standard error that the first run compiles, if it does.

    Args:
        folder: that holds the kernels; numba keeps what it compiled in `__pycache__` there.
    """
    is_elsewhere = "NUMBA_CACHE_DIR" in os.environ or not os.access(folder, os.W_OK)
    if not quiet and not is_elsewhere and not any(folder.glob("__pycache__/*.nbi")):
        click.echo("The first run compiles its kernels: about half a minute.", err=True)
