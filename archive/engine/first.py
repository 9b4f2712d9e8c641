"""What the process that workers fork from imports first."""

from __future__ import annotations

from archive.arrow import spare_pandas

spare_pandas()
