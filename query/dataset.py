"""Exported sets: what a manifest states, and the rows of the shards.

>>> from query.dataset import load
>>> dataset = load("set")                                        # doctest: +SKIP
>>> len(dataset), dataset.splits, dataset.arguments.before       # doctest: +SKIP
>>> for row in dataset:                                          # doctest: +SKIP
...     row["text"], row["captured_at"], row["file"]
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from archive.errors import ExportError, cause_line, error_line
from archive.owned_prefix import OwnedPrefix
from query import merkle
from query.formats import Format, open_format
from query.options import ExportOptions
from query.rows import SINCE_3, TOTALS, schema_of
from query.set_files import SetFiles
from query.typed_json import build, parse

MANIFEST = "manifest.json"
#: Of the manifests that are written. `_upgraded` reads versions 1 and 2 too.
VERSION = 3
#: The files that say to people what the manifest says. They contain the two roots.
DESCRIBING = ("README.md", "distribution.svg")
#: Bytes of the largest manifest that is read: that of a million shards has about half of it.
_LARGEST = 1 << 30


@dataclass(frozen=True, slots=True)
class File:
    """A file of a set."""

    name: str  #: below the folder of the shard, or of the set
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard: its files, its numbers, and the roots of the Merkle trees over its rows (`query.merkle`)."""

    folder: str  #: below the folder of the set: the split, behind the period where the set is in slices
    files: tuple[File, ...]
    rows: int
    chars: int | None  #: characters of text; None where the rows hold tokens
    tokens: int | None  #: None where the export had no tokenizer
    masked: int | None  #: addresses that were masked; None where none were looked for
    merkle_root: str
    content_root: str | None  #: None in sets of the first versions

    @property
    def split(self) -> str:
        return self.folder.rpartition("/")[2]

    @property
    def paths(self) -> list[str]:
        """The names of the files, below the folder of the set."""
        return [f"{self.folder}/{file.name}" for file in self.files]

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Shard:
        """
        Raises:
            KeyError, TypeError, AttributeError, ValueError: it is no shard.
        """
        files = tuple(build(File, file) for file in values["files"])
        shard = build(cls, {"content_root": None, **values, "files": files})
        numbers = [shard.rows, shard.chars, shard.tokens, shard.masked, *(file.bytes for file in files)]
        if not files or any(number is not None and not 0 <= number < 1 << 62 for number in numbers):
            raise ValueError("a shard has no files, or less than no rows")
        if not all(map(_is_root, filter(None, [shard.merkle_root, shard.content_root]))):
            raise ValueError("the root of a shard is no SHA-256")
        return shard


@dataclass(frozen=True, slots=True)
class Dropped:
    """A condition of the set, and how many texts it left out."""

    name: str
    dropped: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """How often texts that cannot be contaminated are taken for texts that are.

    These are texts from before the benchmarks were published: by chance some are like an item too. A text that shares
    a 13-gram of words with a benchmark may be what an item was made from. It is no false positive and does not count.
    """

    published: str  #: when the first of the benchmarks was published
    asked: float | None  #: the largest share that may be like an item; None where a user chose the cosine
    texts: int  #: from before the publication, with vectors, that share no 13-gram with a benchmark
    sources: int  #: from before the publication, with vectors, that share one
    above: int  #: of `texts`, how many are like an item
    bound: float  #: the share of such texts that are is below this with a confidence of 95 %


@dataclass(frozen=True, slots=True)
class Likeness:
    """How the texts were compared with the items of benchmarks, and what came of it (`--decontaminate-like`).

    The last four numbers are of the texts in the set, and sum to their number.
    """

    encoder: str  #: whose vectors were compared: a value of `embeddings.encoder`
    files: dict[str, str]  #: SHA-256 of each file of items, by its name
    items: int  #: different strings that were compared
    short: int  #: strings that were not, because they have fewer than 5 words
    least_cosine: float  #: a text with this cosine to an item, or a greater one, is like it
    calibration: Calibration | None  #: None where no date of publication was given
    alike: int  #: texts that are like an item; 0 where these were dropped
    unlike: int  #: texts that are not, and all of which was compared
    partly: int  #: texts of which a part was compared, which is not like an item
    not_compared: int  #: texts without a vector

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Likeness:
        """
        Raises:
            KeyError, TypeError, AttributeError, ValueError: it is not that.
        """
        calibration = values["calibration"]
        return build(cls, {**values, "calibration": calibration and build(Calibration, calibration)})


@dataclass(frozen=True, slots=True)
class LakeVersion:
    """The lake of an export, and the version of each table that was read."""

    location: str
    versions: dict[str, int]


@dataclass(frozen=True, slots=True)
class UsedTokenizer:
    """The tokenizer of an export."""

    name: str
    fingerprint: str  #: SHA-256 of its definition
    vocab_size: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What `manifest.json` states of a set. The numbers of all shards are None where those of a shard are."""

    version: int
    program: str  #: that wrote it
    lake: LakeVersion
    arguments: ExportOptions
    tokenizer: UsedTokenizer | None
    public_suffix_list: str  #: version of the list that decides `domain`
    rows: int
    chars: int | None
    tokens: int | None
    masked: int | None
    bytes: int  #: of the shards
    splits: dict[str, int]  #: rows of each
    dropped: tuple[Dropped, ...]
    contamination: dict[str, int]  #: evaluation set -> texts that share an n-gram with it
    months: dict[str, int]  #: texts by the month of their first capture
    languages: dict[str, int]  #: texts by language; `?` where none is known
    date_sources: dict[str, int]
    grades: dict[str, int]  #: texts by the grade of the capture that they cite; empty in sets of older versions
    extractors: dict[str, int]
    domains: int
    largest_domains: dict[str, int]
    shards: tuple[Shard, ...]
    merkle_root: str
    content_root: str | None
    likeness: Likeness | None = None  #: None where no benchmark was given to `--decontaminate-like`
    files: tuple[File, ...] = field(default=())  #: all but the shards and the manifest

    def as_json(self) -> dict[str, Any]:
        """Return the manifest as JSON can hold it."""
        values = {**asdict(self), "arguments": self.arguments.as_json()}
        if self.likeness is None:
            del values["likeness"]
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Manifest:
        """Read what `as_json` returned, in this version or an older one.

        Raises:
            ExportError, KeyError, TypeError, AttributeError, ValueError: it is not a manifest.
        """
        is_newest = values.get("version") == VERSION
        values = _upgraded(values)
        missing = {
            "public_suffix_list": "",
            "extractors": {},
            "grades": {},
            "domains": 0,
            "largest_domains": {},
            "content_root": None,
        }
        known = {each.name for each in fields(cls)}
        return build(
            cls,
            {
                **({} if is_newest else missing),
                **{name: value for name, value in values.items() if is_newest or name in known},
                "lake": build(LakeVersion, values["lake"]),
                "arguments": ExportOptions.from_json(values["arguments"]),
                "tokenizer": None if values["tokenizer"] is None else build(UsedTokenizer, values["tokenizer"]),
                "dropped": tuple(build(Dropped, each) for each in values["dropped"]),
                "likeness": values.get("likeness") and Likeness.from_json(values["likeness"]),
                "shards": tuple(Shard.from_json(shard) for shard in values["shards"]),
                "files": tuple(build(File, file) for file in values["files"]),
            },
        )

    @property
    def columns(self) -> list[str]:
        """The columns of the rows."""
        absent = SINCE_3 if self.version < 3 else frozenset()
        return [name for name in self.arguments.columns if name not in absent]

    @property
    def hashes(self) -> dict[str, str]:
        """The SHA-256 of every file of the set but the manifest, by name, the shards first."""
        shards = {f"{shard.folder}/{file.name}": file.sha256 for shard in self.shards for file in shard.files}
        return shards | {file.name: file.sha256 for file in self.files}


#: Keys of version 1, and what they are called now.
_RENAMED = {"form": "format", "sources": "date_sources", "root": "merkle_root"}
#: What the arguments of sets without grades mean: whatever date there was counted.
_BEFORE_GRADES = {"grade": "E", "archives": 1}


def _upgraded(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a manifest of an older version with the keys of this one."""
    if values.get("version") == VERSION:
        return values
    if values.get("version") == 2 and "manifest" not in values:
        return {**values, "arguments": {**values["arguments"], **_BEFORE_GRADES}}
    if values.get("manifest") != 1:
        raise ValueError("it is of another version")

    def renamed(part: Mapping[str, Any]) -> dict[str, Any]:
        return {_RENAMED.get(name, name): value for name, value in part.items()}

    shards = [renamed(shard) for shard in values["shards"]]
    return {**values, "version": 1, "arguments": renamed(values["arguments"]) | _BEFORE_GRADES, "shards": shards}


def sums(shards: Sequence[Shard]) -> dict[str, Any]:
    """Return what a manifest states of all shards together; None where a shard does not have the number."""
    splits: Counter[str] = Counter()
    for shard in shards:
        splits[shard.split] += shard.rows
    totals: dict[str, Any] = {}
    for name in ("rows", *TOTALS):
        values = [getattr(shard, name) for shard in shards]
        totals[name] = None if None in values else sum(values)
    return {**totals, "bytes": sum(file.bytes for shard in shards for file in shard.files), "splits": dict(splits)}


def set_roots(
    stated: Mapping[str, Any],
    merkle_roots: Sequence[str],
    content_roots: Sequence[str],
    described: Mapping[str, str],
) -> tuple[str, str]:
    """Return the Merkle root and the content root of a set, from those of its shards in their order.

    From version 3 on, the last leaf of the Merkle root is all of the manifest but the two roots and where the lake is:
    the arguments, the versions of the lake's tables, the numbers, the splits, and the hashes of all files. Those of the
    files that contain the roots are taken without them. The last leaf of the content root leaves out what others may
    have elsewhere, or more of.

    Args:
        stated: the manifest, as JSON.
        described: the SHA-256 of each file of `DESCRIBING`, as the function `described` gives it.
    """
    merkle_leaves, content_leaves = (
        [merkle.part_leaf(root) for root in each] for each in (merkle_roots, content_roots)
    )
    if stated.get("version", 1) >= 3:
        files = {file["name"]: file["sha256"] for file in stated["files"] if file["name"] not in DESCRIBING}
        rest = {name: value for name, value in stated.items() if name not in {"merkle_root", "content_root"}}
        lake = {"versions": stated["lake"]["versions"]}
        merkle_leaves.append(_leaf({**rest, "lake": lake, "files": {**files, **described}}))
        content_leaves.append(
            _leaf(
                {
                    "arguments": {
                        name: value
                        for name, value in stated["arguments"].items()
                        if name not in {"tokenizer", "decontaminate", "decontaminate_like", "encoder"}
                    },
                    "tokenizer": stated["tokenizer"] and stated["tokenizer"]["fingerprint"],
                    "shards": [[shard["folder"], shard["rows"]] for shard in stated["shards"]],
                }
            )
        )
    return merkle.root(merkle_leaves), merkle.root(content_leaves)


def described(content: bytes, stated: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a file of `DESCRIBING` without the two roots and where the lake is, each of which it has
    once."""
    location = f"lake `{stated['lake']['location']}`".encode("utf-8", "surrogatepass")
    content = content.replace(location, b"lake", 1)
    for name in ("merkle_root", "content_root"):
        if root := stated.get(name):
            content = content.replace(str(root).encode(), b"", 1)
    return hashlib.sha256(content).hexdigest()


def _leaf(stated: Mapping[str, Any]) -> bytes:
    data = json.dumps(stated, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(b"\0" + data.encode("utf-8", "surrogatepass")).digest()


def _is_root(value: str) -> bool:
    return len(value) == 64 and set(value) <= set("0123456789abcdef")


class Dataset:
    """An exported set. Rows come in the order of the export: that of a hash, so the first rows are a sample.

    Iterating gives each row as a dictionary with the columns of `query.rows`.
    """

    def __init__(
        self, path: str | os.PathLike[str], manifest: Manifest, stated: Mapping[str, Any] | None = None
    ) -> None:
        """
        Args:
            stated: the manifest as its JSON has it.
        """
        self.files = SetFiles.of(path)
        self.manifest = manifest
        self.stated = manifest.as_json() if stated is None else stated

    def __repr__(self) -> str:
        before = self.arguments.before
        return f"<Dataset {self.files}: {len(self):,} rows before {before}, {self.format}, splits {self.splits}>"

    @property
    def path(self) -> Path:
        """The folder.

        Raises:
            ExportError: it is in a store of objects; `files.location` is its address.
        """
        if self.files.is_stored:
            raise ExportError(f"{self.files}: is no folder of this machine")
        return self.files.path

    @property
    def lake(self) -> str:
        """The location of the lake that the set was exported from."""
        return self.manifest.lake.location

    @property
    def arguments(self) -> ExportOptions:
        """The options of the export."""
        return self.manifest.arguments

    @property
    def format(self) -> str:
        return self.arguments.format

    @property
    def columns(self) -> list[str]:
        return self.manifest.columns

    @property
    def splits(self) -> dict[str, int]:
        """The rows of each split."""
        return self.manifest.splits

    @property
    def shards(self) -> tuple[Shard, ...]:
        return self.manifest.shards

    @property
    def merkle_root(self) -> str:
        """The root of the Merkle tree over all rows and their evidence (`query.merkle`)."""
        return self.manifest.merkle_root

    @property
    def content_root(self) -> str | None:
        """The same root wherever the cited files are. None in sets of the first versions."""
        return self.manifest.content_root

    @cached_property
    def reader(self) -> Format:
        """The format that reads the shards.

        Raises:
            ArchiveError: its library is not installed.
        """
        return open_format(self.format)

    def read(self, shard: Shard) -> Iterator[pa.Table]:
        """Yield the rows of a shard as the format reads them, some at a time; their columns are not checked.

        The files of a shard in a store are in a temporary folder meanwhile.

        Raises:
            ExportError: a file is missing or damaged.
            StoreError: the store cannot be read.
        """
        with self.files.here(shard.paths) as folder:
            yield from self.reader.read(folder / shard.folder, [file.name for file in shard.files])

    def batches(self, split: str | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a split, or of all, some at a time.

        Raises:
            ExportError: there is no such split, or a file is missing or damaged.
        """
        if split is not None and split not in self.splits:
            raise ExportError(f"{self.files}: has no split {split!r}; there are {', '.join(self.splits)}")
        for shard in self.shards:
            if split in {None, shard.split}:
                for table in self.read(shard):
                    yield from table.to_batches()

    def to_arrow(self, split: str | None = None) -> pa.Table:
        """Read the rows of a split, or of all, into memory.

        Raises:
            ExportError: there is no such split, or a file is missing or damaged.
        """
        return pa.Table.from_batches(self.batches(split), schema_of(self.columns))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for batch in self.batches():
            yield from batch.to_pylist()

    def __len__(self) -> int:
        return self.manifest.rows


def load(path: str | os.PathLike[str]) -> Dataset:
    """Open the set that `archive export` wrote to a folder or an `s3://` prefix, whatever its version and format.

    Only the manifest is read and checked here. `verify` checks all of a set.

    Raises:
        ExportError: there is no finished export, or its manifest cannot be read.
        SourceError: the address is of another kind.
        StoreError: the store cannot be read.
    """
    files = SetFiles.of(path)
    file = files.shown(MANIFEST)
    try:
        values = parse(files.read(MANIFEST, _LARGEST))
    except FileNotFoundError:
        begun = is_begun(files)
        what = "this export is not finished; run the same `archive export` again" if begun else "no export here"
        raise ExportError(f"{files}: {what}") from None
    except OSError as error:
        raise ExportError(f"{file}: {cause_line(error)}") from None
    except (ValueError, RecursionError) as error:
        raise ExportError(f"{file}: {error_line(error)}") from None
    try:
        manifest = Manifest.from_json(values)
    except KeyError as error:
        raise ExportError(f"{file}: not a manifest that this version reads (no {error.args[0]})") from None
    except (TypeError, AttributeError, ValueError, ExportError) as error:
        raise ExportError(f"{file}: not a manifest that this version reads ({error})") from None
    return Dataset(path, manifest, values)


def is_begun(files: SetFiles) -> bool:
    """Return whether an export was begun here and is not finished.

    Raises:
        StoreError: the store cannot be read.
    """
    if files.is_stored:
        return OwnedPrefix(files.location, "export", ExportError).is_claimed()
    return (files.path / ".work").is_dir()
