"""`read`: sets of any kind as documents, in bounded memory."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Literal

from archive.errors import CollapseError
from archive.records import READERS, kind_of
from archive.records.rows import Columns
from archive.sources import Listed, list_files, open_bytes
from collapse import folder
from collapse.corpus import exported, rows
from collapse.corpus.document import Document
from collapse.corpus.plain import LOOK, Style, documents, lines, opened, style_of
from collapse.corpus.report import ReadReport
from collapse.corpus.sample import Sample
from collapse.corpus.tally import Damage, Tally

_Format = Literal["json-lines", "json", "parquet", "csv", "text", "unknown"]
_FORMATS: dict[str, _Format] = {
    "jsonl": "json-lines",
    "ndjson": "json-lines",
    "json": "json",
    "parquet": "parquet",
    "csv": "csv",
    "tsv": "csv",
    "txt": "text",
    "text": "text",
    "md": "text",
    "rst": "text",
}
#: The kinds of `archive.records` that are read here.
_READ: dict[str, _Format] = {"jsonl": "json-lines", "json": "json", "csv": "csv", "parquet": "parquet"}
_ENDING = re.compile(r"\.(\w+)(?:\.(?:gz|zst|lz4))?$")
#: In the name of a file or of a folder above it: the first word, or the first after a dot (wiki.train.tokens).
_PART = re.compile(r"(?:^|[/.])(?:(train|training)|valid|validation|val|dev|test|held[-_]?out)(?![a-z])")
#: The greatest size of a document: so many bytes, and this part of the sample, so that one text does not fill it.
_LONGEST = 1 << 20
_PARTS = 8
_SHORTEST = 1 << 10
#: The least held-out text that is kept, as a part of the training text: twice the longest document.
_HELD_OUT = 4
#: What to do where nothing could be used for this reason.
_HELP = {
    "no-text-column": "name the column that holds the text",
    "not-asked-for": "no row has the values that are asked for",
    "not-text": "give UTF-8 text",
    "not-utf-8": "give UTF-8 text",
    "unknown-format": "ingest captures into a lake, and export a set of it",
}


@dataclass(frozen=True, slots=True)
class Corpus:
    """Documents in the shuffled order of a seed, each text once in each of the two lists."""

    name: str  #: the sources, for people
    train: list[Document]
    held_out: list[Document]  #: those that the sources themselves hold out; often none
    reading: ReadReport


def read(
    sources: Sequence[str],
    *,
    limit_bytes: int = 1 << 28,
    held_out_bytes: int = 0,
    seed: int = 0,
    columns: Columns = Columns(),
    where: Mapping[str, str] | None = None,
    style: Style = "auto",
) -> Corpus:
    """Read sets: folders that `archive export` wrote, files, folders of files, patterns; on a disk, S3 or the web.

    Everything is read once. If there is more text than may be kept, a hash of seed and text draws whole documents, so
    the order of the files does not matter. An export that is the only source is in such an order already, and is read
    until there is enough.

    Every split of an export but `train` is held out. So are files, and folders of files, whose names begin with valid,
    val, dev, test or heldout, if other names begin with train.

    Args:
        limit_bytes: the most training text to keep, in UTF-8. In memory, text in other alphabets than the Latin one may
            take twice as much.
        held_out_bytes: the most held-out text to keep, if that is more than a fourth of `limit_bytes`.
        columns: which columns of rows hold what, where their names are not known ones.
        where: values that columns of rows must have, as JSON writes them.
        style: what is a document in plain text; `auto` looks at each file (`collapse.corpus.plain.style_of`).

    Raises:
        CollapseError: nothing can be used, or an export holds tokens.
        ArchiveError: a source does not exist, or is an unfinished export.
    """
    tally = Tally()
    longest = min(_LONGEST, max(limit_bytes // _PARTS, _SHORTEST))
    room = {False: limit_bytes, True: max(held_out_bytes, limit_bytes // _HELD_OUT)}
    samples = {held_out: Sample(most, seed) for held_out, most in room.items()}
    count = size = 0
    for held_out, document in _Sources(columns, where or {}, style, longest, tally).documents(sources, room):
        count += 1
        size += document.size
        samples[held_out].add(document)
    name = ", ".join(sources).encode(errors="replace").decode()  # of paths that are not UTF-8
    train, held = samples[False].documents(), samples[True].documents()
    if not train:
        raise CollapseError(f"{name}: {_why(tally)}")
    if duplicates := sum(sample.duplicates for sample in samples.values()):
        tally.reasons["duplicate"] = duplicates
    is_sample = tally.had_enough or not all(sample.is_whole for sample in samples.values())
    return Corpus(name, train, held, ReadReport(count, size, dict(sorted(tally.reasons.items())), is_sample))


def _why(tally: Tally) -> str:
    """Say why nothing could be used, and what to do."""
    if not tally.reasons:
        return "no training text in it; give files of text, JSON lines, Parquet or CSV, or an export"
    reasons = ", ".join(
        f"{count} {reason}" + (f" ({detail})" if (detail := tally.details[reason]) else "")
        for reason, count in tally.reasons.most_common(3)
    )
    ((first, _),) = tally.reasons.most_common(1)
    return f"no training text in it, but {reasons}" + (f"; {_HELP[first]}" if first in _HELP else "")


@dataclass(frozen=True, slots=True)
class _File:
    listed: Listed
    format: _Format
    split: str | None  #: `train`, `held-out`, or None if the name does not say


@dataclass(frozen=True, slots=True)
class _Sources:
    columns: Columns
    where: Mapping[str, str]
    style: Style
    longest: int  #: bytes of a document
    tally: Tally

    def documents(self, sources: Sequence[str], room: Mapping[bool, int]) -> Iterator[tuple[bool, Document]]:
        """Yield all usable documents, and whether they are held out."""
        exports = [source for source in sources if exported.is_export(source)]
        for source in exports:
            enough = room if len(sources) == 1 else None
            for held_out, document in exported.documents(source, self.where, enough, self.tally):
                for usable in self._usable(document):
                    yield held_out, usable
        files = [file for source in sources if source not in exports for file in self._files(source)]
        split = {"train", "held-out"} <= {file.split for file in files}
        plain = sum(file.format == "text" for file in files)
        for file in files:
            try:
                for document in self._read(file, plain):
                    for usable in self._usable(document):
                        yield split and file.split == "held-out", usable
            except Damage as damage:
                self.tally.reject(damage.reason, f"{file.listed.uri}: {damage.detail}")

    def _files(self, source: str) -> Iterator[_File]:
        """Yield the files of a source that belong to the set: no hidden ones, and none of a collapse test's folder."""
        every = list(list_files(source))
        runs = [parent for parent in {Path(each.uri).parent for each in every} if folder.is_run(parent)]
        files = [
            _File(listed, _format_of(listed), _split_of(listed.name))
            for listed in every
            if not any(part.startswith(".") for part in listed.name.split("/"))
            and not any(Path(listed.uri).is_relative_to(run) for run in runs)
        ]
        has_rows = any(file.format not in {"text", "unknown"} for file in files)
        for file in files:
            if file.listed.size == 0:
                self.tally.reject("empty-file", file.listed.uri)
            elif file.format == "unknown":
                self.tally.reject("unknown-format", file.listed.uri)
            elif has_rows and file.format == "text":
                self.tally.reject("beside-rows", file.listed.uri)
            else:
                yield file

    def _read(self, file: _File, plain: int) -> Iterator[Document]:
        with open_bytes(file.listed.uri) as opened_file:
            if file.format == "text":
                yield from self._plain(opened_file, plain)
                return
            if file.format == "json-lines":
                records = rows.json_lines(opened_file, self.tally)
            elif file.format == "json":
                records = rows.json_document(opened_file, self.tally)
            elif file.format == "parquet":
                records = rows.parquet(opened_file, self.columns, self.where, self.tally)
            else:
                records = rows.csv_rows(opened_file, self.tally)
            yield from rows.documents(records, self.columns, self.where, self.tally)

    def _plain(self, file: BinaryIO, files: int) -> Iterator[Document]:
        cursor = opened(file)
        look = cursor.peek(LOOK)
        if b"\0" in look:
            self.tally.reject("not-text")
            return
        style = style_of(look, files) if self.style == "auto" else self.style
        for data in documents(lines(cursor, self.longest), style, self.longest, self.tally):
            try:
                yield Document(data.decode().strip())
            except UnicodeDecodeError as error:
                self.tally.reject("not-utf-8", str(error))

    def _usable(self, document: Document) -> Iterator[Document]:
        """Yield the document, or pieces of it if it is too long."""
        try:
            data = document.text.encode()
        except UnicodeEncodeError as error:  # halves of surrogate pairs, which JSON can hold
            self.tally.reject("not-utf-8", str(error))
            return
        if not document.text.strip():
            self.tally.reject("empty-text")
        elif len(data) <= self.longest:
            yield document
        else:
            for piece in documents(lines(opened(BytesIO(data)), self.longest), "file", self.longest, self.tally):
                yield replace(document, text=piece.decode())


def _format_of(file: Listed) -> _Format:
    """Tell the format of a file by its name, or else by its content."""
    ending = _ENDING.search(file.name.lower())
    if ending and ending[1] in _FORMATS:
        return _FORMATS[ending[1]]
    with open_bytes(file.uri) as opened_file:
        kind = kind_of(opened_file, file.uri)
    if kind in _READ:
        return _READ[kind]
    return "unknown" if kind in READERS else "text"


def _split_of(name: str) -> str | None:
    """Return the split that the innermost part of a name gives, if any."""
    splits = [match[1] for match in _PART.finditer(name.lower())]
    return None if not splits else "train" if splits[-1] else "held-out"
