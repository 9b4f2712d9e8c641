"""What was brought in can be taken out again, whatever is killed or runs at once; and no text that others hold goes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from conftest import examples, members, record, rows, snapshot, take
from dying import Killed, killed_at_step
from forked import forked
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import archive
from archive.errors import LakeError, SourceError
from archive.intake import decisions
from archive.intake.commit import Committer
from archive.intake.forget import forget, sweep
from archive.intake.part import Part
from archive.intake.unit import Batch
from archive.lake import Lake
from archive.sources import list_files

Write = Callable[[str, bytes], str]


def page(number: int, date: str = "2015-03-04T05:06:07Z") -> bytes:
    return record(url=f"http://e.example/{number}", body=f"<p>The text of page {number}.</p>", date=date)


def test_what_a_source_brought_goes_and_what_others_hold_stays(lake: Lake, write: Write) -> None:
    one, two = write("one.warc.gz", members(page(1), page(2))), write("two.warc.gz", members(page(2), page(3)))
    take(lake, two)
    without = snapshot(lake)
    take(lake, one)
    gone = forget(lake, one)
    assert (gone.files, gone.captures, gone.texts) == ([one], 2, 1)
    assert snapshot(lake) == without
    assert rows(lake, "SELECT count(*) FROM sources") == [(1,)]
    assert take(lake, one).captures == 2  # it comes in again, though it was there before
    assert rows(lake, "SELECT count(*), count(DISTINCT content_id) FROM documents") == [(3, 3)]
    assert take(lake, one).files_skipped == 1


def test_a_text_that_went_is_new_to_an_ingest_that_knew_it(lake: Lake, write: Write) -> None:
    """A committer holds known texts in memory; one that ran before somebody forgot them must not trust that."""
    first, other = write("first.warc", page(1)), write("other.warc", page(2))
    again = write("again.warc", page(1, "2016-01-01T00:00:00Z"))
    parts: list[tuple[Batch, Part]] = []
    original = Committer.commit_all

    def late(self: Committer, group: list[tuple[Batch, Part]]) -> Any:
        parts.extend(group)
        if len(parts) == 3:  # it has learned the first text at its second commit
            forget(lake, first)
        return original(self, group)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Committer, "commit_all", late)
        patch.setattr("archive.intake.run._PAUSE", 0.0)  # each part alone
        patch.setattr("archive.intake.plan._BATCH_FILES", 1)
        take(lake, first, other, again)
    assert len(parts) == 3
    assert rows(lake, "SELECT text IS NOT NULL, captures FROM documents") == [(True, 1)] * 2
    assert rows(lake, "SELECT count(*) FROM clean('2017-01-01')") == [(2,)]


@given(st.lists(st.tuples(st.sampled_from(["ingest", "forget"]), st.integers(0, 3)), min_size=1, max_size=6))
@settings(max_examples=examples(4), deadline=None, suppress_health_check=list(HealthCheck))
def test_any_order_of_ingests_and_forgets_leaves_what_the_sources_that_are_in_hold(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    folder = tmp_path_factory.mktemp("order")
    files = []
    for number in range(4):  # each shares a text with the next
        path = folder / f"{number}.warc"
        path.write_bytes(page(number) + page(number + 1))
        files.append(str(path))
    lake, there = Lake(str(folder / "lake")), set()
    for action, number in steps:
        if action == "ingest":
            take(lake, files[number])
            there.add(number)
        elif number in there:
            forget(lake, files[number])
            there.remove(number)
        elif there:
            with pytest.raises(SourceError, match="has nothing of it"):
                forget(lake, files[number])
    if not lake.exists():
        return
    texts = {n for number in there for n in (number, number + 1)}
    assert rows(lake, "SELECT count(*) FROM captures") == [(2 * len(there),)]
    assert rows(lake, "SELECT count(*), count(first_seen) FROM documents") == [(len(texts), len(texts))]
    assert rows(lake, "SELECT count(DISTINCT file) FROM sources") == [(len(there),)]


@pytest.mark.parametrize("at", range(6))
def test_killed_at_any_step_the_next_command_finishes_it(lake: Lake, write: Write, at: int) -> None:
    one, two = write("one.warc.gz", members(page(1), page(2))), write("two.warc.gz", members(page(2), page(3)))
    take(lake, two)
    without = snapshot(lake)
    take(lake, one)

    # `_delete` is called for captures, rejects, documents and the ledger
    with killed_at_step(at, (decisions, "_delete"), (decisions, "_remove_lists")):
        if at < 5:
            with pytest.raises(Killed):
                forget(lake, one)
        else:
            forget(lake, one)
    take(lake, two)  # any command that writes
    assert snapshot(lake) == without
    assert rows(lake, "SELECT count(*) FROM sources WHERE unit LIKE 'forget-%'") == [(0,)]
    assert take(lake, one).captures == 2


def test_ingest_again_replaces_a_wrong_first_try(lake: Lake, tmp_path: Path) -> None:
    source = tmp_path / "pages.jsonl"
    row = {"id": "x", "abstract": "A short one.", "body": "The whole text of it.", "seen": "2014-05-06"}
    source.write_text(json.dumps(row) + "\n")
    wrong = forked("ingest", str(source), "--text-column", "abstract", "--lake", lake.location)
    assert wrong.returncode == 1
    assert "columns are id, abstract, body, seen" in wrong.stdout
    right = ("--text-column", "body", "--date-column", "seen", "--again", "--lake", lake.location)
    assert forked("ingest", str(source), *right).returncode == 0
    dated = "SELECT text, year(captured_at) FROM captures JOIN documents USING (content_id)"
    assert rows(lake, dated) == [("The whole text of it.", 2014)]


def test_the_command_says_what_goes_and_a_dry_run_leaves_it(lake: Lake, write: Write) -> None:
    source = write("a.warc.gz", members(page(1), page(2), record(status="404 Not Found")))
    take(lake, source)
    before = snapshot(lake)
    dry = forked("forget", source, "--dry-run", "--lake", lake.location)
    assert "1 file would go: 2 captures, 1 rejects" in dry.stdout
    assert snapshot(lake) == before
    done = forked("forget", str(Path(source).parent), "--vacuum", "--lake", lake.location)
    assert "2 texts went" in done.stdout
    # of the files that hold the texts, nothing is left on the disk
    left = [pq.read_table(path) for path in Path(lake.location, "documents").rglob("*.parquet")]
    assert sum(table.num_rows for table in left) == 0
    unknown = forked("forget", source, "--lake", lake.location, check=False)
    assert (unknown.returncode, unknown.stderr.count("\n")) == (2, 1)


def test_a_pattern_forgets_what_it_matches_only(lake: Lake, write: Write) -> None:
    for name in ("a/1.warc", "a/2.warc", "a/b/1.warc"):
        write(name, page(hash(name) % 1000))
    folder = str(Path(write("a/0.txt", b"")).parent)
    take(lake, folder)
    assert [Path(file).name for file in forget(lake, f"{folder}/*.warc").files] == ["1.warc", "2.warc"]
    assert len(forget(lake, folder).files) == 2


def test_files_that_an_open_decision_names_survive_a_vacuum_of_ours(lake: Lake, write: Write) -> None:
    source = write("a.warc.gz", members(page(1), page(2)))
    _die_before_apply(lake, source)
    sweep(lake)
    assert rows(lake, "SELECT count(*) FROM documents") == [(2,)]


def test_a_lake_whose_open_decision_lost_its_files_opens_and_reads_them_again(lake: Lake, write: Write) -> None:
    """Killed between decision and apply, and then Delta's own vacuum, with `full=True`."""
    take(lake, write("other.warc", page(7)))
    source = write("a.warc.gz", members(page(1), page(2)))
    _die_before_apply(lake, source)
    for table in ("documents", "captures"):
        lake.delta(table).vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False, full=True)
    assert rows(lake, "SELECT count(*) FROM documents") == [(1,)]
    summary = take(lake, source)
    assert (summary.files, summary.captures, summary.new_texts) == (1, 2, 2)
    assert rows(lake, "SELECT count(*), count(first_seen) FROM documents") == [(3, 3)]


def _die_before_apply(lake: Lake, source: str) -> None:
    class Killed(BaseException):
        pass

    def dying(*_: Any) -> None:
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decisions, "apply", dying)
        with pytest.raises(Killed):
            archive.ingest(lake, source, workers=1)


def test_a_lost_file_of_documents_is_named_and_no_text_taken_for_known(lake: Lake, write: Write) -> None:
    take(lake, write("a.warc", page(1)))
    (name,) = lake.files("documents")
    Path(lake.location, "documents", name).unlink()
    with pytest.raises(LakeError, match=rf"{name}: is lost"):
        take(lake, write("b.warc", page(1, "2016-01-01T00:00:00Z")))


def test_a_lake_from_before_its_decisions_named_their_units_can_be_forgotten(lake: Lake, write: Write) -> None:
    source = write("a.warc.gz", members(page(1)))
    as_json = decisions.Decision.as_json

    def old(self: decisions.Decision) -> str:
        stated = json.loads(as_json(self))
        del stated["units"]
        return json.dumps(stated)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decisions.Decision, "as_json", old)
        _die_before_apply(lake, source)
    for table in ("documents", "captures"):
        lake.delta(table).vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False, full=True)
    assert take(lake, source).captures == 1


@pytest.mark.parametrize("name", ["", " "])
def test_no_name_is_no_source_and_takes_nothing_out(lake: Lake, write: Write, name: str) -> None:
    take(lake, write("a.warc", page(1)))
    for function in (forget, archive.ingest):
        with pytest.raises(SourceError, match="a source without a name"):
            function(lake, name)
    assert rows(lake, "SELECT count(*) FROM captures") == [(1,)]


@pytest.mark.parametrize(
    "pattern", ["*.warc", "[!a].warc", "?.warc", "[a-b]*", "**/*.warc", "**", "a/*", ".h*", "[z-a].warc", "[", "a*"]
)
def test_a_pattern_forgets_what_it_would_ingest(lake: Lake, write: Write, pattern: str) -> None:
    for number, name in enumerate(
        ("a.warc", "b.warc", "ab.warc", ".hid.warc", "a/c.warc", "a/d/e.warc", "a*.warc", ".h/x.warc")
    ):
        write(name, page(number))
    folder = Path(write("0", b"")).parent
    Path(folder, "0").unlink()
    take(lake, str(folder), f"{folder}/.hid.warc", f"{folder}/.h/x.warc")
    try:
        named = {file.uri for file in list_files(f"{folder}/{pattern}") if file.uri.endswith(".warc")}
    except SourceError:
        named = set()
    try:
        gone = set(forget(lake, f"{folder}/{pattern}", dry_run=True).files)
    except SourceError:
        gone = set()
    assert gone == named


def test_a_folder_forgets_what_came_through_its_links(lake: Lake, write: Write) -> None:
    other = write("elsewhere/x.warc", page(1))
    folder = Path(write("crawl/a.warc", page(2))).parent
    (folder / "link.warc").symlink_to(other)
    take(lake, str(folder))
    assert len(forget(lake, folder).files) == 2
    assert rows(lake, "SELECT count(*) FROM documents") == [(0,)]


def test_ingest_again_takes_out_nothing_that_it_cannot_read_again(lake: Lake, tmp_path: Path) -> None:
    source = tmp_path / "pages.jsonl"
    source.write_text(json.dumps({"text": "Some words.", "date": "2014-05-06"}) + "\n")
    take(lake, str(source))
    before = snapshot(lake)
    done = forked("ingest", str(source), "--again", "--date-column", "crawled", "--lake", lake.location)
    assert done.returncode == 1
    assert snapshot(lake) == before


def test_a_source_of_no_use_is_told_each_time(lake: Lake, tmp_path: Path) -> None:
    for name, row in {"textless": {"a": 1}, "undated": {"text": "Some words."}}.items():
        source = tmp_path / f"{name}.jsonl"
        source.write_text(json.dumps(row) + "\n")
        for _ in range(2):
            assert list(take(lake, str(source)).sources_useless) == [str(source)]


def test_a_file_that_is_forgotten_while_it_comes_in_leaves_no_hole(lake: Lake, write: Write) -> None:
    source = write("big.warc", b"".join(page(number) for number in range(400)))
    original, commits = Committer.commit_all, 0

    def late(self: Committer, group: list[tuple[Batch, Part]]) -> Any:
        nonlocal commits
        commits += 1
        if commits == 3:
            forget(lake, source)
        return original(self, group)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Committer, "commit_all", late)
        patch.setattr("archive.intake.run._PAUSE", 0.0)  # each part alone
        summary = take(lake, source, span=50_000)
    assert commits > 3
    assert "taken out meanwhile" in summary.files_failed[source]
    assert rows(lake, "SELECT count(*) FROM captures") == [(0,)]
    assert take(lake, source, span=50_000).captures == 400
    assert rows(lake, "SELECT count(*), count(DISTINCT url) FROM captures") == [(400, 400)]


def test_a_hole_in_a_file_is_filled_by_the_next_ingest(lake: Lake, write: Write) -> None:
    source = write("big.warc", b"".join(page(number) for number in range(400)))
    take(lake, source, span=50_000)
    units = lake.read("sources", ["unit", "start"]).sort_by("start")["unit"].to_pylist()
    decisions.take_out(lake, units[1:3])
    take(lake, source, span=50_000)
    assert rows(lake, "SELECT count(*), count(DISTINCT url) FROM captures") == [(400, 400)]
    assert rows(lake, "SELECT count(*) FROM documents") == [(400,)]


def test_who_relied_on_a_text_of_a_lost_decision_is_read_again_too(lake: Lake, write: Write) -> None:
    """The first ingest dies with its decision; the second drops its copy of the text, which then is swept away."""
    first, second = write("first.warc", page(1)), write("second.warc", page(1, "2016-01-01T00:00:00Z"))
    _die_before_apply(lake, first)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Committer, "recover", lambda _: decisions.CarriedOut())  # it ran before the first one died
        take(lake, second)
    for table in ("documents", "captures"):
        lake.delta(table).vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False, full=True)
    summary = take(lake, write("third.warc", page(3)))
    assert summary.sources_lost == [first, second]
    assert rows(lake, "SELECT count(*) FROM captures") == rows(lake, "SELECT count(*) FROM documents") == [(1,)]
    take(lake, second)
    assert rows(lake, "SELECT count(*), count(first_seen) FROM documents") == [(2, 2)]


def test_keys_are_deleted_in_pieces_each_once(lake: Lake, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decisions, "_KEYS", 3)
    source = write("a.warc", b"".join(page(number) for number in range(10)))
    take(lake, source, write("b.warc", page(99)))
    assert forget(lake, source).texts == 10
    assert rows(lake, "SELECT count(*) FROM documents") == [(1,)]
    assert take(lake, source).captures == 10


def test_files_that_shared_a_commit_with_one_that_was_forgotten_are_known(lake: Lake, write: Write) -> None:
    files = [write(f"{number}.warc", page(number)) for number in range(4)]
    take(lake, *files)
    forget(lake, files[0])
    assert take(lake, *files).files_skipped == 3
