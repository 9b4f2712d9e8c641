"""Reports of this machine are shown as what their commands wrote, and what cannot be read is told in a line."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette")

import httpx
from explored import files_of, serving, shown  # noqa: F401

import lowbackground as lb
from archive.errors import ArchiveError
from archive.lake import Lake
from query.explorer.reports.found import check, find, find_one

UNKNOWN = {"value": None, "low": None, "high": None}


def mean(value: float) -> dict[str, Any]:
    return {"value": value, "low": value - 0.5, "high": value + 0.5}


def results(**changed: Any) -> dict[str, Any]:
    """What `archive collapse` writes, as far as a page reads it."""
    generations = [
        {"generation": number, "loss": mean(3 + number), "perplexity": 20.0, "ratio": mean(1 + number), "bands": {}}
        for number in (0, 1)
    ]
    finding = {"code": "increase", "title": "Any <b>increase</b>", "holds": True, "because": "it rises\u202e"}
    arm = {"generations": generations, "definitions": [finding, {**finding, "holds": None}]}
    recipe = {"title": "Replace", "source": "somebody 2024", "model": "tiny", "seeds": 2, "regimes": ["replace"]}
    return {
        "version": 2,
        "recipe": recipe,
        "set": {"name": "wikitext"},
        "parameters": 929280,
        "noise_floor": UNKNOWN,
        "start": {"loss": mean(3)},
        "arms": {"replace": arm},
        "paper": [],
        "samples": [{"regime": "replace", "generation": 1, "texts": ["<script>alert(3)</script>"]}],
        "generations": [],
        **changed,
    }


@pytest.fixture(scope="module")
def folder(shown: Lake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one report of each kind, made by the commands; that of collapse by hand, since it trains."""
    out = tmp_path_factory.mktemp("reports")
    lb.export(shown, str(out / "set"), before="2022-01-01")
    text = lb.query(shown, "SELECT text FROM documents WHERE first_seen < '2015-01-01'").to_pylist()[0]["text"]
    rows = out / "rows.jsonl"
    rows.write_text(
        json.dumps({"text": text}) + "\n" + json.dumps({"text": "Nobody has ever seen these words."}) + "\n"
    )
    lb.certify(shown, str(rows), before="2016-01-01", out=str(out / "proven"), workers=1)
    (out / "run").mkdir()
    (out / "run" / "results.json").write_text(json.dumps(results()))
    (out / "run" / "report.html").write_text("<script>document.title='taken'</script>")
    return out


@pytest.fixture(scope="module")
def reported(shown: Lake, folder: Path) -> Iterator[httpx.Client]:
    with serving("--lake", shown.location, "--reports", str(folder)) as address:
        with httpx.Client(base_url=address, timeout=60) as opened:
            yield opened


def stated(client: httpx.Client, kind: str) -> Any:
    found = client.get("/reports.json").json()["data"]["reports"]
    (id_,) = [each["id"] for each in found if each["kind"] == kind]
    return client.get(f"/report/{id_}.json").json()


def test_all_reports_of_a_folder_are_listed_with_their_headlines(reported: httpx.Client, folder: Path) -> None:
    found = reported.get("/reports.json").json()["data"]["reports"]
    assert {(each["kind"], each["headline"], each["problem"]) for each in found} == {
        ("export", "4 texts before 2022-01-01", None),
        ("certify", "1 of 2 rows existed before 2016-01-01", None),
        ("collapse", "Replace: perplexity 2 times that of generation 0, in generation 1 of replace", None),
    }
    assert {Path(each["folder"]) for each in found} == {folder / name for name in ("set", "proven", "run")}


def test_an_export_is_shown_as_its_manifest_states_it(reported: httpx.Client, folder: Path) -> None:
    shown_here, manifest = stated(reported, "export"), json.loads((folder / "set" / "manifest.json").read_text())
    data = shown_here["data"]["stated"]
    for name in ("rows", "bytes", "splits", "months", "languages", "grades", "merkle_root", "content_root"):
        assert data[name] == manifest[name], name
    assert [each["merkle_root"] for each in data["shards"]] == [each["merkle_root"] for each in manifest["shards"]]
    assert data["card"] == (folder / "set" / "README.md").read_text()
    assert shown_here["command"].startswith(f"archive verify {folder / 'set'}")
    html = reported.get(shown_here["address"]).text
    assert manifest["merkle_root"] in html
    assert "Data card" in html


def test_a_certified_data_set_is_shown_with_the_counts_of_its_files(reported: httpx.Client, folder: Path) -> None:
    data = stated(reported, "certify")["data"]["stated"]
    assert data["proof"] == {"exact": 1, "near": 0, "none": 1}
    assert data["proof_by_year"] == {"2014": {"exact": 1}}
    assert data["arguments"]["dataset"] == str(folder / "rows.jsonl")
    assert [(each["name"], each["rows"], each["proven"]) for each in data["files"]] == [("rows.jsonl", 2, 1)]


def test_a_run_of_collapse_is_shown_by_its_numbers_and_its_own_page_is_not_opened(
    reported: httpx.Client, folder: Path
) -> None:
    from collapse.findings.results import RunResults

    RunResults.from_json(results())  # it is of the form that collapse reads
    one = stated(reported, "collapse")
    (arm,) = one["data"]["stated"]["arms"]
    assert [each["ratio"]["value"] for each in arm["generations"]] == [1, 2]
    assert one["data"]["stated"]["page"] == str(folder / "run" / "report.html")
    html = reported.get(one["address"]).text
    assert "taken" not in html
    assert "alert(3)" not in html
    assert "Any &lt;b&gt;increase&lt;/b&gt;" in html
    assert "\u202e" not in html


def test_reading_reports_writes_nothing(reported: httpx.Client, folder: Path) -> None:
    before = files_of(str(folder))
    for kind in ("export", "certify", "collapse"):
        stated(reported, kind)
    assert files_of(str(folder)) == before


def broken(folder: Path, name: str, content: str | bytes) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


NESTED = '{"a":' * 100_000
RESULTS = results()
BROKEN = {
    "no JSON": ("results.json", "results"),
    "no object": ("manifest.json", "[1]"),
    "nothing": ("manifest.json", ""),
    "another's": ("manifest.json", '{"name": "app", "icons": []}'),
    "bytes": ("_certify/manifest.json", b"\xff\xfe\x00"),
    "nested": ("results.json", NESTED),
    "twice": ("results.json", '{"arms": 1, "arms": 2}'),
    "endless": ("results.json", json.dumps(results(parameters=1)).replace('"parameters": 1', '"parameters": 1e999')),
    "digits": ("results.json", '{"a": 1' + "0" * 10_000 + "}"),
    "huge": ("results.json", json.dumps(results(parameters=10**30))),
    "a word": ("results.json", json.dumps(results(parameters="many"))),
    "no arms": ("results.json", json.dumps({**RESULTS, "arms": None})),
    "arms of text": ("results.json", json.dumps({**RESULTS, "arms": {"a": "b"}})),
    "no recipe": ("results.json", json.dumps({name: each for name, each in RESULTS.items() if name != "recipe"})),
    "proofs of text": (
        "_certify/manifest.json",
        json.dumps({"arguments": {"before": "2020"}, "files": {"a": {"rows": 1, "proof": "near"}}}),
    ),
    "files of text": ("_certify/manifest.json", json.dumps({"arguments": {"before": "2020"}, "files": "a"})),
    "too large": ("manifest.json", "{}" + " " * (17 << 20)),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_report_is_told_in_one_line(tmp_path: Path, what: str) -> None:
    broken(tmp_path / "one", *BROKEN[what])
    (report,) = find([tmp_path])
    assert report.headline is None
    assert report.problem
    assert "\n" not in report.problem
    assert len(report.problem) < 600
    assert find_one([tmp_path], report.id) == (report, None)


def test_a_file_that_is_none_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "results.json")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "manifest.json").symlink_to("/dev/zero")
    assert list(find([tmp_path])) == []


def test_hostile_names_and_words_of_a_report_are_shown_as_text(shown: Lake, tmp_path: Path) -> None:
    name = "<img src=x>\u202e"
    arms = {"<script>alert(1)</script>": RESULTS["arms"]["replace"], "\ud800": RESULTS["arms"]["replace"]}
    broken(tmp_path / name, "results.json", json.dumps(results(arms=arms)))
    broken(tmp_path / "broken", "results.json", '{"<script>": 1, "recipe": {"model": "<script>"}}')
    with serving("--lake", shown.location, "--reports", str(tmp_path)) as address:
        for report in find([tmp_path]):
            for path in ("/reports", f"/report/{report.id}"):
                for twin in ("", ".json"):
                    answer = httpx.get(f"{address}{path}{twin}", timeout=60)
                    assert answer.status_code == 200, answer.text
                    if not twin:
                        assert answer.text.count("<script") == 1  # that of the frame
                        assert "<img" not in answer.text
                        assert "\u202e" not in answer.text


def test_only_listed_reports_are_opened(reported: httpx.Client) -> None:
    assert reported.get(f"/report/{'0' * 16}").status_code == 404
    for path in ("/report/..%2f..%2fetc", "/report/set", "/report/%2fetc%2fpasswd"):
        assert reported.get(path).status_code in {400, 404}


def test_an_export_that_was_made_since_is_there_at_once(shown: Lake, tmp_path: Path) -> None:
    with serving("--lake", shown.location, "--reports", str(tmp_path)) as address:
        assert "There is nothing yet" in httpx.get(f"{address}/reports", timeout=60).text
        broken(tmp_path / "run", "results.json", json.dumps(results()))
        assert "perplexity 2 times" in httpx.get(f"{address}/reports", timeout=60).text


def test_reports_of_the_current_folder_are_shown_to_this_machine_alone(
    shown: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(tmp_path / "run", "results.json", json.dumps(results()))
    monkeypatch.chdir(tmp_path)
    with serving("--lake", shown.location) as address:
        assert "perplexity 2 times" in httpx.get(f"{address}/reports", timeout=60).text
    with serving("--lake", shown.location, "--user-header", "X-User") as address:
        told = httpx.get(f"{address}/reports", headers={"X-User": "ann"}, timeout=60).text
        assert "No folder is shown" in told
    lb.explore(shown, static=tmp_path / "out")
    assert "No folder is shown" in (tmp_path / "out" / "reports.html").read_text()
    lb.explore(shown, static=tmp_path / "out", reports=[tmp_path])
    assert "perplexity 2 times" in (tmp_path / "out" / "reports.html").read_text()
    assert len(list((tmp_path / "out" / "report").glob("*.html"))) == 1


def test_a_folder_that_is_not_there_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="there is no such folder"):
        check([tmp_path / "none"])
