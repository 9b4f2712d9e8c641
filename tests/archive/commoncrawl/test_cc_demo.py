"""The demos of Common Crawl leave no server behind."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path

import pytest
from minicc import demo
from minicc.serve import serve


def test_a_command_that_fails_ends_the_demo_and_its_server(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "crawls").mkdir()
    with pytest.raises(SystemExit) as ended, serve(tmp_path / "crawls") as server:
        demo.Demo(server, tmp_path, "nothing").run("archive ingest cc:2014 --mirror $MIRROR --rate 10")
    assert ended.value.code == 2
    assert "the mirror must have it" in capfd.readouterr().err
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(server.address)
