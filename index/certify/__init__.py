"""`archive certify`: which rows of somebody else's data set provably existed before a date."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from index.certify.result import CertifyResult
    from index.certify.run import certify

__all__ = ["CertifyResult", "certify"]

_FROM = {"CertifyResult": "index.certify.result", "certify": "index.certify.run"}


def __getattr__(name: str) -> Any:
    # imported when used: `archive --help` needs no kernels
    if name not in _FROM:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_FROM[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
