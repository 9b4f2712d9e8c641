"""The machine and its processes: the same numbers each time, and memory that is kept."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from archive.errors import CollapseError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a run is made. The numbers depend on `device` and `threads`, and not on `workers`."""

    device: str = "cpu"
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    threads: int = 1  #: of each worker
    keep: bool = False  #: the weights of every generation


def prepare(device: str, threads: int) -> torch.device:
    """Set up this process for training: the device, the threads, the same numbers each time.

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
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_float32_matmul_precision("high")
    _keep_memory()
    return torch.device(device)


def _keep_memory() -> None:
    """Tell glibc to keep what is freed: 30 MB of logits, given back and fetched at each step, cost a third of it."""
    try:
        libc = ctypes.CDLL("libc.so.6")
        m_trim_threshold, m_top_pad, m_mmap_threshold = -1, -2, -3
        libc.mallopt(m_mmap_threshold, 1 << 30)
        libc.mallopt(m_trim_threshold, (1 << 31) - 1)
        libc.mallopt(m_top_pad, 1 << 28)
    except (OSError, AttributeError):
        return  # another C library: slower, not wrong
