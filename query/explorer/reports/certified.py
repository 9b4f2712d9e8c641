"""A data set that `archive certify` judged: how many of its rows are proven."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from archive.show import count_of
from index.certify.result import MANIFEST, RowCounts
from query.explorer.reports.bounded import read_json, some

#: The most files that are listed.
_FILES = 200


@dataclass(frozen=True, slots=True)
class _Stated:
    """What the manifest states of a file."""

    rows: int
    proof: dict[str, int]
    proof_by_year: dict[str, dict[str, int]]
    paragraphs: dict[str, int]
    problems: dict[str, int]
    bytes: int
    sha256: str
    proof_by_grade: dict[str, dict[str, int]] | None = None  #: None: an earlier version wrote it
    words: int = 0
    known_words: int = 0


@dataclass(frozen=True, slots=True)
class CertifiedFile:
    """A file that was judged."""

    name: str
    rows: int
    proven: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class CertifyReport:
    """What `certify` found."""

    arguments: dict[str, Any]  #: all that the result depends on
    rows: int
    proof: dict[str, int]  #: exact, near, none -> rows
    proof_by_year: dict[str, dict[str, int]]
    proof_by_grade: dict[str, dict[str, int]]
    paragraphs: dict[str, int]
    words: int
    known_words: int
    problems: dict[str, int]
    files_in_all: int
    files: tuple[CertifiedFile, ...]  #: the first of them


def read(folder: Path) -> tuple[str, CertifyReport]:
    """Return the headline of a certified data set, and the counts of all its files.

    Raises:
        OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError: its manifest cannot be read.
    """
    manifest = read_json(folder, MANIFEST)
    arguments, files = manifest["arguments"], manifest["files"]
    if not isinstance(arguments, dict) or not isinstance(files, dict):
        raise ValueError("it is no manifest of `archive certify`")
    all_rows, listed = RowCounts(), []
    for name, about in files.items():
        stated = some(_Stated, about)
        all_rows.add(RowCounts.from_json({**asdict(stated), "proof_by_grade": stated.proof_by_grade or {}}))
        proven = sum(count for kind, count in stated.proof.items() if kind != "none")
        listed.append(CertifiedFile(name, stated.rows, proven, stated.bytes, stated.sha256))
    proven = sum(each.proven for each in listed)
    before = str(arguments["before"]).removesuffix("T00:00:00+00:00")
    return f"{proven:,} of {count_of(all_rows.rows, 'row')} existed before {before}", CertifyReport(
        arguments=arguments,
        rows=all_rows.rows,
        proof=dict(all_rows.proof),
        proof_by_year=_nested(all_rows.proof_by_year),
        proof_by_grade=_nested(all_rows.proof_by_grade),
        paragraphs=dict(all_rows.paragraphs),
        words=all_rows.words,
        known_words=all_rows.known_words,
        problems=dict(all_rows.problems),
        files_in_all=len(listed),
        files=tuple(listed[:_FILES]),
    )


def _nested(counts: dict[str, Counter[str]]) -> dict[str, dict[str, int]]:
    return {name: dict(each) for name, each in sorted(counts.items())}
