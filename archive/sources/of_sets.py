"""What commands of this project put next to rows, in a folder or under a prefix: journals, manifests, cards."""

from __future__ import annotations

import json
from collections.abc import Callable

from archive.journal import JOURNAL

#: What `archive export` states of the shards that it wrote, and `archive certify` of its files.
EXPORTED, CERTIFIED = "manifest.json", "_certify/manifest.json"
#: Returns the content of a file, by its name below the folder; raises `OSError` where there is none.
Read = Callable[[str], bytes]


def next_to_rows(read: Read) -> set[str]:
    """Return the names of the files that hold no rows."""
    return {JOURNAL, *_next_to_shards(read), *_next_to_proofs(read)}


def _next_to_shards(read: Read) -> list[str]:
    """Return the files of an export that hold no rows; none for any other folder."""
    try:
        manifest = json.loads(read(EXPORTED))
        if {"merkle_root", "arguments"} <= manifest.keys():
            return [EXPORTED, *(str(each["name"]) for each in manifest["files"])]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    return []


def _next_to_proofs(read: Read) -> list[str]:
    """Return the files of a certified data set that are none of the data set; none for any other folder."""
    try:
        manifest = json.loads(read(CERTIFIED))
        if {"arguments", "files"} <= manifest.keys():
            return [name for name in (CERTIFIED, "README.md") if name not in manifest["files"]]
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        pass
    return []
