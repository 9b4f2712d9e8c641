"""How the processes of a run compute: on which device, and the same numbers each time."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from archive.engine import Workers
from archive.errors import CollapseError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Machine:
    """How a run is computed. The numbers depend on `device` and `threads`, not on `workers`."""

    device: str = "cpu"
    workers: Workers = None  #: how many, or an engine; None is one for each core
    threads: int = 1  #: of each worker
    keep: bool = False  #: whether the model of every generation is kept

    def for_worker(self) -> Machine:
        """Return the same without the engine, which stays in the process that opened it."""
        return replace(self, workers=None)


def prepare(device: str, threads: int) -> torch.device:
    """Set up this process for training: the device, the threads, deterministic algorithms.

    Raises:
        CollapseError: there is no such device.
    """
    import torch

    if device not in ("cpu", "cuda"):
        raise CollapseError(f"--device {device}: cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise CollapseError("--device cuda: torch finds no GPU here")
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    # that also fills all new memory, in case it is read before it is written, which nothing here does
    torch.utils.deterministic.fill_uninitialized_memory = False
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_float32_matmul_precision("high")
    _keep_memory()
    return torch.device(device)


def _keep_memory() -> None:
    """Make glibc keep freed memory: to return and fetch 30 MB of logits takes a third of each step."""
    try:
        libc = ctypes.CDLL("libc.so.6")
        m_trim_threshold, m_top_pad, m_mmap_threshold = -1, -2, -3
        libc.mallopt(m_mmap_threshold, 1 << 30)
        libc.mallopt(m_trim_threshold, (1 << 31) - 1)
        libc.mallopt(m_top_pad, 1 << 28)
    except (OSError, AttributeError):
        return  # another C library: slower, but correct
