"""The lake: reads captures from any source, takes their text, keeps each text once, with its dates.

>>> import archive
>>> archive.ingest("lake", "crawl.warc.gz")    # doctest: +SKIP
"""

from __future__ import annotations

import logging
import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archive.intake import IngestResult, ingest
    from archive.intake.forget import ForgetResult, forget
    from archive.lake import Lake

# a program that sets up no logging sees none of ours, warnings included: results have what they say
for _room in ("archive", "index", "query", "collapse"):
    logging.getLogger(_room).addHandler(logging.NullHandler())

__all__ = ["ForgetResult", "IngestResult", "Lake", "forget", "ingest", "open"]

#: Imported when used, so that `archive --help` need not load Arrow.
_LATER = {
    "ForgetResult": "archive.intake.forget",
    "Lake": "archive.lake",
    "IngestResult": "archive.intake",
    "forget": "archive.intake.forget",
    "ingest": "archive.intake",
}


def open(location: str | os.PathLike[str]) -> Lake:
    """Return the lake at a folder or S3 prefix, which need not exist yet."""
    from archive.lake import Lake

    return Lake(location)


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(name)


def __dir__() -> list[str]:
    return sorted(__all__)
