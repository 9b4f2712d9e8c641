"""What the manifest of an export states, and the folder that it states it of."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from query.dataset import MANIFEST, sums

#: What every export has beside its shards.
_CARD = ("README.md", "distribution.svg")


def compare(out: Path, name: str, stated: dict[str, Any]) -> list[str]:
    """What is wrong with a file of the export."""
    if name.startswith("/") or ".." in name.split("/"):
        return [f"{name}: no name of a file of an export"]
    try:
        with open(out / name, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return [f"{name}: {error.strerror}"]
    return [] if digest == stated["sha256"] else [f"{name}: not the bytes that the manifest states"]


def totals(manifest: dict[str, Any], rows: int) -> list[str]:
    """Numbers of the manifest that are not the sums over its shards."""
    stated = {**sums(manifest["shards"]), "rows": rows}
    wrong = [name for name, value in stated.items() if manifest[name] != value]
    wrong += [name for name in ("months", "languages", "date_sources") if sum(manifest[name].values()) != rows]
    return [f"{name} of the manifest are not those of its shards" for name in wrong]


def beside(out: Path, manifest: dict[str, Any]) -> list[str]:
    """The other files of the export, and files that do not belong to it."""
    problems: list[str] = []
    known = {MANIFEST}
    for file in manifest["files"]:
        known.add(file["name"])
        problems += compare(out, file["name"], file)
    for shard in manifest["shards"]:
        names = {f"{shard['folder']}/{file['name']}" for file in shard["files"]}
        problems += [f"{name}: stands in the manifest more than once" for name in sorted(names & known)]
        known |= names
    problems += [f"{name}: the manifest does not state it" for name in _CARD if name not in known]
    there = {str(path.relative_to(out)) for path in out.rglob("*") if not path.is_dir()}
    problems += [f"{name}: not of this export" for name in sorted(there - known)]
    return problems
