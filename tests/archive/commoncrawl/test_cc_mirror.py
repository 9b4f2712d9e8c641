"""Whatever a server answers: the bytes of a file are those that it has, or there is an error that names what came."""

from __future__ import annotations

import gzip
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest
from minicc.fixtures import cc, minicc, reach_of  # noqa: F401
from minicc.serve import Fault, Limits, Server, serve

from archive.commoncrawl.answers import Missing
from archive.commoncrawl.gate import Gate, Refused
from archive.commoncrawl.mirror import Access
from archive.commoncrawl.paths import canonical, path_of, require_path
from archive.commoncrawl.reach import Reach
from archive.errors import SourceError

LISTING = "crawl-data/CC-MAIN-2019-35/warc.paths.gz"
ReachOf = Callable[..., Reach]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits for a busy server take no time here; `test_cc_gate` has them."""
    monkeypatch.setattr(Gate, "_hold", lambda *_: None)


@pytest.fixture
def file(minicc: Path) -> str:
    """The path of a WARC file."""
    return gzip.decompress((minicc / LISTING).read_bytes()).decode().split()[0]


#: What goes wrong with each request, and the words for it where a part is read, where a whole file is, and where a
#: stream is opened; None where nothing is wrong with it.
TABLE: list[tuple[str, str, str | None, str | None]] = [
    ("slowdown", "the server answered 503 SlowDown", "503 SlowDown", "the server answered 503"),
    ("error", "the server answered 500", "500", "the server answered 500"),
    ("too-many", "the server answered 429", "429", "the server answered 429"),
    ("missing", "no such file", "no such file", "no such file"),
    ("reset", "the server reset the connection", "reset", "no answer"),
    ("reset-inside", "reset the connection|the connection ended after", "reset|ended after", None),
    ("truncate", "the connection ended after [0-9,]+ of [0-9,]+ bytes", "ended after", None),
    ("short", "the server sent bytes .* in answer to a request for bytes", None, None),
    ("whole", "the server answered 200 and not 206 to a request for bytes", None, None),
    ("wrong-range", "the server sent bytes .* in answer to a request for", None, None),
    ("html", "answered 200 and not 206", "a page of HTML came in place of a gzip file", "a page of HTML came"),
    ("garbled", "", "something else came in place of a gzip file", "something else came"),
]


@pytest.mark.parametrize(("kind", "words"), [(kind, part) for kind, part, _, _ in TABLE if part])
def test_a_part_of_a_file_is_right_or_named(cc: Server, reach_of: ReachOf, file: str, kind: str, words: str) -> None:
    cc.faults = [Fault(kind, times=None)]
    with pytest.raises(SourceError, match=words):
        reach_of(cc.address).mirror.read(file, 100, 5000)
    with pytest.raises(SourceError, match=words):
        reach_of(cc.address).mirror.tail(file, 5000)


@pytest.mark.parametrize(("kind", "words"), [(kind, whole) for kind, _, whole, _ in TABLE if whole])
def test_a_small_file_is_right_or_named(cc: Server, reach_of: ReachOf, kind: str, words: str) -> None:
    cc.faults = [Fault(kind, times=None)]
    with pytest.raises(SourceError, match=words):
        reach_of(cc.address).mirror.read_all(LISTING)


@pytest.mark.parametrize(("kind", "words"), [(kind, stream) for kind, _, _, stream in TABLE if stream])
def test_a_stream_is_right_or_named(cc: Server, reach_of: ReachOf, file: str, kind: str, words: str) -> None:
    cc.faults = [Fault(kind, times=None)]
    with pytest.raises(SourceError, match=words):
        reach_of(cc.address).mirror.open(file)


@pytest.mark.parametrize("kind", [kind for kind, *_ in TABLE if kind not in {"missing", "garbled"}])
@pytest.mark.parametrize("how", ["part", "tail", "whole", "stream"])
def test_what_goes_wrong_once_or_twice_is_tried_again(
    cc: Server, reach_of: ReachOf, minicc: Path, file: str, kind: str, how: str
) -> None:
    cc.faults = [Fault(kind, times=2)]
    mirror, data = reach_of(cc.address).mirror, (minicc / file).read_bytes()
    if how == "part":
        assert mirror.read(file, 100, 5000) == data[100:5000]
    elif how == "tail":
        assert mirror.tail(file, 5000) == (data[-5000:], len(data))
    elif how == "whole":
        assert mirror.read_all(file) == data
    else:
        with mirror.open(file) as stream:
            assert stream.read() == data


@pytest.mark.parametrize("kind", ["html", "whole"])
def test_a_lost_stream_asks_again_where_the_answer_is_another(
    cc: Server, reach_of: ReachOf, minicc: Path, file: str, kind: str
) -> None:
    cc.faults = [Fault("truncate"), Fault(kind, ranges=True, times=2)]
    with reach_of(cc.address).mirror.open(file) as stream:
        assert stream.read() == (minicc / file).read_bytes()
    assert len(cc.log) == 4


def test_a_lost_stream_goes_on_where_it_was(cc: Server, reach_of: ReachOf, minicc: Path, file: str) -> None:
    cc.faults = [Fault("truncate", times=3)]
    data = (minicc / file).read_bytes()
    with reach_of(cc.address).mirror.open(file) as stream:
        assert stream.read() == data
    assert cc.log[0].range == ""
    assert [int(each.range[6:-1]) for each in cc.log[1:]] == sorted(int(each.range[6:-1]) for each in cc.log[1:])
    assert sum(each.sent for each in cc.log) == len(data), "no byte twice"


@pytest.mark.parametrize("kind", ["whole", "html", "wrong-range"])
def test_a_stream_that_cannot_go_on_where_it_was_ends_with_an_error(
    cc: Server, reach_of: ReachOf, minicc: Path, file: str, kind: str
) -> None:
    cc.faults = [Fault("truncate"), Fault(kind, ranges=True, times=None)]
    with (
        reach_of(cc.address).mirror.open(file) as stream,
        pytest.raises(SourceError, match=r"200 and not 206|sent bytes"),
    ):
        stream.read()


def test_a_file_that_changes_while_it_is_read_is_an_error(cc: Server, reach_of: ReachOf, file: str) -> None:
    cc.faults = [Fault("truncate"), Fault("changed", ranges=True)]
    with reach_of(cc.address).mirror.open(file) as stream, pytest.raises(SourceError, match="the file changed"):
        stream.read()


def test_403_stops_all_that_follow_without_a_request(cc: Server, reach_of: ReachOf, file: str) -> None:
    cc.faults = [Fault("refuse", times=None)]
    for ask in (
        lambda mirror: mirror.read(file, 0, 10),
        lambda mirror: mirror.read_all(LISTING),
        lambda mirror: mirror.open(file),
        lambda mirror: mirror.size(file),
    ):
        with pytest.raises(Refused, match="nothing is lost"):
            ask(reach_of(cc.address).mirror)
    assert len(cc.log) == 1


def test_a_host_that_refuses_after_too_much_is_obeyed(minicc: Path, reach_of: ReachOf, file: str) -> None:
    with serve(minicc, limits=Limits(rate=3, refuse_after=4)) as server:
        mirror = reach_of(server.address).mirror
        with pytest.raises(Refused):
            deque(mirror.read(file, 0, 10) for _ in range(50))
        statuses = [each.status for each in server.log]
        assert statuses.count(403) == 1
        assert statuses[-1] == 403


def test_each_request_names_who_asks(cc: Server, tmp_path: Path, file: str) -> None:
    access = Access(cc.address, rate=1e6, contact="ada@example.org", cache=str(tmp_path))
    mirror = access.open()
    mirror.read(file, 0, 10)
    mirror.tail(file, 10)
    mirror.size(file)
    mirror.open(file).close()
    assert {each.agent.partition("/")[0] for each in cc.log} == {"lowbackground"}
    assert all("ada@example.org" in each.agent for each in cc.log)


@pytest.mark.parametrize("kind", ["folder", "web", "s3"])
def test_a_mirror_gives_the_same_bytes_as_every_other(
    kind: str, minicc: Path, cc: Server, file: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    location = {"folder": str(minicc), "web": cc.address}.get(kind) or _uploaded(request, minicc, file)
    mirror, data = Access(location, rate=1e6, cache=str(tmp_path / "cache")).open(), (minicc / file).read_bytes()
    assert mirror.read(file, 7, 1007) == data[7:1007]
    assert mirror.tail(file, 100) == (data[-100:], len(data))
    assert mirror.tail(file, 10**9) == (data, len(data))
    assert mirror.read_all(file) == data
    assert mirror.size(file) == len(data)
    with mirror.open(file) as stream:
        assert stream.read() == data
        stream.seek(1000)
        assert stream.read(10) == data[1000:1010]
    with pytest.raises(Missing, match="no such file"):
        mirror.read("crawl-data/nothing.gz", 0, 10)
    with pytest.raises(SourceError):
        mirror.read(file, len(data) - 5, len(data) + 5)


def _uploaded(request: pytest.FixtureRequest, minicc: Path, file: str) -> str:
    import boto3

    bucket, server = request.getfixturevalue("s3"), request.getfixturevalue("server")
    boto3.client("s3", endpoint_url=server).upload_file(str(minicc / file), bucket, file)
    return f"s3://{bucket}"


def test_streams_share_the_slots_of_their_host_and_give_them_back(cc: Server, tmp_path: Path, file: str) -> None:
    mirror = Access(cc.address, rate=1e6, streams=1, cache=str(tmp_path)).open()
    first, opened = mirror.open(file), threading.Event()

    def second() -> None:
        with mirror.open(file):
            opened.set()

    thread = threading.Thread(target=second)
    thread.start()
    assert not opened.wait(0.15)
    first.close()
    thread.join(5)
    assert opened.is_set()


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../b", "a//b", "", "a/\0", "a/..", ".."])
def test_no_path_leads_out_of_a_mirror(path: str, minicc: Path) -> None:
    with pytest.raises(SourceError, match="no path"):
        require_path(path)
    with pytest.raises(SourceError, match="no path"):
        Access(str(minicc)).open().read_all(path)


def test_a_file_is_cited_by_one_address_whichever_mirror_gave_it(file: str) -> None:
    assert path_of(canonical(file)) == file
    assert path_of("https://example.org/x") is None


def test_a_mirror_that_is_none_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such folder"):
        Access(str(tmp_path / "nothing")).open()
    with pytest.raises(SourceError, match=r"no answer|refused|Connection"):
        Reach(Access("http://127.0.0.1:9", rate=1e6, cache=str(tmp_path))).mirror.size("a")
