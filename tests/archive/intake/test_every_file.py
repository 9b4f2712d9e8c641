"""Every file of the shared data goes through one ingest: nothing crashes, every record is accounted for."""

from __future__ import annotations

import csv
from pathlib import Path

import duckdb
import pytest
from conftest import rows, take
from peers import text_captures

import query
from archive.lake import Lake

FOLDERS = ("commoncrawl", "sites", "wacz", "awkward", "broken-wet", "jsonl")
TABLE = Path(__file__).parent / "expected_counts.tsv"


def expected() -> list[dict[str, str]]:
    with TABLE.open() as file:
        return list(csv.DictReader((line for line in file if not line.startswith("#")), delimiter="\t"))


@pytest.fixture(scope="module")
def everything(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = Lake(str(tmp_path_factory.mktemp("every") / "lake"))
    take(lake, *(str(data / folder) for folder in FOLDERS), workers=2)
    return lake


@pytest.fixture(scope="module")
def asked(everything: Lake) -> duckdb.DuckDBPyConnection:
    return query.connect(everything)


@pytest.fixture(scope="module")
def counts(asked: duckdb.DuckDBPyConnection, data: Path) -> dict[str, tuple[int, int]]:
    sql = "SELECT split_part(file, '!/', 1), sum(records)::INT, sum(captures)::INT FROM sources GROUP BY 1"
    return {str(Path(file).relative_to(data)): (n, c) for file, n, c in asked.execute(sql).fetchall()}


def test_records_and_captures_of_each_file_are_as_in_the_table(counts: dict[str, tuple[int, int]]) -> None:
    table = {row["file"]: (int(row["records"]), int(row["captures"])) for row in expected()}
    assert counts == table


@pytest.mark.parametrize("row", [row for row in expected() if row["warcio"] != "-"], ids=lambda row: row["file"])
def test_captures_are_the_text_responses_that_warcio_counts(data: Path, row: dict[str, str]) -> None:
    counted = sum(text_captures(data / row["file"]).values())
    assert counted == int(row["warcio"])
    assert counted == int(row["captures"]) or row["note"], "a difference needs a reason"


def test_rows_in_the_tables_add_up_with_the_ledger(asked: duckdb.DuckDBPyConnection) -> None:
    ((records, captures),) = rows(asked, "SELECT sum(records), sum(captures) FROM sources")
    ((in_table,),) = rows(asked, "SELECT count(*) FROM captures")
    ((rejects,),) = rows(asked, "SELECT count(*) FROM rejects")
    ((skipped,),) = rows(asked, "SELECT sum(list_sum(map_values(skipped))) FROM sources")
    assert captures == in_table
    assert records == captures + rejects + skipped


def test_arc_files_that_warcio_gives_up_on_are_read_to_the_end(counts: dict[str, tuple[int, int]]) -> None:
    assert counts["commoncrawl/CC-2008-1213893279526_0.arc"][0] == 146
    assert counts["commoncrawl/CC-2009-1262850551027_8.arc"][0] == 9


def test_every_text_is_stored_once_under_the_hash_of_itself(asked: duckdb.DuckDBPyConnection) -> None:
    assert rows(asked, "SELECT count(*) FROM documents WHERE content_id != sha256(text)") == [(0,)]
    assert rows(asked, "SELECT count(*) - count(DISTINCT content_id) FROM documents") == [(0,)]


def test_every_capture_with_a_text_leads_to_a_document(asked: duckdb.DuckDBPyConnection) -> None:
    sql = "SELECT count(*) FROM captures ANTI JOIN documents USING (content_id) WHERE content_id IS NOT NULL"
    assert rows(asked, sql) == [(0,)]


#: file, and what its captures must say: (date_problem, first date, last date)
TRAPS = {
    "commoncrawl/wayback-null-warc-date.warc.gz": (None, "2008", "2014"),
    "commoncrawl/clueweb09-sample.warc.gz": ("unparsable", None, None),  # 2009-03-65
    "awkward/PyWARC/sample.warc.gz": ("unparsable", None, None),  # 2009-03-67
    "awkward/chatnoir-resiliparse/clueweb-quirk.warc.gz": ("unparsable", None, None),
    "awkward/CDX-Writer/hex_instead_of_date.arc.gz": ("unparsable", None, None),
    # all fetched at 02:02:41; the clocks of five servers are later, and the later date counts
    "commoncrawl/CC-2008-1213893279526_0.arc": (None, "2008-05-10T02:02:41", "2008-05-10T10"),
    "commoncrawl/CC-2009-1262850551027_8.arc": (None, "2009-11-21T01:41", "2009-11-21T10"),
    "commoncrawl/CC-MAIN-2020-34-sample.warc.gz": (None, "2020-08-08", "2020-08-09"),
    "broken-wet/fragment2_no_header.wet.gz": ("recovered", "2016", "2018"),
}


@pytest.mark.parametrize("file", TRAPS)
def test_dates_of_real_traps_are_right_or_prove_nothing(asked: duckdb.DuckDBPyConnection, file: str) -> None:
    problem, after, before = TRAPS[file]
    found = rows(asked, f"SELECT DISTINCT date_problem FROM captures WHERE file LIKE '%/{file}'")
    assert found == [(problem,)]
    if after:
        ((low, high),) = rows(
            asked, f"SELECT min(captured_at), max(captured_at) FROM captures WHERE file LIKE '%/{file}'"
        )
        assert after <= low.isoformat()
        assert high.isoformat() <= before


def test_a_replayed_page_without_a_date_has_the_date_and_the_url_of_its_replay_address(
    asked: duckdb.DuckDBPyConnection,
) -> None:
    sql = """SELECT date_source, url, via, strftime(captured_at, '%Y%m%d%H%M%S') FROM captures
             WHERE file LIKE '%/wayback-null-warc-date.warc.gz'"""
    found = rows(asked, sql)
    assert len(found) == 128
    for source, url, via, stamp in found:
        assert source == "cdx"
        assert f"/web/{stamp}/" in via
        assert via.endswith(url.partition("://")[2])


def test_nothing_with_a_date_problem_is_proof(asked: duckdb.DuckDBPyConnection) -> None:
    sql = """SELECT count(*) FROM documents WHERE first_seen IS NOT NULL AND content_id NOT IN
             (SELECT content_id FROM captures WHERE date_problem IS NULL AND content_id IS NOT NULL)"""
    assert rows(asked, sql) == [(0,)]
    assert rows(asked, "SELECT count(*) FROM captures WHERE (month = 'unproven') != (date_problem IS NOT NULL)") == [
        (0,)
    ]
