"""`archive seal`: one root, and a time stamp that holds for it and for nothing else."""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from authority import Authority
from conftest import members, record, take
from forked import forked

import lowbackground as lb
from archive.attestations import seal as sealing
from archive.attestations.seal import SealCheck, check_lake, check_set
from archive.attestations.timestamps import read_certificates
from archive.errors import ArchiveError, SourceError
from archive.lake import Lake

Write = Callable[[str, bytes], str]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tsa") / "a")


@pytest.fixture
def filled(lake: Lake, write: Write) -> Lake:
    take(lake, write("a.warc.gz", members(record(), record(url="http://b.example/", body="<p>More words.</p>"))))
    take(lake, write("b.warc.gz", members(record(url="http://c.example/", body="<p>Other words.</p>"))))
    return lake


def checked(lake: Lake, token: str | None, authority: Authority) -> SealCheck:
    assert token is not None
    return check_lake(lake, token, read_certificates([authority.root]))


def test_the_root_of_a_lake_is_the_hash_of_its_statement(filled: Lake) -> None:
    result = lb.seal(filled)
    assert (result.kind, result.units, result.captures, result.token) == ("lake", 2, 3, None)
    assert result.statement == f"{filled.location}.seal.txt"
    assert hashlib.sha256(Path(result.statement).read_bytes()).hexdigest() == result.root


def test_the_hash_of_a_unit_is_what_the_manual_says(filled: Lake) -> None:
    result = lb.seal(filled)
    head, names, *lines = Path(str(result.statement)).read_text().splitlines()
    assert head == "lowbackground seal 1"
    columns = names.split()[1:]
    hashes: dict[str, list[str]] = {}
    for row in filled.read("captures").to_pylist():
        text = ""
        for name in columns:
            value = row[name]
            if isinstance(value, datetime):
                value = round((value - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1_000_000)
            text += f"{name}=-" if value is None else f"{name}={len(str(value).encode())}:{value}"
        hashes.setdefault(row["unit"], []).append(hashlib.sha256(text.encode()).hexdigest())
    for line, unit in zip(lines, sorted(hashes), strict=True):
        digest = hashlib.sha256("".join(f"{each}\n" for each in sorted(hashes[unit])).encode()).hexdigest()
        assert line == f"{digest} {len(hashes[unit])} {json.dumps(unit)}"


def test_a_sealed_lake_verifies_and_may_grow(filled: Lake, authority: Authority, write: Write) -> None:
    with authority.served() as url:
        result = lb.seal(filled, tsa=url, certificate=[authority.root])
    assert result.verified
    assert result.token == f"{filled.location}.seal.tsr"
    assert authority.judges(Path(result.token).read_bytes(), Path(str(result.statement)).read_bytes())
    check = checked(filled, result.token, authority)
    assert (check.problems, check.units, check.unsealed) == ([], 2, 0)
    assert check.stamp.at == result.at
    (row,) = filled.read("attestations").to_pylist()
    assert (row["subject_sha256"], row["verified"], row["at"]) == (result.root, True, result.at)
    take(filled, write("c.warc.gz", members(record(url="http://d.example/", body="<p>New words.</p>"))))
    check = checked(filled, result.token, authority)
    assert (check.problems, check.units, check.unsealed) == ([], 2, 1)


def test_what_was_changed_or_forgotten_after_the_seal_is_named(
    filled: Lake, authority: Authority, write: Write, tmp_path: Path
) -> None:
    with authority.served() as url:
        token = lb.seal(filled, tsa=url, certificate=[authority.root]).token
    lb.forget(filled, str(tmp_path / "sources" / "b.warc.gz"))
    check = checked(filled, token, authority)
    assert check.units == 1
    assert len(check.problems) == 1
    assert "gone" in check.problems[0]
    table = filled.delta("captures")
    table.update({"captured_at": "'2001-01-01T00:00:00Z'"}, predicate="url = 'http://b.example/'")
    check = checked(filled, token, authority)
    assert check.units == 0
    assert any("not those that were sealed" in problem for problem in check.problems)


def test_a_seal_fails_by_a_second_or_a_byte(filled: Lake, authority: Authority, tmp_path: Path) -> None:
    with authority.served() as url:
        result = lb.seal(filled, tsa=url, out=tmp_path / "s.tsr", certificate=[authority.root])
    assert result.at is not None
    token, statement = tmp_path / "s.tsr", tmp_path / "s.txt"
    whole, text = token.read_bytes(), statement.read_bytes()
    second = timedelta(seconds=1)  # the accuracy of this authority
    written = (result.at - second).strftime("%Y%m%d%H%M%SZ").encode()
    assert written in whole
    token.write_bytes(whole.replace(written, (result.at - 2 * second).strftime("%Y%m%d%H%M%SZ").encode()))
    assert checked(filled, str(token), authority).problems
    token.write_bytes(whole)
    for place in range(0, len(text), 13):
        statement.write_bytes(text[:place] + bytes([text[place] ^ 1]) + text[place + 1 :])
        with contextlib.suppress(SourceError):  # it is no statement any more
            assert checked(filled, str(token), authority).problems, place
    statement.write_bytes(text)
    assert not checked(filled, str(token), authority).problems
    assert check_lake(filled, token, None).problems  # an authority that is not known here
    statement.unlink()
    with pytest.raises(SourceError, match="statement"):
        checked(filled, str(token), authority)


def test_merged_files_change_nothing(filled: Lake, authority: Authority) -> None:
    root = lb.seal(filled).root
    filled.delta("captures").optimize.compact()
    assert lb.seal(filled).root == root


@pytest.fixture
def exported(filled: Lake, tmp_path: Path) -> Path:
    out = tmp_path / "set"
    forked("export", str(out), "--lake", filled.location, "--before", "2022-01-01", "--format", "jsonl", "--quiet")
    return out


def test_a_sealed_set_verifies_with_the_certificate_of_the_authority(
    exported: Path, authority: Authority, tmp_path: Path
) -> None:
    before = sorted(exported.rglob("*"))
    with authority.served() as url:
        result = lb.seal(exported, tsa=url, certificate=[authority.root])
    assert sorted(exported.rglob("*")) == before  # nothing is added to the set
    assert (result.kind, result.captures, result.verified) == ("set", 3, True)
    assert result.root == json.loads((exported / "manifest.json").read_text())["merkle_root"]
    assert result.token == f"{exported}.seal.tsr"
    roots = read_certificates([authority.root])
    assert check_set(result.root, result.token, roots).problems == []
    assert check_set(result.root[:-1] + ("1" if result.root.endswith("0") else "0"), result.token, roots).problems
    assert check_set(result.root, result.token, None).problems


def test_without_an_authority_nothing_is_asked_and_no_token_written(exported: Path) -> None:
    result = lb.seal(exported)
    assert (result.token, result.verified, len(result.root)) == (None, False, 64)
    assert not Path(f"{exported}.seal.tsr").exists()


def test_what_is_neither_a_lake_nor_a_set_is_refused(tmp_path: Path) -> None:
    for location in (tmp_path, tmp_path / "none"):
        with pytest.raises(SourceError, match="no lake and no"):
            lb.seal(location)
    (tmp_path / "manifest.json").write_text('{"merkle_root": "00", "shards": []}')
    with pytest.raises(SourceError, match="no SHA-256"):
        lb.seal(tmp_path)


# -- authorities that misbehave --------------------------------------------------------------------


@contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that answers each connection in its own way."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    peer, _ = server.accept()
                except OSError:
                    return
                with peer:
                    try:
                        peer.recv(1 << 16)
                        answer(peer)
                        peer.shutdown(socket.SHUT_WR)
                        while peer.recv(1 << 16):  # to close with bytes unread would reset the connection
                            pass
                    except OSError:
                        pass

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/timestamp-reply\r\n\r\n"


def test_an_authority_that_answers_with_something_else_is_refused(filled: Lake, authority: Authority) -> None:
    other = authority.stamp(b"other bytes")
    for answer, why in (
        (b"", "127.0.0.1"),
        (HEAD, "no time stamp"),
        (HEAD + b"<html>", "no time stamp"),
        (HEAD + other, "other bytes"),
        (b"HTTP/1.1 500 No\r\n\r\n", "status 500"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", "status 302"),
    ):
        with answering(lambda peer, answer=answer: peer.sendall(answer)) as url:  # type: ignore[misc]
            with pytest.raises(ArchiveError, match=why):
                lb.seal(filled, tsa=url)
    for url in ("ftp://a.example/", "a.example", "http://", "http://127.0.0.1:1/"):
        with pytest.raises(ArchiveError):
            lb.seal(filled, tsa=url)


def test_an_old_token_for_the_same_root_is_no_answer_to_a_new_request(filled: Lake, authority: Authority) -> None:
    with authority.served() as url:
        result = lb.seal(filled, tsa=url, certificate=[authority.root])
    old = Path(str(result.token)).read_bytes()
    with answering(lambda peer: peer.sendall(HEAD + old)) as url:
        with pytest.raises(ArchiveError, match="another request"):
            lb.seal(filled, tsa=url, certificate=[authority.root])


def test_an_authority_that_never_ends_is_hung_up(filled: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "TIMEOUT", 1.0)

    def trickle(peer: socket.socket) -> None:
        peer.sendall(HEAD)
        for _ in range(2000):
            time.sleep(0.1)
            peer.sendall(b".")

    def flood(peer: socket.socket) -> None:
        peer.sendall(HEAD)
        for _ in range(4096):
            peer.sendall(bytes(1 << 12))

    def silence(peer: socket.socket) -> None:
        time.sleep(3)

    for answer in (trickle, flood, silence):
        started = time.monotonic()
        with answering(answer) as url, pytest.raises(ArchiveError):
            lb.seal(filled, tsa=url)
        assert time.monotonic() - started < 60


def test_the_command_prints_root_and_token(exported: Path, authority: Authority) -> None:
    done = forked("seal", str(exported), "--json")
    assert done.returncode == 0
    root = json.loads(done.stdout)["root"]
    with authority.served() as url:
        done = forked("seal", str(exported), "--tsa", url)
        assert done.returncode == 1  # nobody here knows this authority
        assert "not verified" in done.stdout
        done = forked("seal", str(exported), "--tsa", url, "--certificate", str(authority.root))
    assert done.returncode == 0
    assert root in done.stdout
    assert "existed by" in done.stdout


# -- verify ----------------------------------------------------------------------------------------


def test_verify_checks_the_seal_of_a_set(exported: Path, authority: Authority, tmp_path: Path) -> None:
    with authority.served() as url:
        sealed = lb.seal(exported, tsa=url, certificate=[authority.root])
    token, root = Path(str(sealed.token)), [authority.root]
    result = lb.verify(exported, seal=token, certificate=root, workers=1)
    assert (result.sound, result.existed_by, result.attested_by) == (True, sealed.at, "Test Stamps")
    for bad in (
        lb.verify(exported, seal=token, workers=1),
        lb.verify(exported, seal=token, certificate=root_of_other(tmp_path), workers=1),
    ):
        assert (bad.sound, bad.existed_by) == (False, None)
        assert "the seal does not hold" in bad.problems[0]
    whole = token.read_bytes()
    assert sealed.at is not None
    second = timedelta(seconds=1)
    written, other = ((sealed.at - n * second).strftime("%Y%m%d%H%M%SZ").encode() for n in (1, 0))
    assert whole.count(written) == 1
    token.write_bytes(whole.replace(written, other))
    assert not lb.verify(exported, seal=token, certificate=root, rows=0, workers=1).sound
    token.write_bytes(whole)
    shard = next(path for path in sorted(exported.rglob("*.jsonl*")))
    content = shard.read_bytes()
    shard.write_bytes(
        content.replace(b"words", b"w0rds", 1)
        if b"words" in content
        else content[:-40] + bytes([content[-40] ^ 1]) + content[-39:]
    )
    found = lb.verify(exported, seal=token, certificate=root, rows=0, workers=1)
    assert not found.sound
    assert found.existed_by is None


def root_of_other(folder: Path) -> list[Path]:
    return [Authority(folder / "other").root]


def test_verify_checks_the_seal_of_a_lake(filled: Lake, authority: Authority, tmp_path: Path) -> None:
    with authority.served() as url:
        sealed = lb.seal(filled, tsa=url, certificate=[authority.root])
    token, root = str(sealed.token), [authority.root]
    result = lb.verify(filled, seal=token, certificate=root, workers=1)
    assert (result.sound, result.existed_by) == (True, sealed.at)
    assert (result.sealed_units, result.unsealed_units) == (2, 0)
    lb.forget(filled, str(tmp_path / "sources" / "b.warc.gz"))
    assert not lb.verify(filled, seal=token, certificate=root, workers=1).sound


def test_the_verify_command_takes_a_seal(exported: Path, authority: Authority) -> None:
    with authority.served() as url:
        lb.seal(exported, tsa=url, certificate=[authority.root])
    words = ["verify", str(exported), "--seal", f"{exported}.seal.tsr", "--quiet"]
    done = forked(*words, "--certificate", str(authority.root))
    assert done.returncode == 0, done.stdout
    assert "existed by" in done.stdout
    assert forked(*words).returncode == 1
