"""What somebody wants deleted is gone, in the order of the manual, and nothing brings it back."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

import lowbackground as lb

pytest.importorskip("scrapy")

from crawls import check, crawled, pages
from rawserver import Answer, missing, page, serving

WORDS = " ".join(f"word{number}" for number in range(50))


def test_the_manual_deletes_a_host_and_keeps_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(path: str, request: bytes) -> Answer:
        host = "localhost" if b"host: localhost" in request.lower() else "127.0.0.1"
        if path == "/":
            return page(f"<p>{host} {WORDS}<a href=/a>a</a><a href=http://localhost:{server.port}/>other</a>")
        return page(f"<p>page of {host} {WORDS}") if path == "/a" else missing()

    manual = (Path(__file__).parents[2] / "docs" / "politeness.md").read_text()
    code = re.search(r"```python\n(.*?)```", manual, re.DOTALL)
    assert code is not None
    monkeypatch.chdir(tmp_path)
    with serving(answer, host="") as server:
        crawled(Path("crawl"), f"http://127.0.0.1:{server.port}/", scope="any")
        lb.ingest("lake", "crawl", workers=1)
        hosts = "SELECT DISTINCT host FROM captures ORDER BY 1"
        assert [row["host"] for row in lb.query("lake", hosts).to_pylist()] == ["127.0.0.1", "localhost"]
        exec(code[1].replace("://example.org/", "://localhost:"), {})
        lb.forget("lake", "crawl", vacuum=True)
        lb.ingest("lake", "kept", workers=1)
        shutil.rmtree("crawl")
        assert [row["host"] for row in lb.query("lake", hosts).to_pylist()] == ["127.0.0.1"]
        assert lb.query("lake", "SELECT count(*) AS n FROM documents WHERE text LIKE '%localhost%'").to_pylist() == [
            {"n": 0}
        ]
        assert check(Path("kept")) > 0
        assert "localhost" not in " ".join(path.read_text("latin-1") for path in Path("kept").glob("*.cdxj"))
        again = crawled(
            Path("next"), f"http://127.0.0.1:{server.port}/", scope="any", exclude=("://localhost:",), known=("kept",)
        )
    assert (sorted(pages(Path("next"))), again.left_out) == (["/", "/a"], {"excluded": 1})
