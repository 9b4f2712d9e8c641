"""`archive verify`: the hashes of an export, and the records that its rows cite."""

from __future__ import annotations

from query.verify.report import Report
from query.verify.run import verify

__all__ = ["Report", "verify"]
