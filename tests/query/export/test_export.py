"""An export is the clean set, whole, once, in an order that only the seed decides."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import pytest
from conftest import members, record, rows, take
from forked import forked, killed
from made import edited, words

from archive.errors import ArchiveError, ExportError
from archive.files import write_parquet
from archive.lake import Lake
from archive.owned import JOURNAL
from archive.tables import DOCUMENTS
from index.neardup import index
from query.export.run import export
from query.export.workplace import Workplace
from query.options import ExportOptions
from query.verify.run import verify

BEFORE = "2022-01-01"


def page(text: str, url: str, date: str, **options: Any) -> bytes:
    return record(url=url, body=f"<html><body><p>{text}</p></body></html>", date=date, **options)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """120 texts of 30 sites over 12 years, some of them near-duplicates on other sites, some too late."""
    folder = tmp_path_factory.mktemp("made")
    dice = random.Random(5)
    lake = Lake(str(folder / "lake"))
    for part in range(3):
        pages = []
        for number in range(part * 40, part * 40 + 40):
            text = words(60, number)
            url = f"http://www.site{number % 30}.co.uk/{number}"
            date = f"{2012 + number % 13}-0{number % 9 + 1}-05T00:00:00Z"
            pages.append(page(" ".join(text), url, date))
            if number % 6 == 0:
                copy = " ".join(edited(text, 1, number))
                pages.append(page(copy, f"http://copy{dice.randrange(9)}.org/{number}", "2021-06-01T00:00:00Z"))
        (folder / f"{part}.warc.gz").write_bytes(members(*pages))
        take(lake, str(folder / f"{part}.warc.gz"))
    index(lake, workers=1)
    return lake


@pytest.fixture(scope="module")
def plain(made: Lake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export without options, in this process: not to be changed."""
    out = tmp_path_factory.mktemp("plain") / "set"
    export(made, out, before=BEFORE, workers=1)
    return out


@pytest.fixture(scope="module")
def small_shards(made: Lake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("small") / "set"
    export(made, out, before=BEFORE, shard_size=3000, workers=1)
    return out


def files(out: Path) -> dict[str, str]:
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }


def table(out: Path, **options: Any) -> pa.Table:
    return pads.dataset([str(path) for path in sorted(out.rglob("*.parquet"))]).to_table(**options)


def test_an_export_holds_the_clean_set_once_with_its_evidence(made: Lake, tmp_path: Path) -> None:
    summary = export(made, tmp_path / "out", before=BEFORE, workers=1)
    clean = rows(made, f"SELECT content_id, text, url, first_seen, file, \"offset\" FROM clean('{BEFORE}') ORDER BY 1")
    names = ["content_id", "text", "url", "captured_at", "file", "offset"]
    found = sorted(tuple(row[name] for name in names) for row in table(tmp_path / "out").to_pylist())
    assert found == clean
    assert summary.rows == len(clean) == len({row[0] for row in clean})
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_bytes())
    assert sum(step["dropped"] for step in manifest["dropped"]) + summary.rows == made.rows("documents")


def test_workers_change_no_byte(made: Lake, tmp_path: Path) -> None:
    options: dict[str, Any] = {"before": BEFORE, "near": True, "shard_size": 9000, "split": "train=0.8,val=0.2"}
    for name, workers in (("one", 1), ("again", 1), ("two", 2)):
        export(made, tmp_path / name, **options, workers=workers)
    assert len(files(tmp_path / "one")) > 8
    assert files(tmp_path / "one") == files(tmp_path / "again") == files(tmp_path / "two")


def test_the_seed_decides_the_order_and_nothing_else(made: Lake, plain: Path, tmp_path: Path) -> None:
    export(made, tmp_path / "1", before=BEFORE, seed=1, workers=1)
    first, second = (table(out)["content_id"].to_pylist() for out in (plain, tmp_path / "1"))
    assert first != second
    assert sorted(first) == sorted(second)


def test_a_larger_sample_begins_with_the_smaller(made: Lake, tmp_path: Path) -> None:
    for share in (0.2, 0.6):
        export(made, tmp_path / str(share), before=BEFORE, sample=share, workers=1)
    small, large = (table(tmp_path / str(share))["content_id"].to_pylist() for share in (0.2, 0.6))
    assert 5 < len(small) < len(large) < 110
    assert large[: len(small)] == small


def test_near_leaves_out_each_text_with_an_earlier_near_duplicate(made: Lake, tmp_path: Path) -> None:
    export(made, tmp_path / "out", before=BEFORE, near=True, workers=1)
    kept = set(table(tmp_path / "out")["content_id"].to_pylist())
    pairs = rows(made, "SELECT content_id, earlier_id FROM duplicates")
    assert len(pairs) > 10
    assert not [pair for pair in pairs if kept.issuperset(pair)]


def test_slices_are_folders_for_each_period(made: Lake, tmp_path: Path) -> None:
    export(made, tmp_path / "out", before=BEFORE, slices="year", workers=1)
    folders = sorted(path.name for path in (tmp_path / "out").iterdir() if path.is_dir())
    assert folders == [str(year) for year in range(2012, 2022)]
    for folder in folders:
        years = {at.year for at in table(tmp_path / "out" / folder)["captured_at"].to_pylist()}
        assert years == {int(folder)}


def shingles(text: str) -> set[tuple[str, ...]]:
    parts = text.split()
    return {tuple(parts[at : at + 5]) for at in range(len(parts) - 4)}


def test_no_site_and_no_near_duplicate_stands_in_two_splits(made: Lake, tmp_path: Path) -> None:
    """By brute force over all pairs."""
    split = (("train", 0.6), ("val", 0.2), ("test", 0.2))
    export(made, tmp_path / "out", before=BEFORE, split=split, workers=1)
    found = [
        (name, row["domain"], shingles(row["text"]))
        for name, _ in split
        for row in table(tmp_path / "out" / name).to_pylist()
    ]
    shares = {name: sum(one == name for one, *_ in found) / len(found) for name, _ in split}
    assert shares == pytest.approx(dict(split), abs=0.1)
    near = 0
    for at, (name, domain, text) in enumerate(found):
        for other_name, other_domain, other in found[:at]:
            similar = len(text & other) / len(text | other) >= 0.8
            near += similar
            assert name == other_name or not (similar or domain == other_domain)
    assert near > 10


def test_splits_need_an_index_that_knows_every_text(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    (tmp_path / "a.warc.gz").write_bytes(members(record()))
    take(lake, str(tmp_path / "a.warc.gz"))
    with pytest.raises(ExportError, match="archive index"):
        export(lake, tmp_path / "out", before=BEFORE, split=(("a", 0.5), ("b", 0.5)), workers=1)
    with pytest.raises(ExportError, match="archive index"):
        export(lake, tmp_path / "out2", before=BEFORE, near=True, workers=1)


def test_texts_that_share_a_13_gram_with_an_evaluation_set_are_dropped_or_marked(made: Lake, tmp_path: Path) -> None:
    stolen = " ".join(words(60, 7)[20:40])
    (tmp_path / "eval.jsonl").write_text(
        json.dumps({"question": f"Which? {stolen.upper()}!", "answers": [" ".join(words(30, 999))]}) + "\n"
    )
    (tmp_path / "clean.txt").write_text(" ".join(words(50, 1000)))
    given = (str(tmp_path / "eval.jsonl"), str(tmp_path / "clean.txt"))
    ((key,),) = rows(made, f"SELECT content_id FROM clean('{BEFORE}') WHERE text LIKE '%{stolen}%'")
    export(made, tmp_path / "dropped", before=BEFORE, decontaminate=given, workers=1)
    export(made, tmp_path / "marked", before=BEFORE, decontaminate=given, mark=True, workers=1)
    assert key not in table(tmp_path / "dropped")["content_id"].to_pylist()
    marked = {row["content_id"]: row["contaminated"] for row in table(tmp_path / "marked").to_pylist()}
    assert {name: sets for name, sets in marked.items() if sets} == {key: ["eval.jsonl"]}
    manifest = json.loads((tmp_path / "dropped" / "manifest.json").read_bytes())
    assert manifest["contamination"] == {"eval.jsonl": 1}
    least = hashlib.md5(f"0:{key}".encode()).hexdigest()
    share = int(least, 16) / 2**128 / 2  # a sample without it
    export(made, tmp_path / "sample", before=BEFORE, decontaminate=given, mark=True, sample=share, workers=1)
    assert verify(tmp_path / "sample", rows=0, workers=1).sound


@pytest.mark.parametrize("content", [b"", b"too short a text", b'{"a": 1}\n'])
def test_an_evaluation_set_without_13_words_is_an_error(made: Lake, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "eval.jsonl").write_bytes(content)
    with pytest.raises(ExportError, match="13 words"):
        export(made, tmp_path / "out", before=BEFORE, decontaminate=(str(tmp_path / "eval.jsonl"),), workers=1)


def test_addresses_are_masked_on_request(lake: Lake, write: Callable[[str, bytes], str], tmp_path: Path) -> None:
    take(lake, write("a.warc.gz", members(record(body="<p>Write to jane.doe@site.org at 8.8.8.8 now</p>"))))
    export(lake, tmp_path / "out", before=BEFORE, mask=True, workers=1)
    (row,) = table(tmp_path / "out").to_pylist()
    assert (row["text"], row["masked"]) == ("Write to email@example.com at 192.0.2.1 now", 2)
    assert row["content_id"] == hashlib.sha256(b"Write to jane.doe@site.org at 8.8.8.8 now").hexdigest()


def test_a_revisit_as_proof_cites_the_record_with_the_text_too(
    lake: Lake, write: Callable[[str, bytes], str], tmp_path: Path
) -> None:
    late = record(body="<p>Some words of text.</p>", date="2023-01-01T00:00:00Z")
    digest = next(line for line in late.decode().splitlines() if line.startswith("WARC-Payload-Digest")).split(": ")[1]
    early = record(kind="revisit", body="", date="2015-01-01T00:00:00Z", warc={"WARC-Payload-Digest": digest})
    take(lake, write("late.warc.gz", members(late)))
    take(lake, write("early.warc.gz", members(early)))
    export(lake, tmp_path / "out", before=BEFORE, workers=1)
    (row,) = table(tmp_path / "out").to_pylist()
    assert (row["record_type"], row["captured_at"].year) == ("revisit", 2015)
    assert row["file"].endswith("early.warc.gz")
    assert row["text_file"].endswith("late.warc.gz")


def test_a_lake_on_s3_gives_the_same_set(made: Lake, plain: Path, tmp_path: Path, s3: str, server: str) -> None:
    client = boto3.client("s3", endpoint_url=server)
    for path in Path(made.location).rglob("*"):
        if path.is_file():
            client.upload_file(str(path), s3, f"lake/{path.relative_to(made.location)}")
    export(Lake(f"s3://{s3}/lake"), tmp_path / "s3", before=BEFORE, workers=2)
    columns = ["content_id", "text", "url", "captured_at", "file", "offset"]
    assert table(tmp_path / "s3", columns=columns) == table(plain, columns=columns)


# -- conditions ------------------------------------------------------------------------------------


def test_a_condition_in_sql_chooses_texts(made: Lake, tmp_path: Path) -> None:
    where = "url LIKE '%site3.%' -- a comment"
    summary = export(made, tmp_path / "out", before=BEFORE, where=where, workers=1)
    assert set(table(tmp_path / "out")["domain"].to_pylist()) == {"site3.co.uk"}
    assert summary.dropped[-1].name == f"not where {where}"


@pytest.mark.parametrize(
    "where",
    [
        "nonsense",
        "1 = 1) ; SELECT (1 = 1",
        "url IN (SELECT content FROM read_text('/etc/passwd'))",
        "url IN (FROM '/etc/passwd')",
        "1 = 1); COPY (SELECT 1) TO '/tmp/never'; SELECT (1",
        "content_id IN (WITH x AS (COPY (SELECT 1) TO '/tmp/never') SELECT 'a')",
        "getenv('HOME') IS NOT NULL",
        "(",
    ],
)
def test_a_condition_that_is_none_or_reaches_out_is_an_error(made: Lake, tmp_path: Path, where: str) -> None:
    with pytest.raises(ExportError):
        export(made, tmp_path / "out", before=BEFORE, where=where, workers=1)


@pytest.mark.parametrize(
    "options",
    [
        {"before": "yesterday"},
        {"before": BEFORE, "after": "2023-01-01"},
        {"before": BEFORE, "sample": 0.0},
        {"before": BEFORE, "sample": 3.0},
        {"before": BEFORE, "format": "csv"},
        {"before": BEFORE, "format": "megatron"},
        {"before": BEFORE, "max_tokens": 5},
        {"before": BEFORE, "split": (("a", 0.5), ("b", 0.4))},
        {"before": BEFORE, "split": (("a", 0.5), ("a", 0.5))},
        {"before": BEFORE, "split": (("../a", 0.5), ("b", 0.5))},
        {"before": BEFORE, "mark": True},
    ],
)
def test_arguments_that_make_no_sense_are_errors(options: dict[str, Any]) -> None:
    with pytest.raises(ExportError):
        ExportOptions(**options)


def test_an_empty_set_is_an_error_that_says_why(made: Lake, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="no acceptable capture before 2001"):
        export(made, tmp_path / "out", before="2001-01-01", workers=1)


# -- the folder ------------------------------------------------------------------------------------


def test_a_folder_that_holds_something_else_is_left_alone(made: Lake, plain: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    with pytest.raises(ExportError, match=r"holds thesis\.tex, which `archive export` did not make"):
        export(made, tmp_path / "mine", before=BEFORE, workers=1)
    before = files(plain)
    with pytest.raises(ExportError, match="finished export"):
        export(made, plain, before=BEFORE, workers=1)
    assert files(plain) == before


#: Where an export is killed, in this order: just before the first file operation of each kind.
MOMENTS = [
    r"os\.rename .*/identity\.json$",
    r"os\.rename .*/plan\.json$",
    r"os\.rename .*/planned$",
    r"os\.rename .*/spill/\d+\.json$",
    r"os\.rename .*/train/train-\d+\.parquet$",
    r"open .*/done/\d+\.json\.part w",
    r"os\.rename .*/done/\d+\.json$",
    r"open .*/distribution\.svg\.part w",
    r"os\.rename .*/README\.md$",
    r"os\.rename .*/manifest\.json$",
]


def test_killed_at_any_moment_the_same_command_gives_the_same_bytes(made: Lake, tmp_path: Path) -> None:
    options = ["--lake", made.location, "--before", BEFORE, "--near", "--shard-size", "3000", "--workers", "2"]
    started = time.monotonic()
    forked("export", str(tmp_path / "whole"), *options)
    seconds = time.monotonic() - started
    out = tmp_path / "out"
    args = ["export", str(out), *options]
    for moment in MOMENTS:
        assert forked(*args, kill=moment, check=False).returncode == -9, moment
        assert not (out / "manifest.json").exists()
    forked(*args)
    assert files(out) == files(tmp_path / "whole")
    # now the command alone, wherever it happens to be
    args[1] = str(tmp_path / "other")
    for part in range(2):
        if not killed(args, seconds * (0.3 + 0.4 * part), tmp_path / "said"):
            break
        if (tmp_path / "other" / "manifest.json").exists():  # the last thing that is written
            break
    if not (tmp_path / "other" / "manifest.json").exists() or (tmp_path / "other" / ".work").exists():
        forked(*args)
    assert files(tmp_path / "other") == files(tmp_path / "whole")


@pytest.mark.parametrize("stage", ["shuffle", "write_shards"])
def test_killed_between_two_shards_it_goes_on_behind_them(
    made: Lake, small_shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    from query.export import shuffle, write_shards

    options: dict[str, Any] = {"before": BEFORE, "shard_size": 3000}
    module = {"shuffle": shuffle, "write_shards": write_shards}[stage]
    work, done = module.work, 0

    def dying(*args: Any) -> Any:
        nonlocal done
        if done == (1 if stage == "write_shards" else 0):
            raise KeyboardInterrupt
        done += 1
        return work(*args)

    with monkeypatch.context() as patch:
        patch.setattr(module, "work", dying)
        with pytest.raises(KeyboardInterrupt):
            export(made, tmp_path / "out", **options, workers=1)
    assert not (tmp_path / "out" / "manifest.json").exists()
    with pytest.raises(ExportError, match="other values of: seed"):
        export(made, tmp_path / "out", before=BEFORE, shard_size=3000, seed=3, workers=1)
    export(made, tmp_path / "out", **options, workers=1)
    assert files(tmp_path / "out") == files(small_shards)


def test_a_file_that_was_changed_between_a_kill_and_its_repetition_is_not_published(made: Lake, tmp_path: Path) -> None:
    args = ["export", str(tmp_path / "out"), "--before", BEFORE, "--lake", made.location]
    assert forked(*args, kill=r"os\.link .*/train-\d+\.parquet$", check=False).returncode == -9
    (shard,) = (tmp_path / "out").rglob("train-*.parquet")
    shard.write_bytes(b"junk")
    done = forked(*args, check=False)
    assert (done.returncode, "is not the file that this export wrote" in done.stderr) == (2, True), done.stderr
    assert shard.read_bytes() == b"junk"
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_what_comes_into_the_lake_meanwhile_changes_nothing_of_an_unfinished_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from query.export import write_shards

    lake = Lake(str(tmp_path / "lake"))
    for name, date in (("a", "2015-01-01"), ("b", "2014-01-01")):
        text = "The same words in both." if name == "b" else "Others."
        (tmp_path / f"{name}.warc.gz").write_bytes(
            members(
                page(text, "http://a.org/", f"{date}T00:00:00Z"), page("Others.", "http://b.org/", f"{date}T00:00:00Z")
            )
        )
    take(lake, str(tmp_path / "a.warc.gz"))
    export(lake, tmp_path / "whole", before=BEFORE, workers=1)
    with monkeypatch.context() as patch:
        patch.setattr(write_shards, "work", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            export(lake, tmp_path / "out", before=BEFORE, workers=1)
    take(lake, str(tmp_path / "b.warc.gz"))
    export(lake, tmp_path / "out", before=BEFORE, workers=1)
    assert files(tmp_path / "out") == files(tmp_path / "whole")


def test_a_full_disk_is_one_line_and_leaves_no_half_shard(made: Lake, plain: Path, tmp_path: Path) -> None:
    """Files may not grow beyond 20 kB: what a full disk does, without one."""
    out = tmp_path / "out"
    options = ["--lake", made.location, "--before", BEFORE, "--workers", "1", "--quiet"]

    done = forked("export", str(out), *options, largest_file=20_000, check=False)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert done.stderr.startswith("archive: ")
    assert [path.name for path in out.glob("*") if path.name != ".work"] in ([], [JOURNAL])
    assert forked("export", str(out), *options).returncode == 0
    assert files(out) == files(plain)


def test_a_disk_that_is_really_full_is_said(made: Lake, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=150k", "tmpfs", str(small)], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        options = ["--lake", made.location, "--before", BEFORE, "--quiet", "--workers", "1"]
        done = forked("export", str(small / "out"), *options, check=False)
        assert done.returncode == 2
        assert "full" in done.stderr or "No space left" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
        assert {path.name for path in (small / "out").glob("*")} <= {".work", JOURNAL}
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_two_at_once_into_one_folder_is_an_error(made: Lake, tmp_path: Path) -> None:
    with (
        Workplace(tmp_path / "out").open({}),
        pytest.raises(ExportError, match="another process is at work in it"),
    ):
        export(made, tmp_path / "out", before=BEFORE, workers=1)
    assert not (tmp_path / "out").exists()


def test_killed_behind_the_last_step_it_is_whole(
    made: Lake, plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Workplace, "finish", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            export(made, tmp_path / "out", before=BEFORE, workers=1)
    other = Lake(str(tmp_path / "other"))
    (tmp_path / "a.warc.gz").write_bytes(members(page("Another text.", "http://a.org/", "2015-01-01T00:00:00Z")))
    take(other, str(tmp_path / "a.warc.gz"))
    shutil.copytree(tmp_path / "out", tmp_path / "again", copy_function=shutil.copy2)
    with pytest.raises(ExportError, match="holds a finished export"):  # the set of another lake is not this one's
        export(other, tmp_path / "again", before=BEFORE, workers=1)
    assert files(tmp_path / "again") == files(plain)
    assert export(made, tmp_path / "out", before=BEFORE, workers=1).rows > 100
    assert files(tmp_path / "out") == files(plain)


@pytest.mark.parametrize(
    "where",
    ["random() < 0.5", "first_seen < now()", "first_seen < current_timestamp", "first_seen < current_localtimestamp()"],
)
def test_a_condition_that_changes_with_each_run_is_an_error(made: Lake, tmp_path: Path, where: str) -> None:
    with pytest.raises(ExportError, match="another answer each time"):
        export(made, tmp_path / "out", before=BEFORE, where=where, workers=1)


def test_a_condition_cannot_leave_its_place(made: Lake, tmp_path: Path) -> None:
    where = "true\n) UNION ALL SELECT * FROM clean('2030-01-01') WHERE (true"
    with pytest.raises(ExportError, match=r"not (one|a) condition"):
        export(made, tmp_path / "out", before=BEFORE, where=where, workers=1)


def test_a_condition_on_quality_needs_the_signals_of_every_text(made: Lake, tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="archive quality"):
        export(made, tmp_path / "out", before=BEFORE, where="stop_words > 1", workers=1)


@pytest.mark.parametrize("there", [False, True])
def test_an_export_that_fails_leaves_nothing_behind(made: Lake, tmp_path: Path, there: bool) -> None:
    out = tmp_path / "far" / "out"
    if there:
        out.mkdir(parents=True)
    wrong: list[dict[str, Any]] = [{"before": "2001-01-01"}, {"where": "nonsense"}, {"sample": 1e-30}]
    for options in wrong:
        with pytest.raises(ExportError):
            export(made, out, **{"before": BEFORE, **options}, workers=1)
        assert list(tmp_path.rglob("*")) == ([out.parent, out] if there else [])


def test_a_mistaken_condition_does_not_spoil_the_folder(made: Lake, tmp_path: Path) -> None:
    with pytest.raises(ExportError):
        export(made, tmp_path / "out", before=BEFORE, where="nonsense", workers=1)
    assert export(made, tmp_path / "out", before=BEFORE, where="words > 1", workers=1).rows > 100


def test_a_text_of_another_id_is_never_written(made: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Should a plan and the files of the lake ever disagree."""
    from query.export import shuffle

    laid_out = shuffle._by_shard

    def shuffled(held: pa.Table) -> Any:
        for shard, part in laid_out(held):
            yield (
                shard,
                part.set_column(
                    1, "text", pa.chunked_array([part["text"].combine_chunks().to_pylist()[::-1]], pa.large_string())
                ),
            )

    monkeypatch.setattr(shuffle, "_by_shard", shuffled)
    with pytest.raises(ArchiveError, match="not that of its content id"):
        export(made, tmp_path / "out", before=BEFORE, workers=1)


def test_a_text_that_is_in_the_lake_twice_is_an_error(made: Lake, tmp_path: Path) -> None:
    shutil.copytree(made.location, tmp_path / "lake")
    lake = Lake(str(tmp_path / "lake"))
    documents = pa.concat_tables(lake.read_files("documents", lake.files("documents"), DOCUMENTS.schema.names))
    proven = rows(lake, f"SELECT content_id FROM clean('{BEFORE}') ORDER BY 1 LIMIT 1")[0][0]
    again = documents.filter(pc.equal(documents["content_id"], proven))
    lake.commit(DOCUMENTS, [write_parquet(lake, DOCUMENTS, again, "again")], [])
    with pytest.raises(ExportError, match="in the lake more than once"):
        export(lake, tmp_path / "out", before=BEFORE, workers=1)
    assert not list((tmp_path / "out").rglob("*"))


def test_the_shares_of_splits_are_told_as_they_are_dealt_out(made: Lake, tmp_path: Path) -> None:
    args = ["export", str(tmp_path / "out"), "--before", BEFORE, "--split", "train=0.7,test=0.3", "--quiet"]
    told = forked(*args, "--lake", made.location).stdout
    chars = {split: sum(map(len, table(tmp_path / "out" / split)["text"].to_pylist())) for split in ("train", "test")}
    for split, share in (("train", 0.7), ("test", 0.3)):
        assert f"in {split}: {chars[split] / sum(chars.values()):.3f} of the characters ({share} asked for), 0." in told


def test_the_card_says_the_whole_moment(made: Lake, tmp_path: Path) -> None:
    export(made, tmp_path / "out", before="2020-01-01T10:30:00+02:00", workers=1)
    card = (tmp_path / "out" / "README.md").read_text()
    assert "# Texts that provably existed before 2020-01-01T08:30:00+00:00" in card
    assert "before 2020-01-01\n" not in card


def test_an_empty_folder_that_a_link_leads_to_is_taken(made: Lake, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    export(made, tmp_path / "link", before=BEFORE, workers=1)
    assert (tmp_path / "real" / "manifest.json").exists()
    assert (tmp_path / "link").is_symlink()
