"""`archive share`: which texts are counted, in which month, what is left out, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("numba")
pytest.importorskip("scipy")
pytest.importorskip("markupsafe")

from conftest import record, take, write_byte_tokenizer
from dying import Killed, killed_at
from forked import forked
from pages import captured, lake_of, page, pages

import lowbackground as lb
from archive.errors import ArchiveError, CollapseError
from archive.lake import Lake
from collapse.share import out as folder
from collapse.share.counting.lake_texts import NEAR
from collapse.share.results import ShareResult

MONTHS = ("2020-03", "2021-06", "2022-04", "2023-05")


def counted(result: ShareResult) -> dict[str, int]:
    """Return the texts of each period."""
    return {point.month: point.texts for point in result.series[0].points}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    base = tmp_path_factory.mktemp("shared")
    return lake_of(Lake(str(base / "lake")), base / "sources", pages(MONTHS, 12))


def test_each_text_counts_in_the_month_in_which_it_was_first_seen(made: Lake) -> None:
    result = lb.share(made, workers=1)
    assert counted(result) == dict.fromkeys(MONTHS, 12)
    assert result.texts == 48
    assert result.strata == {"en/article": 48}
    assert not result.warnings
    assert not any(result.left_out.values())
    assert result.versions["captures"] == made.delta("captures").version()


def test_words_of_the_lists_are_counted_for_each_million(lake: Lake, tmp_path: Path) -> None:
    lake_of(lake, tmp_path / "in", [*pages(["2020-03"], 10), *pages(["2023-05"], 10, more="delve")])
    fineweb = lb.share(lake, workers=1).series[0]
    assert fineweb.title == "FineWeb's proxy words"
    before, after = fineweb.points
    assert before.value == 0
    assert after.value == pytest.approx(1e6 / 121)


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ("month", ["2020-03", "2021-06", "2022-04", "2023-05"]),
        ("quarter", ["2020-Q1", "2021-Q2", "2022-Q2", "2023-Q2"]),
        ("year", ["2020", "2021", "2022", "2023"]),
    ],
)
def test_periods_have_the_names_of_what_they_are(made: Lake, by: str, names: list[str]) -> None:
    assert list(counted(lb.share(made, by=by, workers=1))) == names


def test_an_old_text_that_is_captured_again_is_not_new(lake: Lake, tmp_path: Path) -> None:
    text = page(1, 300)
    near = text.replace(text.split()[150], "pebble", 1)
    digest = digest_of(text)
    again = record(
        "http://a.example.org/1", b"", date="2023-06-02T00:00:00Z", kind="revisit",
        warc={"WARC-Payload-Digest": digest, "WARC-Profile": "http://netpreserve.org/warc/1.0/revisit/identical-payload-digest"},
    )  # fmt: skip
    lake_of(
        lake,
        tmp_path / "in",
        [
            captured("http://a.example.org/1", text, "2019-02-01T00:00:00Z"),
            captured("http://a.example.org/1", text, "2023-05-01T00:00:00Z"),
            again,
            captured("http://b.example.com/2", near, "2023-05-02T00:00:00Z"),
            captured("http://c.example.net/3", page(2, 300), "2023-05-03T00:00:00Z"),
        ],
    )
    result = lb.share(lake, workers=1)
    assert counted(result) == {"2019-02": 1, "2023-05": 1}
    assert result.left_out[NEAR] == 1


def digest_of(text: str) -> str:
    import base64
    import hashlib

    body = f"<html><body><p>{text}</p></body></html>".encode()
    return "sha1:" + base64.b32encode(hashlib.sha1(body).digest()).decode()


def test_without_an_index_of_near_duplicates_it_warns(lake: Lake, tmp_path: Path) -> None:
    lake_of(lake, tmp_path / "in", pages(MONTHS, 1), indexed=False)
    (warning,) = lb.share(lake, workers=1).warnings
    assert "was never made" in warning
    lake_of(lake, tmp_path / "in", pages(["2023-07"], 1), indexed=True)
    assert not lb.share(lake, workers=1).warnings
    lake_of(lake, tmp_path / "in", pages(["2023-08"], 1), indexed=False)
    (warning,) = lb.share(lake, workers=1).warnings
    assert "is older than the lake" in warning


def test_texts_that_only_a_claim_dates_are_left_out_and_counted(lake: Lake, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"text": page(7), "date": "2023-03-01", "url": "http://d.example.org/blog/x"}) + "\n")
    lake_of(
        lake, tmp_path / "in", [*pages(MONTHS, 1), captured("http://e.example.org/", page(8), "2099-01-01T00:00:00Z")]
    )
    take(lake, str(rows))
    result = lb.share(lake, workers=1)
    assert result.texts == len(MONTHS)
    assert result.left_out["no capture of grade D or better"] == 2
    assert lb.share(lake, grade="e", workers=1).texts == len(MONTHS) + 1


def test_a_set_is_counted_as_the_lake_it_comes_from(made: Lake, tmp_path: Path) -> None:
    lb.export(made, str(tmp_path / "set"), before="2024-01-01", near=True, workers=1)
    of_set, of_lake = lb.share(tmp_path / "set", workers=1), lb.share(made, workers=1)
    assert of_set.series == of_lake.series
    assert (of_set.texts, of_set.strata, of_set.warnings) == (of_lake.texts, of_lake.strata, ())


def test_a_set_with_near_duplicates_counts_the_earliest_and_warns(lake: Lake, tmp_path: Path) -> None:
    text = page(1, 300)
    near = text.replace(text.split()[150], "pebble", 1)
    lake_of(
        lake,
        tmp_path / "in",
        [
            captured("http://a.example.org/1", text, "2019-02-01T00:00:00Z"),
            captured("http://b.example.com/2", near, "2023-05-02T00:00:00Z"),
        ],
    )
    lb.export(lake, str(tmp_path / "set"), before="2024-01-01", workers=1)
    result = lb.share(tmp_path / "set", workers=1)
    assert counted(result) == {"2019-02": 1}
    assert result.left_out[NEAR] == 1
    assert "may lack earlier near-duplicates" in result.warnings[0]


def test_a_set_of_tokens_is_refused(made: Lake, tmp_path: Path) -> None:
    tokenizer = write_byte_tokenizer(tmp_path / "tokenizer.json")
    lb.export(
        made, str(tmp_path / "set"), before="2024-01-01", format="megatron", tokenizer=tokenizer, eos="<end>", workers=1
    )
    with pytest.raises(CollapseError, match=r"holds tokens \(megatron\), not text"):
        lb.share(tmp_path / "set")


def test_data_without_evidence_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(json.dumps({"text": page(1), "date": "2023-01-01"}))
    for source in (tmp_path, tmp_path / "rows.jsonl", tmp_path / "nothing", "https://example.org/rows.jsonl"):
        with pytest.raises(CollapseError, match="is neither a lake nor a set"):
            lb.share(source)


def test_machine_text_is_read_with_its_human_companion_and_what_could_not_be_used(made: Lake, tmp_path: Path) -> None:
    rows = [{"text": page(number), "label": str(number % 2)} for number in range(1000, 1060)]
    rows += [{"text": "two words", "label": "1"}, {"nothing": 1, "label": "1"}]
    (tmp_path / "answers.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    file = f"gpt={tmp_path / 'answers.jsonl'}"
    result = lb.share(
        made, machine=file, machine_where="label=1", machine_human=[file], human_where=["label=0"], workers=1
    )
    assert result.machine == {"gpt": 30}
    assert result.machine_rejects["gpt"] == {"no-text-column": 1, "not-asked-for": 30, "short": 1}
    assert result.machine_rejects["gpt (human)"] == {"not-asked-for": 32}
    assert {each.method for each in result.series} >= {"words", "excess", "mixture"}
    asked = ("share", made.location, "--machine", file, "--quiet", "--workers", "1", "--machine-where")
    end = forked(*asked, "label=1")
    assert end.returncode == 1  # a row without a text
    assert "1 rows of gpt not used: no-text-column" in end.stdout
    assert forked(*asked, "label=0").returncode == 0


def test_a_lake_and_a_set_in_a_store_are_counted_as_those_in_folders(made: Lake, s3: str, tmp_path: Path) -> None:
    stored = Lake(f"s3://{s3}/lake")
    lake_of(stored, tmp_path / "in", pages(MONTHS, 12), indexed=False)
    assert lb.share(stored, workers=1).series == lb.share(made, workers=1).series
    lb.export(made, f"s3://{s3}/set", before="2024-01-01", near=True, workers=1)
    assert lb.share(f"s3://{s3}/set", out=tmp_path / "out", workers=1).series == lb.share(made, workers=1).series


def test_a_lost_file_of_a_lake_is_named(lake: Lake, tmp_path: Path) -> None:
    lake_of(lake, tmp_path / "in", pages(MONTHS, 2))
    (file,) = lake.files("documents")
    (Path(lake.location) / "documents" / file).unlink()
    with pytest.raises(ArchiveError, match=r"\.parquet"):
        lb.share(lake, workers=1)


def test_memory_that_is_no_size_is_refused_in_one_line(made: Lake, tmp_path: Path) -> None:
    lb.export(made, str(tmp_path / "set"), before="2024-01-01", near=True, workers=1)
    for source in (made, tmp_path / "set"):
        with pytest.raises(ArchiveError, match="lots"):
            lb.share(source, memory="lots", workers=1)


def test_a_lake_without_texts_refuses_every_estimate(lake: Lake) -> None:
    lake.create()
    result = lb.share(lake, workers=1)
    assert result.texts == 0
    assert all("refused" in said for said in result.findings)
    assert "refused" in result.headline


def test_without_a_text_from_after_the_reference_all_is_refused(lake: Lake, tmp_path: Path) -> None:
    lake_of(lake, tmp_path / "in", pages(["2019-01", "2021-12"], 3))
    assert all("refused" in said for said in lb.share(lake, workers=1).findings)


def test_one_text_is_no_estimate_of_anything(lake: Lake, tmp_path: Path) -> None:
    lake_of(lake, tmp_path / "in", [captured("http://a.example.org/", page(1, more="delve"), "2023-05-01T00:00:00Z")])
    result = lb.share(lake, workers=1)
    assert result.texts == 1
    assert not any("at least" in said for said in result.findings)


def test_text_without_spaces_between_words_is_left_out_and_counted(lake: Lake, tmp_path: Path) -> None:
    chinese = "我们今天在北京的大学里学习中文和历史，这是一个很好的地方，大家都喜欢来这里看书。" * 5
    lake_of(
        lake, tmp_path / "in", [*pages(MONTHS, 1), captured("http://a.example.cn/", chinese, "2023-05-01T00:00:00Z")]
    )
    result = lb.share(lake, workers=1)
    assert result.left_out["in a language that is written without spaces between words"] == 1
    assert result.texts == len(MONTHS)


def test_huge_texts_weigh_no_more_than_others(lake: Lake, tmp_path: Path) -> None:
    long = [captured("http://a.example.org/", page(1, 300_000), "2023-05-01T00:00:00Z")]
    one_word = [captured("http://b.example.org/", "x" * 3_000_000 + page(2), "2023-05-02T00:00:00Z")]
    lake_of(lake, tmp_path / "in", [*long, *one_word, *pages(MONTHS, 1)], indexed=False)
    assert sum(counted(lb.share(lake, workers=1)).values()) >= len(MONTHS) + 1


def test_a_host_gives_no_more_than_its_part_and_the_rest_is_counted(lake: Lake, tmp_path: Path) -> None:
    one_site = [
        captured(f"http://www{number}.example.org/news/{number}", page(number), "2023-05-01T00:00:00Z")
        for number in range(30)
    ]
    lake_of(lake, tmp_path / "in", one_site, indexed=False)
    result = lb.share(lake, texts=200, workers=1)
    assert result.texts == 10
    assert result.left_out["more than 10 texts of a host in a month and stratum"] == 20


def test_fewer_texts_are_some_of_the_more(made: Lake) -> None:
    few, many = lb.share(made, texts=4, workers=1), lb.share(made, workers=1)
    assert few.each == 4
    assert counted(few) == dict.fromkeys(MONTHS, 4)
    assert (
        few.left_out["more than 4 texts of a month and stratum"]
        + few.left_out["more than 1 texts of a host in a month and stratum"]
        == many.texts - few.texts
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"by": "week"}, "month, quarter or year"),
        ({"reference": "yesterday"}, "write a day as 2022-01-01"),
        ({"reference": "2022-01-02"}, "name the first day of a month"),
        ({"reference": "2022-02-01", "by": "quarter"}, "name the first day of a quarter"),
        ({"reference": "2022-04-01", "by": "year"}, "name the first day of a year"),
        ({"grade": "X"}, "is no grade"),
        ({"texts": 0}, "at least 1"),
        ({"machine": "gpt"}, "write it as NAME=FILE"),
        ({"machine": ["a={empty}", "a={empty}"]}, "there is a a already"),
        ({"machine": "a={empty}"}, "no training text in it"),
        ({"machine": "a={short}"}, "no text in it has 20 words"),
        ({"machine": "a=/nowhere/x.jsonl"}, "/nowhere/x.jsonl"),
        ({"machine_human": "a={long}"}, "there is no --machine a="),
        ({"machine": "a={long}", "machine_where": "label"}, "write it as column=value"),
        ({"machine": "a={long}", "machine_where": "label=1"}, "no row has the values"),
    ],
)
def test_a_wrong_option_is_told_in_one_line(made: Lake, tmp_path: Path, options: dict[str, object], said: str) -> None:
    files = {"empty": "", "short": json.dumps({"text": "two words"}), "long": json.dumps({"text": page(1)})}
    for name, content in files.items():
        (tmp_path / f"{name}.jsonl").write_text(content + "\n" * bool(content))
    paths = {name: str(tmp_path / f"{name}.jsonl") for name in files}

    def filled(value: object) -> object:
        return (
            [each.format(**paths) for each in value]
            if isinstance(value, list)
            else (value.format(**paths) if isinstance(value, str) else value)
        )

    with pytest.raises(ArchiveError) as failed:
        lb.share(made, workers=1, **{name: filled(value) for name, value in options.items()})  # type: ignore[arg-type]
    assert said in str(failed.value)
    assert "\n" not in str(failed.value)


def test_the_folder_has_the_result_and_a_second_run_gives_the_same_bytes(made: Lake, tmp_path: Path) -> None:
    once, twice = tmp_path / "once", tmp_path / "twice"
    result = lb.share(made, out=once, workers=1)
    lb.share(made, out=twice, workers=2)
    lb.share(made, out=twice, workers=1)
    assert read(once) == read(twice)
    assert set(read(once)) == {"share.json", "report.html", "share.svg"}
    stated = json.loads((once / "share.json").read_bytes())
    assert stated["headline"] == result.headline
    assert len(stated["series"]) == len(stated["findings"]) == len(result.series)


def read(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir() if not path.name.startswith(".")}


def test_other_files_of_the_lake_give_the_same_numbers(made: Lake, tmp_path: Path) -> None:
    single = Lake(str(tmp_path / "lake"))
    for number, month in enumerate(MONTHS):
        lake_of(single, tmp_path / f"in{number}", pages([month], 12), indexed=number == len(MONTHS) - 1)
    assert lb.share(single, workers=2).series == lb.share(made, workers=1).series


def test_a_folder_of_somebody_else_is_left_alone(made: Lake, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(CollapseError, match=r"notes\.txt, which `archive share` did not make"):
        lb.share(made, out=tmp_path / "out", workers=1)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["notes.txt"]
    with pytest.raises(CollapseError, match="is inside"):
        lb.share(made, out=Path(made.location) / "out", workers=1)


def test_the_result_of_another_question_is_not_replaced(made: Lake, tmp_path: Path) -> None:
    lb.share(made, out=tmp_path / "out", workers=1)
    before = read(tmp_path / "out")
    with pytest.raises(CollapseError, match="a result with another by"):
        lb.share(made, out=tmp_path / "out", by="year", workers=1)
    assert read(tmp_path / "out") == before


def test_a_run_that_is_killed_leaves_nothing_half(made: Lake, tmp_path: Path) -> None:
    result = lb.share(made, out=tmp_path / "whole", workers=1)
    whole = read(tmp_path / "whole")
    question = {name: getattr(result, name) for name in ("source", "reference", "by", "grade")}
    for change in range(1, 40):
        out = tmp_path / "out"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        ended = False
        try:
            with killed_at(change):
                with folder.entered(out, question) as write:
                    write(result)
                ended = True
        except Killed:
            pass
        if (out / "share.json").exists():
            assert read(out).items() >= whole.items()
        with folder.entered(out, question) as write:
            write(result)
        assert read(out) == whole
        if ended:
            return
    raise AssertionError("it never ended")


def test_the_command_prints_the_table_and_what_was_left_out(made: Lake, tmp_path: Path) -> None:
    end = forked("share", made.location, "--by", "year", "--out", str(tmp_path / "out"), "--quiet", "--workers", "1")
    assert end.returncode == 0, end.stderr
    assert "2023" in end.stdout
    assert "48 texts counted" in end.stdout
    as_json = forked("share", "--lake", made.location, "--by", "year", "--json", "--workers", "1")
    assert json.loads(as_json.stdout) == json.loads((tmp_path / "out" / "share.json").read_bytes())
    failed = forked("share", str(tmp_path), check=False)
    assert failed.returncode == 2
    assert failed.stderr.count("\n") == 1
