"""An exported set: its manifest, as `archive export` writes it and everybody else reads it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from archive.errors import ExportError
from query.rows import TOTALS

MANIFEST = "manifest.json"


VERSION = 1


def sums(shards: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What a manifest says of all shards together; None where no shard has the number."""
    splits: Counter[str] = Counter()
    for shard in shards:
        splits[shard["folder"].rpartition("/")[2]] += shard["rows"]
    totals: dict[str, Any] = {}
    for name in ("rows", *TOTALS):
        values = [shard[name] for shard in shards]
        totals[name] = None if None in values else sum(values)
    size = sum(file["bytes"] for shard in shards for file in shard["files"])
    return {**totals, "bytes": size, "splits": dict(splits)}


def read(out: Path) -> dict[str, Any]:
    """The manifest of a folder.

    Raises:
        ExportError: there is no finished export, or a manifest of another version.
    """
    path = out / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        unfinished = (out / ".work").is_dir()
        what = "this export is not finished; run the same `archive export` again" if unfinished else "no export here"
        raise ExportError(f"{out}: {what}") from None
    except (OSError, ValueError) as error:
        raise ExportError(f"{path}: {error}") from None
    whole = isinstance(manifest, dict) and all(shard["rows"] >= 0 for shard in manifest.get("shards", []))
    if not whole or manifest.get("manifest") != 1:
        raise ExportError(f"{path}: not a manifest that this version reads")
    return manifest
