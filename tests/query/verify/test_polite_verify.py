"""Records at Common Crawl are read within the budget of requests that all processes of a machine share."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from liar.judge import InTurn
from minicc.fixtures import cc, minicc  # noqa: F401
from minicc.serve import Fault, Server

from archive.commoncrawl import source
from archive.commoncrawl.mirror import Access
from archive.intake.run import ingest
from archive.lake import Lake
from query.verify.run import verify


@pytest.fixture
def lake(tmp_path: Path, minicc: Path, cc: Server, monkeypatch: pytest.MonkeyPatch) -> Lake:  # noqa: F811
    """A lake with a host of a crawl; Common Crawl's own address leads to a server of this machine."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(source, "Access", partial(Access, mirror=cc.address, rate=1e6, cache=str(tmp_path / "gates")))
    lake = Lake(str(tmp_path / "lake"))
    ingest(lake, "cc:CC-MAIN-2019-35", host="site3.de", mirror=str(minicc), workers=InTurn())  # type: ignore[arg-type]
    return lake


def test_each_request_waits_for_its_turn(lake: Lake, cc: Server) -> None:  # noqa: F811
    found = verify(lake, all=True, network=True, workers=InTurn())  # type: ignore[arg-type]
    assert found.kinds["agrees"] == found.traced > 10
    asked = cc.requests("*.warc.gz")
    assert all("lowbackground" in each.agent for each in asked)
    assert max(Counter((each.path, each.range) for each in asked).values()) == 1
    assert len(asked) == 2 * len({each.path for each in asked}), "its length, and a page with all of it"
    spent = source.reach_of(source.Access()).mirror.spent()
    assert spent.requests == len(cc.log)


def test_nothing_is_asked_after_403_and_what_was_not_read_is_unchecked(lake: Lake, cc: Server) -> None:  # noqa: F811
    cc.faults.append(Fault("refuse", "*.warc.gz", times=None))
    found = verify(lake, all=True, network=True, workers=InTurn())  # type: ignore[arg-type]
    assert found.kinds["unchecked"] == found.traced > 10
    assert all("answered 403" in each.detail for each in found.findings)
    assert len(cc.log) == 1
