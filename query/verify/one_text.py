"""Check the date of one text of a lake against its records, and tell line by line what agrees.

The verdict is that of `archive verify`, by the same comparison. The lines say what it compared.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from archive.capture import Capture, Reject, Skipped
from archive.engine.sandbox import Service
from archive.evidence.grade import BLOCK, CONTRADICTED, PAYLOAD, UNSTATED
from archive.files import sql_literal
from archive.lake import Lake
from archive.text import content_id as content_id_of
from query.rows import EVIDENCE, instant_text
from query.verify.bounds import may_rest_on_bound
from query.verify.citation import PROOF, TEXT, citations
from query.verify.compare import Outcome, Row, stated_and_found
from query.verify.records import Places, Unit, follow
from query.verify.result import Finding

#: Bytes that the process may allocate which reads the records.
_MEMORY = 1 << 30
_ROW = f"SELECT {EVIDENCE} FROM clean('9999-12-31', grade := '{{grade}}') AS c WHERE content_id = {{id}}"
#: What is compared of a record, by the names of `stated_and_found`, in the order in which they are listed.
_NAMES = {
    "length": "length of the record, in bytes",
    "record": "SHA-256 of the record",
    "digest": "payload digest",
    "record id": "id of the record",
    "record type": "type of the record",
    "url": "address",
    "date": "date",
    "kind of date": "kind of date",
    "operator": "operator",
    "title": "title",
    "robots": "what it says to robots",
}
#: What the digests in a record show of it, and whether it agrees with them.
_INTEGRITY = {
    BLOCK: ("it has the block that they are of", True),
    PAYLOAD: ("it has the payload that they are of", True),
    UNSTATED: ("it states none that can be compared", None),
    CONTRADICTED: ("it is altered: they are of other bytes", False),
}
_ABOUT = {PROOF: "the record that dates the text", TEXT: "the record that holds the text"}
_BOTH = "the record that dates and holds the text"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a row of a lake states, and what its record has."""

    name: str
    stated: str | None
    found: str | None
    agrees: bool | None  #: None: it cannot be compared


@dataclass(frozen=True, slots=True)
class RecordCheck:
    """What came of one record."""

    about: str
    file: str
    offset: int
    skip: int
    kind: str  #: as `Finding.kind`: agrees, gone, differs, unchecked
    detail: str  #: why, where it does not agree
    checks: tuple[Check, ...]


def cite_text(db: duckdb.DuckDBPyConnection, content_id: str) -> pa.Table:
    """Return the citations of the capture that dates a text: of grade D or better, else the first claim.

    No row where no capture dates it, or the lake does not hold its text.

    Args:
        db: a connection of `query.sql`.
    """
    literal = sql_literal(content_id)
    for grade in ("D", "E"):
        row = db.sql(_ROW.format(grade=grade, id=literal)).to_arrow_table()
        if len(row):
            break
    ((confirmed,),) = db.execute(
        f"SELECT count(*) > 0 FROM clean('9999-12-31', grade := 'B') WHERE content_id = {literal}"
    ).fetchall()
    cited = citations(row, list(range(len(row))), row["content_id"].to_pylist())
    return cited.append_column("position", pa.array(range(len(cited)), pa.int64())).append_column(
        "confirmed", pa.array([confirmed] * len(cited), pa.bool_())
    )


def serve() -> Service:
    """Check records in a `Sandbox`.

    A request is `{"cited": a Parquet file of `cite_text`, "lake": …, "versions": …, "network": …}`, the answer the
    fields of each `RecordCheck`.
    """

    def answer(request: Mapping[str, Any]) -> list[dict[str, Any]]:
        lake = Lake(request["lake"]).at(request["versions"])
        found = check(pq.read_table(request["cited"]).to_pylist(), lake, Places(network=request["network"]))
        return [asdict(each) for each in found]

    return Service(answer, _MEMORY)


def check(cited: Iterable[Row], lake: Lake, trust: Places) -> list[RecordCheck]:
    """Read the records that citations name, and compare them."""
    return [_check(citation, lake, trust) for citation in cited]


def _check(citation: Row, lake: Lake, trust: Places) -> RecordCheck:
    from archive.bounds import of_files

    known = of_files(lake) if may_rest_on_bound(citation) else None
    position = citation["position"]
    unit = Unit("", citation["file"], position, position + 1, trust, None, False, known)
    outcomes: list[Outcome] = []
    (finding,) = follow(unit, [citation], lambda _, outcome: outcomes.append(outcome))
    return RecordCheck(
        _ABOUT.get(citation["role"], _BOTH),
        citation["file"],
        citation["offset"],
        citation["skip"],
        finding.kind,
        finding.detail,
        tuple(_lines(citation, outcomes, finding, unit.is_walked)),
    )


def _lines(citation: Row, outcomes: list[Outcome], finding: Finding, is_here: bool) -> Iterable[Check]:
    """Yield what was compared, line by line."""
    at = f"byte {citation['offset']:,}" + (
        f", {citation['skip']:,} decompressed bytes further" * bool(citation["skip"])
    )
    if not outcomes:
        is_file = os.path.isfile(citation["file"].partition("!/")[0]) if is_here else None
        yield Check("file", citation["file"], {True: "found", False: "not there", None: None}[is_file], is_file)
        if is_file:
            yield Check("record", at, "there is none", False)
        return
    outcome = outcomes[0]
    yield Check("file", citation["file"], "found", True)
    yield Check("record", at, "found", True)
    if isinstance(outcome, Reject):
        yield Check("text", citation["content_id"], f"none: {outcome.reason} {outcome.detail}".strip(), False)
    elif isinstance(outcome, Skipped):
        yield Check("text", citation["content_id"], f"none: a record of {outcome.kind} has no page", False)
    elif isinstance(outcome, Capture):
        yield from _of_capture(citation, outcome, finding)
    else:
        yield Check(
            "row of the data set", "its text and its date", finding.detail or "the same", finding.kind == "agrees"
        )


def _of_capture(citation: Row, outcome: Capture, finding: Finding) -> Iterable[Check]:
    held, agrees = _INTEGRITY[outcome.integrity]
    yield Check("digests that the record states of itself", None, held, agrees)
    compared = stated_and_found(citation, outcome)
    for name, words in _NAMES.items():
        if name in compared and compared[name] != (None, None):
            stated, found = compared[name]
            yield Check(words, _written(stated), _written(found), stated == found)
    if citation["role"] != PROOF:
        own = content_id_of(outcome.text) if outcome.text is not None else None
        same_extractor = outcome.extractor == citation["extractor"]
        yield Check("extractor", citation["extractor"], outcome.extractor, True if same_extractor else None)
        is_same = own == citation["content_id"]
        yield Check(
            "content id of its text", citation["content_id"], own, is_same or (False if same_extractor else None)
        )


def _written(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return (
        instant_text(value) if hasattr(value, "astimezone") else f"{value:,}" if isinstance(value, int) else str(value)
    )
