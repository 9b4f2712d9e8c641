"""The data card of a certified data set: by its head `load_dataset` finds the files, and knows their columns.

Without it the library would take the manifest for rows, and fail at the first proof behind rows that have none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa

from archive.features import dataset_info, quoted
from index.certify.verdict import OPTIONAL, SCHEMA

#: The name of the card in the result.
CARD = "README.md"
#: What JSON can hold: a name of a type, `{"list": kind}` or `{"struct": {name: kind}}`. `mixed` is no type at all.
Kind = str | dict[str, Any]
_MIXED = "mixed"
_JSON = re.compile(r"\.(jsonl|ndjson|json)(\.(gz|zst|lz4))?$", re.IGNORECASE)
_TIME = "timestamp[s]"
_ISO = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d(:\d\d(:\d\d)?)?(Z|[+-]\d\d(:?\d\d)?)?)?", re.ASCII)
#: Types that have one in common.
_TOGETHER = {frozenset(["int64", "double"]): "double", frozenset([_TIME, "string"]): "string"}
#: The words in a path by which the library knows a split.
_SPLITS = {
    "train": ("train", "training"),
    "test": ("test", "testing", "eval", "evaluation"),
    "validation": ("validation", "valid", "dev", "val"),
}
#: What the library takes for a pattern in a path, and how it is meant as it is.
_GLOB, _ESCAPE = re.compile(r"([*?\[])"), r"[\1]"


def is_time(text: str) -> bool:
    """Return whether the library takes a text for a time, if all texts of a column are such.

    So does Arrow's reader of JSON (26.0): whole seconds, any zone.

    >>> [is_time(each) for each in ("2015-01-01", "2015-01-01T10:00:00Z", "2015-01-01 10:00+02")]
    [True, True, True]
    >>> [is_time(each) for each in ("2015-02-30", "2015-01-01T10:00:00.5", "20150101", "2015")]
    [False, False, False, False]
    """
    if not _ISO.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def kind_of(value: Any) -> Kind:
    """Return the type of a value of JSON.

    >>> kind_of({"a": [1, None], "b": "x"})
    {'struct': {'a': {'list': 'int64'}, 'b': 'string'}}
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int64" if -(1 << 63) <= value < 1 << 63 else _MIXED
    if isinstance(value, float):
        return "double"
    if isinstance(value, str):
        return _TIME if is_time(value) else "string"
    if isinstance(value, list):
        inner: Kind = "null"
        for each in value:
            inner = merged(inner, kind_of(each))
        return {"list": inner}
    return {"struct": {name: kind_of(each) for name, each in value.items()}}


def merged(one: Kind, other: Kind) -> Kind:
    """Return the type that holds the values of both.

    >>> merged("null", "int64"), merged("int64", "double"), merged("int64", "string")
    ('int64', 'double', 'mixed')
    >>> merged({"struct": {"a": "null"}}, {"struct": {"a": "bool", "b": "string"}})
    {'struct': {'a': 'bool', 'b': 'string'}}
    """
    if one == other or other == "null":
        return one
    if one == "null":
        return other
    if isinstance(one, str) or isinstance(other, str):
        return _TOGETHER.get(frozenset([str(one), str(other)]), _MIXED)
    if one.keys() != other.keys():
        return _MIXED
    if "list" in one:
        return {"list": merged(one["list"], other["list"])}
    return {"struct": merged_columns(one["struct"], other["struct"])}


def merged_columns(one: Mapping[str, Kind], other: Mapping[str, Kind]) -> dict[str, Kind]:
    """Return the columns of both, each of the type that holds the values of both."""
    return {name: merged(one.get(name, "null"), other.get(name, "null")) for name in {**one, **other}}


def card(manifest: Mapping[str, Any]) -> str | None:
    """Return the card that goes with a manifest; None where the data set has a file of its name.

    Args:
        manifest: `arguments` and `files`, as `_certify/manifest.json` has them.
    """
    files: Mapping[str, Mapping[str, Any]] = manifest["files"]
    if CARD in files:
        return None
    sources = {
        "jsonl": [name for name in files if _JSON.search(name)],
        "parquet": [n for n in files if n.lower().endswith(".parquet")],
    }
    held = {format_: sum(files[name]["rows"] for name in names) for format_, names in sources.items()}
    format_ = max(held, key=held.__getitem__)  # the library opens one format of a folder
    named = [name for name in sources[format_] if files[name]["rows"]]
    before = str(manifest["arguments"]["before"]).removesuffix("T00:00:00+00:00")
    lines = ["---", "tags:", "- dated", "- lowbackground"]
    if named:
        lines += _config(named)
    if named and format_ == "jsonl" and (schema := _schema(manifest, named)) is not None:
        lines += dataset_info({"default": schema})
    rows = sum(about["rows"] for about in files.values())
    proven = sum(count for about in files.values() for kind, count in about["proof"].items() if kind != "none")
    words = sum(about.get("words", 0) for about in files.values())
    known = sum(about.get("known_words", 0) for about in files.values())
    passages = (
        f"Of {words:,} words, {known:,} are in passages of 15 or more words that existed before (`proof_passages`). "
        if words
        else ""
    )
    lines += [
        "---", "", f"# Rows, and which of them provably existed before {before}", "",
        f"`archive certify` judged {rows:,} rows of a data set, and proved {proven:,} of them. The column `proof` is "
        "`exact`, `near` or `none`; the other columns that begin with `proof_` cite the capture that proves the row. "
        f"{passages}"
        "`none` says nothing of the age of a row. `archive verify` of this folder checks the files and the proofs.", "",
        '    datasets.load_dataset("path/of/this/folder")', "", *_others(sources, format_),
    ]  # fmt: skip
    return "\n".join(lines)


def _others(sources: Mapping[str, list[str]], format_: str) -> list[str]:
    """Say how the files are opened that the first line does not open."""
    (other,) = sources.keys() - {format_}
    if not sources[other]:
        return []
    builder = {"jsonl": "json", "parquet": "parquet"}[other]
    return [f"opens the files of the format that has more rows. For {other}:", "",
            f'    datasets.load_dataset("{builder}", data_files=["{sorted(sources[other])[0]}"])', ""]  # fmt: skip


def _config(files: Iterable[str]) -> Iterator[str]:
    yield from ("configs:", '- config_name: "default"', "  data_files:")
    splits: dict[str, list[str]] = {}
    for file in sorted(files):
        splits.setdefault(_split(file), []).append(file)
    for split in sorted(splits, key=[*_SPLITS].index):
        yield f"  - split: {split}"
        yield "    path:"
        for file in splits[split]:
            yield f"    - {quoted(_GLOB.sub(_ESCAPE, file))}"


def _split(file: str) -> str:
    words = re.split(r"[^a-z]+", file.lower())
    for split in ("test", "validation", "train"):
        if any(word in words for word in _SPLITS[split]):
            return split
    return "train"


def _schema(manifest: Mapping[str, Any], names: Iterable[str]) -> pa.Schema | None:
    """Return the columns of JSON lines; None where a column has no one type, or an earlier version certified a file."""
    found: dict[str, Kind] = {}
    for name in names:
        stated = manifest["files"][name].get("columns")
        if stated is None:
            return None
        found = merged_columns(found, {column: json.loads(kind) for column, kind in stated.items()})
    try:
        own = [pa.field(column, _arrow(kind)) for column, kind in found.items()]
    except TypeError:
        return None
    absent = {name for option, names in OPTIONAL.items() if not manifest["arguments"].get(option) for name in names}
    return pa.schema([*own, *(field for field in SCHEMA if field.name not in absent)])


def _arrow(kind: Kind) -> pa.DataType:
    """
    Raises:
        TypeError: it is mixed, or a struct without members, of which there is no type.
    """
    if isinstance(kind, str):
        return pa.timestamp("s") if kind == _TIME else pa.type_for_alias(_known(kind))
    if "list" in kind:
        return pa.list_(_arrow(kind["list"]))
    if not kind["struct"]:
        raise TypeError("a struct without members")
    return pa.struct([(name, _arrow(each)) for name, each in kind["struct"].items()])


def _known(kind: str) -> str:
    if kind == _MIXED:
        raise TypeError(kind)
    return kind
