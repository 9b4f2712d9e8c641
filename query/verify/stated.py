"""The numbers and files that a manifest states, compared with the folder."""

from __future__ import annotations

import hashlib
from pathlib import Path

from query.dataset import MANIFEST, File, Manifest, sums

#: The files that every export has next to its shards.
_CARD = ("README.md", "distribution.svg")


def compare_file(out: Path, name: str, stated: File) -> list[str]:
    """Return what is wrong with a file of the export."""
    if name.startswith("/") or ".." in name.split("/"):
        return [f"{name}: not a name of a file of an export"]
    try:
        with open(out / name, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return [f"{name}: {error.strerror}"]
    return [] if digest == stated.sha256 else [f"{name}: not the bytes that the manifest states"]


def compare_totals(manifest: Manifest, rows: int) -> list[str]:
    """Return the numbers of the manifest that are not the sums over its shards."""
    computed = {**sums(manifest.shards), "rows": rows}
    wrong = [name for name, value in computed.items() if getattr(manifest, name) != value]
    counts = {"months": manifest.months, "languages": manifest.languages, "date_sources": manifest.date_sources}
    wrong += [name for name, each in counts.items() if sum(each.values()) != rows]
    return [f"{name} of the manifest are not those of its shards" for name in wrong]


def compare_folder(out: Path, manifest: Manifest) -> list[str]:
    """Return what is wrong with the files next to the shards, and the files that do not belong to the export."""
    problems: list[str] = []
    known = {MANIFEST}
    for file in manifest.files:
        known.add(file.name)
        problems += compare_file(out, file.name, file)
    for shard in manifest.shards:
        names = set(shard.paths)
        problems += [f"{name}: the manifest states it more than once" for name in sorted(names & known)]
        known |= names
    problems += [f"{name}: the manifest does not state it" for name in _CARD if name not in known]
    present = {str(path.relative_to(out)) for path in out.rglob("*") if not path.is_dir()}
    return problems + [f"{name}: not of this export" for name in sorted(present - known)]
