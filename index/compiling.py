"""Announces that the kernels are being compiled: the first run takes half a minute to begin."""

from __future__ import annotations

import os
from pathlib import Path

import click


def announce(folder: Path, quiet: bool) -> None:
    """Write a line to standard error if the kernels of a folder are not compiled yet.

    Args:
        folder: of the kernels; numba keeps what it compiled in its `__pycache__`.
        quiet: write nothing.
    """
    is_elsewhere = "NUMBA_CACHE_DIR" in os.environ or not os.access(folder, os.W_OK)
    if not quiet and not is_elsewhere and not any(folder.glob("__pycache__/*.nbi")):
        click.echo("The first run compiles its kernels: about half a minute.", err=True)
