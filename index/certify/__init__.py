"""Which rows of somebody else's data set provably existed before a date."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from index.certify.run import certify

__all__ = ["certify"]


def __getattr__(name: str) -> Any:
    # imported when used: `archive --help` need not load the kernels
    if name == "certify":
        from index.certify.run import certify

        return certify
    raise AttributeError(name)
