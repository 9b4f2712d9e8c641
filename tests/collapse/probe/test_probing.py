"""How one set differs from another: what is planted is found by the measure that is meant for it."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from click.testing import CliRunner
from probe_sets import QUICK, TOPICS, changed, compared, of, outside, rows, write

from archive.cli import main
from archive.errors import ArchiveError, CollapseError
from collapse.probe import probe


def test_more_of_the_same_is_inside_and_its_auc_holds_one_half(tmp_path: Path) -> None:
    few = 0
    for seed in range(2):
        result = compared(tmp_path, rows(seed), rows(seed, name="b"))
        auc = of(result, "classifier-ngrams")
        assert auc.low is not None
        assert auc.high is not None
        few += auc.low <= 0.5 <= auc.high
        assert result.by == "site"
        assert len(outside(result)) <= 4
    assert few == 2


def test_another_style_is_seen_by_the_classifier_and_not_by_topics_or_numbers(tmp_path: Path) -> None:
    b = changed(rows(1, name="b"), the="that", of="from", to="towards")
    result = compared(tmp_path, rows(1), b)
    auc = of(result, "classifier-ngrams")
    assert auc.low is not None
    assert auc.low > 0.9
    assert "classifier-ngrams" in outside(result)
    assert not {"numbers", "names", "links", "topic-coverage"} & outside(result)
    assert not result.thin


def test_planted_numbers_are_seen_by_their_rate_alone_among_the_rates(tmp_path: Path) -> None:
    result = compared(tmp_path, rows(2), changed(rows(2, name="b"), habita="1,250", habitb="1914"))
    assert {"numbers", "names", "links"} & outside(result) == {"numbers"}
    numbers = of(result, "numbers")
    assert numbers.a == 0
    assert numbers.b is not None
    assert numbers.b > 1


def test_a_topic_that_is_missing_is_named(tmp_path: Path) -> None:
    result = compared(tmp_path, rows(3, texts=400), rows(3, texts=400, name="b", topics=3))
    assert "topic-coverage" in outside(result)
    assert result.thin
    assert set(result.thin[0].words) <= set(TOPICS[3])
    assert result.thin[0].b == 0


def test_text_of_fewer_words_has_fewer_rare_ones_and_compresses_better(tmp_path: Path) -> None:
    rng = random.Random(0)
    a = [{**row, "text": row["text"] + f" q{rng.randrange(10**9):x}x" * 1} for row in rows(4)]
    a = [{**row, "text": " ".join([f"z{rng.randrange(10**6)}".translate(str.maketrans("0123456789", "abcdefghij"))
                                  if rng.random() < 0.1 else word for word in row["text"].split()])} for row in a]  # fmt: skip
    result = compared(tmp_path, a, rows(4, name="b"))
    assert {"rare-words", "zstd-bits"} <= outside(result)
    rare, bits = of(result, "rare-words"), of(result, "zstd-bits")
    assert rare.value is not None
    assert rare.value < 0
    assert bits.value is not None
    assert bits.value < 0


def test_neither_the_order_of_rows_nor_of_files_matters_and_a_seed_repeats(tmp_path: Path) -> None:
    a, b = rows(5), rows(5, name="b")
    first = compared(tmp_path, a, b, seed=7)
    assert compared(tmp_path, a, b, seed=7) == first
    folder = tmp_path / "parts"
    folder.mkdir()
    write(folder / "2.jsonl", a[:90])
    write(folder / "1.jsonl", random.Random(1).sample(a[90:], len(a) - 90))
    again = probe(str(folder), write(tmp_path / "c.jsonl", b[::-1]), seed=7, **QUICK)
    assert again.probes == first.probes
    assert (again.thin, again.texts) == (first.thin, first.texts)
    assert compared(tmp_path, a, b, seed=8).probes != first.probes


def test_a_set_next_to_itself_is_divided_and_nothing_is_seen(tmp_path: Path) -> None:
    a = rows(6, texts=300, sites=150)
    result = compared(tmp_path, a, a)
    auc = of(result, "classifier-ngrams")
    assert result.same
    assert auc.low is not None
    assert auc.high is not None
    assert auc.low <= 0.5 <= auc.high
    assert result.a.usable + result.b.usable <= 300


def test_without_an_encoder_its_measure_is_named_as_not_run(tmp_path: Path) -> None:
    vectors = of(compared(tmp_path, rows(7, texts=120), rows(7, texts=120, name="b")), "classifier-vectors")
    assert vectors.value is None
    assert vectors.not_run == "name an encoder with --encoder"


def test_texts_without_urls_or_in_several_scripts_are_compared_and_the_reader_is_warned(tmp_path: Path) -> None:
    a = [{"text": row["text"]} for row in rows(8)]
    b = [
        {"text": "".join(chr(0x4E00 + hash_) for hash_ in random.Random(n).choices(range(500), k=60))}
        for n in range(150)
    ]
    result = compared(tmp_path, a, b)
    assert result.by == "text"
    assert any("each text counts as a site" in warning for warning in result.warnings)
    auc = of(result, "classifier-ngrams")
    assert auc.value is not None
    assert auc.value > 0.95
    assert of(result, "rare-words").value is not None


def refused(*args: object) -> str:
    done = CliRunner().invoke(main, ["probe", *map(str, args)], prog_name="archive")
    assert done.exit_code == 2, (done.output, done.exception)
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


@pytest.mark.parametrize(
    "content",
    [b"", b"\n\n", b'{"text": "one text alone"}\n', b"\x00\xff\xfe" * 5_000, b"x" * 10_000_000,
     b'{"text": "all texts are the same and so there is but one of them to be compared with any other"}\n' * 500,
     "".join(f'{{"text": "{chr(0x1F600 + n % 60) * (n + 1)} {"! " * 40}"}}\n' for n in range(150)).encode()],
    ids=["empty", "blank", "one text", "binary", "a line of 10 MB", "all equal", "no letter"],
)  # fmt: skip
def test_a_set_that_cannot_be_compared_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    good = write(tmp_path / "good.jsonl", rows(9, texts=120))
    bad = tmp_path / "bad.jsonl"
    bad.write_bytes(content)
    for words in ((good, bad), (bad, good), (bad, bad)):
        assert "bad.jsonl" in refused(*words, "--quiet", "--divisions", 4)


@pytest.mark.parametrize("option", [("--divisions", 1), ("--words", 2), ("--texts", 5), ("--where", "label")])
def test_an_option_that_makes_no_sense_is_refused(tmp_path: Path, option: tuple[str, object]) -> None:
    good = write(tmp_path / "good.jsonl", rows(9, texts=120))
    assert option[0] in refused(good, good, *option)


def test_sets_that_share_nearly_all_texts_are_refused_with_the_counts(tmp_path: Path) -> None:
    a = rows(10, texts=150)
    with pytest.raises(CollapseError, match="140 in-both"):
        compared(tmp_path, a, a[:140] + rows(10, texts=20, name="b"))


def test_a_folder_of_somebody_else_is_refused_and_stays(tmp_path: Path) -> None:
    a, b = write(tmp_path / "a.jsonl", rows(11, texts=120)), write(tmp_path / "b.jsonl", rows(11, texts=120, name="b"))
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    assert "thesis.txt" in refused(a, b, "--out", out, "--divisions", 4)
    assert [path.name for path in out.iterdir()] == ["thesis.txt"]


def test_the_folder_holds_the_numbers_of_the_screen_and_a_page_that_needs_no_other(tmp_path: Path) -> None:
    b = [
        {**row, "text": row["text"] + " <script>alert(1)</script>"} for row in rows(12, texts=150, name="<b>", topics=2)
    ]
    words = [write(tmp_path / "a.jsonl", rows(12, texts=150)), write(tmp_path / "<b>.jsonl", b)]
    out = tmp_path / "out"
    for _ in range(2):  # again: its own files are replaced
        done = CliRunner().invoke(main, ["probe", *words, "--json", "--out", str(out), "--divisions", "4"])
        assert done.exit_code == 0, done.output
    assert json.loads((out / "probe.json").read_text()) == json.loads(done.stdout)
    page = (out / "report.html").read_text()
    assert "&lt;b&gt;.jsonl" in page
    assert "<script" not in page
    assert "http" not in page.replace("https://b", "")
    assert "AUC above 0.5 does not mean that machines wrote B" in page
    for name in ("says", "distrust"):
        assert all(each[name] for each in json.loads(done.stdout)["probes"])


def test_a_set_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="nowhere"):
        probe(str(tmp_path / "nowhere"), str(tmp_path / "nowhere"))


def test_a_set_of_far_fewer_sites_is_said(tmp_path: Path) -> None:
    result = compared(tmp_path, rows(13, texts=300, sites=150), rows(13, texts=200, sites=24, name="b"))
    assert any(warning.startswith("The texts of a side are from") for warning in result.warnings)
