"""`archive verify`: the hashes of an export, and the records that its rows cite."""

from __future__ import annotations

from query.verify.run import Report, verify

__all__ = ["Report", "verify"]
