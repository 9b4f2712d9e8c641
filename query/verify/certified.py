"""Check what `archive certify` wrote: its files against its manifest, and each proof against the record that it cites.

What a row without a proof could be proven by is not looked for: only the lake knows.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from archive import registry
from archive.engine import Context, Engine, succeed
from archive.errors import ExportError, SourceError, cause_line, error_line
from archive.evidence.grade import GRADES
from archive.journal import JOURNAL
from archive.objects import Prefix
from archive.progress import Reporter
from archive.reasons import DATE_SOURCES
from archive.records import READERS, kind_of, open_reader
from archive.records.jsonl import parsed, read_lines
from archive.records.rows import Columns, is_repeating, text_of
from archive.sources import open_bytes
from archive.text.normalise import dropped_from, normalise
from index.certify.card import CARD, card
from index.certify.result import MANIFEST, PROCEDURE
from query.set_files import SetFiles
from query.typed_json import build, parse
from query.verify.citation import CITATIONS, PROVEN
from query.verify.result import VerifyResult
from query.verify.stated import Folder, few, shown

#: Bytes of a line, and of a manifest, that is read.
_LINE, _LARGEST = 1 << 28, 1 << 30
_RECORD = {"file": str, "offset": int, "skip": int, "digest": str}
_CITED = ("proof_date", "proof_url", "proof_record")
_PARAGRAPH = {"words", "proof", "proof_similarity", *_CITED}
_PASSAGE = {"start", "end", "words", *_CITED}
_BATCH = 1000
#: Problems of a file that are named.
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Near:
    """How near-duplicates were found."""

    words: int
    threshold: float


@dataclass(frozen=True, slots=True)
class Arguments:
    """What the result of a `certify` depends on."""

    lake: str
    captures: int
    index: int
    procedure: int
    before: str
    grade: str
    archives: int
    date_sources: tuple[str, ...]
    dataset: str
    text_column: str | None
    paragraphs: bool
    near: Near
    attestations: int | None = None  #: of a lake that has any
    retractions: int | None = None
    passages: bool = False
    passage_index: int | None = None


@dataclass(frozen=True, slots=True)
class CertifiedFile:
    """A file of the result, and what was counted in it."""

    version: str
    bytes: int
    sha256: str
    rows: int
    proof: dict[str, int]
    proof_by_year: dict[str, dict[str, int]]
    proof_by_grade: dict[str, dict[str, int]]
    paragraphs: dict[str, int]
    problems: dict[str, int]
    words: int = 0  #: if passages were asked for …
    known_words: int = 0  #: … and how many of these are in passages
    columns: dict[str, str] | None = None  #: of JSON lines, name -> type as JSON; None in an older result


@dataclass(frozen=True, slots=True)
class Certified:
    """A data set that was certified."""

    where: SetFiles
    arguments: Arguments
    files: dict[str, CertifiedFile]
    card: str | None  #: the data card that goes with the manifest


@dataclass(frozen=True, slots=True)
class Unit:
    """A file whose rows are to be read."""

    where: SetFiles
    name: str
    stated: CertifiedFile
    arguments: Arguments
    first: int  #: number of its first row
    chosen: frozenset[int] | None  #: the rows whose proofs are traced; None: all
    to: str  #: the file of the scratch folder that gets the citations
    plugins: registry.Entries


@dataclass(frozen=True, slots=True)
class Read:
    rows: int
    problems: list[str]


def is_certified(path: str | os.PathLike[str]) -> bool:
    """Return whether a folder, or an `s3://` prefix, is a result of `archive certify`.

    Raises:
        StoreError: the store cannot be read.
    """
    files = SetFiles.of(path)
    if files.is_stored:
        return Prefix(files.location).head(MANIFEST) is not None
    return os.path.lexists(files.path / MANIFEST)


def load(path: str | os.PathLike[str]) -> Certified:
    """Read the manifest of a certified data set.

    Raises:
        ExportError: it is not one that this version reads.
    """
    where = SetFiles.of(path)
    file = where.shown(MANIFEST)
    try:
        values = parse(where.read(MANIFEST, _LARGEST))
        arguments = values["arguments"]
        sources = arguments["date_sources"]
        near = build(Near, arguments["near"])
        stated = {**arguments, "near": near, "date_sources": tuple(sources) if isinstance(sources, list) else sources}
        if set(values) != {"arguments", "files"}:
            raise ValueError("it has other keys than arguments and files")
        if arguments["procedure"] != PROCEDURE:
            raise ValueError(f"procedure {arguments['procedure']!r}, where this version certifies by {PROCEDURE}")
        files = {name: build(CertifiedFile, about) for name, about in values["files"].items()}
        return Certified(where, build(Arguments, stated), files, card(values))
    except OSError as error:
        raise ExportError(f"{file}: {cause_line(error)}") from None
    except KeyError as error:
        raise ExportError(f"{file}: not a manifest that this version reads (no {error.args[0]})") from None
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ExportError(f"{file}: not a manifest that this version reads ({error_line(error)})") from None


def check(
    certified: Certified, chosen: frozenset[int] | None, scratch: Path, result: VerifyResult, engine: Engine,
    reporter: Reporter,
) -> None:  # fmt: skip
    """Check the files of a certified data set, and write the citations of the proofs of the chosen rows."""
    names = {*certified.files, MANIFEST, JOURNAL, *([CARD] if certified.card else [])}
    folder = Folder.of(certified.where, names)
    foreign = folder.foreign(names, "result")
    if certified.card and CARD in folder.files and not _is_card(certified):  # an older result has none
        foreign.append(f"{CARD}: not what the manifest gives")
    missing = [folder.missing(name) for name in certified.files if name not in folder.files]
    result.problems += few(sorted([*foreign, *missing]))
    units, first = [], 0
    for number, (name, stated) in enumerate(certified.files.items()):
        if name in folder.files:
            to = f"{number}.parquet"
            arguments, plugins = certified.arguments, registry.entries()
            units.append(Unit(certified.where, name, stated, arguments, first, chosen, to, plugins))
        first += max(stated.rows, 0)
    reporter.stage("rows", first)
    for _, read in succeed(engine.run(work, units, progress=reporter.advance, scratch=str(scratch))):
        result.rows += read.rows
        result.problems += read.problems
    if not certified.files:
        result.problems.append("the manifest states no file")
    result.problems += _compare_arguments(certified.arguments)


def _is_card(certified: Certified) -> bool:
    try:
        return certified.where.read(CARD) == (certified.card or "").encode()
    except (OSError, ValueError):
        return False


def _compare_arguments(arguments: Arguments) -> list[str]:
    try:
        moment = datetime.fromisoformat(arguments.before)
        wrong = [] if moment.tzinfo else ["before"]
    except ValueError:
        wrong = ["before"]
    wrong += [] if arguments.grade in list(GRADES)[:-1] else ["grade"]
    wrong += [] if set(arguments.date_sources) <= DATE_SOURCES.keys() else ["date_sources"]
    return [f"{name} of the manifest is no value that it can have" for name in wrong]


def work(unit: Unit, ctx: Context) -> Read:
    """Hash a file, count its rows, and write the citations of its proofs. Needs a scratch folder that workers see."""
    registry.adopt(unit.plugins)
    problems: list[str] = []
    stated, to = unit.stated, ctx.write(unit.to)
    counts: dict[str, Any] = {"rows": 0, "proof": Counter(), "proof_by_year": {}, "proof_by_grade": {}}
    counts |= {"paragraphs": Counter(), "words": 0, "known_words": 0}
    with unit.where.here([unit.name], ctx.folder) as folder:
        path = folder / unit.name
        try:
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            if (digest, path.stat().st_size) != (stated.sha256, stated.bytes):
                problems.append(f"{shown(unit.name)}: not the bytes that the manifest states")
            with pq.ParquetWriter(to, CITATIONS) as writer:
                held: list[dict[str, Any]] = []
                for row in _rows(str(path)):
                    number = unit.first + counts["rows"]
                    counts["rows"] += 1
                    if row is None:  # it is as it was, without further columns
                        counts["proof"]["none"] += 1
                        continue
                    problems += _compare_row(unit, row, number, counts)[: max(_SHOWN - len(problems), 0)]
                    if unit.chosen is None or number in unit.chosen:
                        held += _citations(unit.arguments, row, number)
                    if len(held) >= _BATCH:
                        writer.write_table(pa.Table.from_pylist(held, schema=CITATIONS))
                        held = []
                    ctx.progress(1, 0)
                writer.write_table(pa.Table.from_pylist(held, schema=CITATIONS))
        except Exception as error:  # whatever is in a file that was damaged or forged
            problems.append(f"{shown(unit.name)}: cannot be read ({error_line(error)})")
            Path(to).unlink(missing_ok=True)
    for name, value in counts.items():
        if _plain(value) != _plain(getattr(stated, name)):
            problems.append(f"{shown(unit.name)}: {name} of the manifest are not those of its rows")
    return Read(counts["rows"], problems)


def _plain(value: Any) -> Any:
    """Return counts without zeros."""
    if isinstance(value, Mapping):
        return {name: inner for name, each in value.items() if (inner := _plain(each)) not in (0, {})}
    return value


def _rows(path: str) -> Iterator[dict[str, Any] | None]:
    """Yield the rows of a file; None for a line that is none."""
    with open_bytes(path) as file:
        kind = kind_of(file, path)
        if kind == "jsonl":
            for line in read_lines(file, _LINE):
                row = line.detail if line.problem else parsed(line.data)
                if isinstance(row, str) and line.problem:
                    raise SourceError(row)
                # certify leaves a row as it is that states a column twice: readers differ in which text it has
                yield None if isinstance(row, str) or ("proof" not in row and is_repeating(row)) else row
        elif kind in READERS:
            yield from open_reader(kind).values(file)
        elif file.seek(0, os.SEEK_END):
            yield from (None for _ in read_lines(file, _LINE))


def _compare_row(unit: Unit, row: Mapping[str, Any], number: int, counts: dict[str, Any]) -> list[str]:
    """Count a row, and return what is wrong with its proof as it is."""
    kind = row.get("proof")
    counts["proof"][str(kind)] += 1
    at = _moment(row.get("proof_date"))
    if kind in {"exact", "near"} and at is not None:
        counts["proof_by_year"].setdefault(str(at.year), Counter())[kind] += 1
        counts["proof_by_grade"].setdefault(str(row.get("proof_grade")), Counter())[kind] += 1
    problems = _wrong(unit.arguments, row, row.get("proof_grade"), row.get("proof_date_source"))
    problems += _wrong_characters(unit.arguments, row, kind)
    if is_repeating(row):
        problems.append("a column twice")
    paragraphs = row.get("proof_paragraphs")
    if (paragraphs is not None) != unit.arguments.paragraphs:
        problems.append("proof_paragraphs, which the arguments say otherwise of")
    for each in paragraphs or ():
        counts["paragraphs"][str(each.get("proof"))] += 1
        problems += [f"a paragraph: {problem}" for problem in _wrong(unit.arguments, each, None, None)]
        problems += ["a paragraph: not the columns that it has"] * (set(each) != _PARAGRAPH)
    problems += _compare_passages(unit.arguments, row, counts)
    return [f"{shown(unit.name)}: row {number}: {problem}" for problem in problems]


def _compare_passages(arguments: Arguments, row: Mapping[str, Any], counts: dict[str, Any]) -> list[str]:
    """Count the words of a row, and return what is wrong with its passages, as far as the row alone shows it."""
    passages, stated = row.get("proof_passages"), (row.get("proof_words"), row.get("proof_known_words"))
    if not arguments.passages:
        return ["passages, which the arguments say otherwise of"] if any(
            each is not None for each in (passages, *stated)) else []  # fmt: skip
    from index.passages.kernel import Question

    text = normalise(text_of(row, Columns(text=arguments.text_column)) or "")
    held = Question(text).words
    words, known, behind, problems = len(held), 0, 0, []
    spans = held.spans([(word, word + 1, 0) for word in range(words)])
    starts, ends = ({span[side]: word for word, span in enumerate(spans)} for side in (0, 1))
    if row.get("proof") == "exact":  # the passage is the row itself, and what proves the row proves it
        starts, ends = {0: 0}, {len(text): words - 1}
    for each in passages or ():
        start, end, own = each.get("start"), each.get("end"), each.get("words")
        known += own if type(own) is int else 0
        if type(start) is not int or type(end) is not int or not behind <= start < end <= len(text):
            problems.append("a passage: not a part of the text, or not behind the one before it")
            continue
        behind = end
        if start not in starts or end not in ends:
            problems.append("a passage: it begins or ends where no word does")
        elif type(own) is not int or own != ends[end] - starts[start] + 1:
            problems.append("a passage: not the words that it states")
        if row.get("proof") == "exact" and any(each.get(name) != row.get(name) for name in _CITED):
            problems.append("a passage: not proven by what proves the row")
        if set(each) != _PASSAGE:
            problems.append("a passage: not the columns that it has")
        claim = {**each, "proof": "exact", "proof_similarity": 1}
        problems += [f"a passage: {problem}" for problem in _wrong(arguments, claim, None, None)]
    if row.get("proof") == "exact" and known != words:
        problems.append("proof_known_words: all words of an exact row are known")
    if passages is None or stated != (words, known):
        problems.append(f"proof_words, proof_known_words: the row says {stated}, it has {(words, known)}")
    counts["words"] += words
    counts["known_words"] += known
    return problems


def _wrong(arguments: Arguments, row: Mapping[str, Any], grade: Any, source: Any) -> list[str]:
    kind, is_row = row.get("proof"), "words" not in row
    rest = [row.get(name) for name in ("proof_date", "proof_similarity", "proof_url", "proof_record")]
    if kind == "none":
        return ["evidence for no proof"] if any(each is not None for each in [*rest, grade, source]) else []
    if kind not in {"exact", "near"}:
        return [f"no proof is called {kind!r}"]
    problems = []
    at, record = _moment(row.get("proof_date")), row.get("proof_record")
    if at is None or at >= (_moment(arguments.before) or at):
        problems.append(f"not proven before {arguments.before}")
    if not isinstance(record, Mapping) or any(type(record.get(key)) is not of for key, of in _RECORD.items()
                                              if record.get(key) is not None or key != "digest"):  # fmt: skip
        problems.append("no record")
    if kind == "exact" and row.get("proof_similarity") != 1:
        problems.append("the similarity of the same text is 1")
    if not is_row:
        return problems
    least = "D" if arguments.grade == "B" else arguments.grade
    if not isinstance(grade, str) or grade not in GRADES or grade > least:
        problems.append(f"of a lower grade than {arguments.grade}")
    if source not in (arguments.date_sources or DATE_SOURCES):
        problems.append("evidence of another kind")
    return problems


def _wrong_characters(arguments: Arguments, row: Mapping[str, Any], kind: Any) -> list[str]:
    """Return what is wrong with how the characters of a row were compared, as far as the row alone shows it."""
    characters, dropped = row.get("proof_characters"), row.get("proof_dropped")
    estimated = row.get("proof_estimated")
    if kind == "none":
        return ["evidence for no proof"] if any(each is not None for each in (characters, dropped, estimated)) else []
    problems = []
    left_out = dropped_from(text_of(row, Columns(text=arguments.text_column)) or "")
    if type(dropped) is not int or dropped != left_out:
        problems.append(f"proof_dropped: the row says {dropped}, its normal form leaves out {left_out} characters")
    if kind == "exact" and characters != 1:
        problems.append("proof_characters: those of the same text are as similar as 1")
    if (kind == "near") != isinstance(estimated, bool):
        problems.append("proof_estimated belongs to a proof that is near, and to no other")
    if kind == "near":
        for name in ("proof_similarity", *(() if estimated else ("proof_characters",))):
            if not isinstance(row.get(name), float | int) or not arguments.near.threshold - 1e-9 <= row[name] <= 1:
                problems.append(f"{name}: {row.get(name)} is not from {arguments.near.threshold} to 1")
        if estimated and characters is not None:
            problems.append("proof_characters: a similarity that is estimated rests on no characters")
    return problems


def _moment(value: Any) -> datetime | None:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    return value if isinstance(value, datetime) and value.tzinfo else None


def _citations(arguments: Arguments, row: Mapping[str, Any], number: int) -> Iterator[dict[str, Any]]:
    """Yield the citation of each proof of a row: its own, and those of its paragraphs."""
    text = normalise(text_of(row, Columns(text=arguments.text_column)) or "")
    parts = [(row, text, row.get("proof_grade"), row.get("proof_date_source"))]
    if row.get("proof_paragraphs"):
        parts += _paragraphs(arguments, row, text)
    if row.get("proof") != "exact":  # else the row itself is looked up
        parts += [({**part, "proof": "exact"}, text, None, None) for part in row.get("proof_passages") or ()]
    for part, own, grade, source in parts:
        record = part.get("proof_record")
        if part.get("proof") not in {"exact", "near"} or not isinstance(record, Mapping):
            continue
        claim = {
            "kind": part["proof"],
            "similarity": part.get("proof_similarity"),
            "characters": part.get("proof_characters"),
            "estimated": bool(part.get("proof_estimated")),
            "text": own,
            "is_paragraph": part is not row,
            "passage": [part["start"], part["end"]] if "start" in part else None,
            "words": arguments.near.words,
            "threshold": arguments.near.threshold,
            "grade": "D" if arguments.grade == "B" else arguments.grade,
            "date_sources": arguments.date_sources,
        }
        yield {
            "row": number,
            "role": PROVEN,
            **{name: record.get(name) for name in ("file", "offset", "skip")},
            "payload_digest": record.get("digest"),
            "url": part.get("proof_url"),
            "captured_at": _moment(part.get("proof_date")),
            "grade": grade,
            "date_source": source,
            "claim": json.dumps(claim),
        }


def _paragraphs(
    arguments: Arguments, row: Mapping[str, Any], text: str
) -> Iterator[tuple[Mapping[str, Any], str, None, None]]:
    """Yield the paragraphs of a row with their texts: the lines that have at least two shingles.

    Raises:
        ValueError: there are more or fewer than the row has.
    """
    from index.certify.paragraphs import LEAST
    from index.passages.kernel import Question

    counted = [(line, len(Question(line).words)) for line in text.split("\n") if line]
    lines = [each for each in counted if each[1] >= arguments.near.words + LEAST - 1]
    for part, (line, words) in zip(row["proof_paragraphs"], lines, strict=True):
        if part.get("words") != words:
            raise ValueError(f"a paragraph of {words} words says that it has {part.get('words')}")
        yield part, line, None, None
