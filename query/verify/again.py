"""Export a set again from its lake, and compare: what only the lake knows, such as texts that were left out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from archive.engine import Engine
from archive.errors import ArchiveError
from archive.lake import Lake
from archive.progress import Reporter
from query.dataset import DESCRIBING, Dataset, load
from query.export.run import export_with
from query.export.select import tables_of
from query.scratch import MEMORY


def compare_with_lake(
    dataset: Dataset, lake: Lake | str | os.PathLike[str], scratch: Path, engine: Engine, reporter: Reporter
) -> list[str]:
    """Return where a set is not what its arguments give on the lake, in the versions of its tables that it names.

    The same lake and arguments give the same bytes, so that nothing needs to be compared but what both state.
    """
    stated = dataset.manifest
    lake = lake if isinstance(lake, Lake) else Lake(lake)
    try:
        lake.require()
        tables = tables_of(dataset.arguments)
        numbers: dict[str, int | None] = {table.name: stated.lake.versions.get(table.name) for table in tables}
        out = scratch / "again"
        export_with(lake.at(numbers), str(out), dataset.arguments, engine, MEMORY, reporter)
        own = load(out).stated
    except ArchiveError as error:
        return [f"--again {lake.location}: it does not give the set again: {error}"]
    problems = []
    for name in own:
        one, other = _compared(name, dataset.stated), _compared(name, own)
        if one == other:
            continue
        if name == "shards":
            problems += _other_shards(one, other)
        else:
            problems.append(
                f"--again {lake.location}: {name} of the set are {_short(one)}, the lake gives {_short(other)}"
            )
    return problems


def _compared(name: str, stated: Any) -> Any:
    """Return what is the same wherever the lake is, and whatever version of this program wrote it."""
    value = stated.get(name)
    if name in {"program", "merkle_root"}:
        return None
    if name == "lake":
        return value["versions"]
    if name == "files":
        return {file["name"]: file["sha256"] for file in value if file["name"] not in DESCRIBING}
    return value


def _other_shards(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> list[str]:
    if len(one) != len(other):
        return [f"{len(one)} shards, the lake gives {len(other)}"]
    return [
        f"{mine['folder']}/{mine['files'][0]['name']}: not the rows that the lake gives"
        for mine, its in zip(one, other, strict=True)
        if mine != its
    ][:20]


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:79]}…"
