"""`archive attest`: what a time stamp shows of a file is in the lake."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from authority import Authority
from conftest import members, record, take
from forked import forked
from opentimestamps.core import notary
from test_timestamps import STEPS, end_of, mined, proof

import lowbackground as lb
from archive import bounds
from archive.attestations import timestamps
from archive.errors import LakeError, SourceError
from archive.lake import Lake
from archive.tables import ATTESTATIONS

Write = Callable[[str, bytes], str]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tsa") / "a")


@pytest.fixture
def source(lake: Lake, write: Write) -> str:
    source = write("a.warc.gz", members(record(), record(url="http://e.example/")))
    take(lake, source)
    return source


def stamp(authority: Authority, source: str, folder: Path) -> Path:
    path = folder / "a.tsr"
    path.write_bytes(authority.stamp(Path(source).read_bytes()))
    return path


def test_a_verified_time_stamp_bounds_the_file(lake: Lake, source: str, authority: Authority, tmp_path: Path) -> None:
    token = stamp(authority, source, tmp_path)
    result = lb.attest(lake, source, token, certificate=[authority.root])
    sha256 = hashlib.sha256(Path(source).read_bytes()).hexdigest()
    assert (result.verified, result.kind, result.subject_sha256) == (True, "rfc3161", sha256)
    assert (result.by, result.captures, result.added) == ("Test Stamps", 2, True)
    (row,) = lake.read("attestations").to_pylist()
    assert row == {
        "subject_sha256": sha256,
        "kind": "rfc3161",
        "at": result.at,
        "by": "Test Stamps",
        "token": token.read_bytes(),
        "verified": True,
    }
    assert bounds.of_files(lake) == {sha256: {"A": (result.at, "Test Stamps", "A")}}
    assert not lb.attest(lake, source, token, certificate=[authority.root]).added
    assert lake.rows("attestations") == 1


def test_of_several_time_stamps_the_earliest_bounds(
    lake: Lake, source: str, authority: Authority, tmp_path: Path
) -> None:
    first = lb.attest(lake, source, stamp(authority, source, tmp_path), certificate=[authority.root])
    later = lb.attest(lake, source, stamp(authority, source, tmp_path), certificate=[authority.root])
    assert lake.rows("attestations") == 2
    assert later.at is not None
    assert first.at is not None
    assert bounds.of_files(lake)[first.subject_sha256]["A"].at == min(first.at, later.at)


def test_an_unknown_authority_is_kept_as_not_verified(
    lake: Lake, source: str, authority: Authority, tmp_path: Path
) -> None:
    result = lb.attest(lake, source, stamp(authority, source, tmp_path))
    assert (result.verified, result.at) == (False, None)
    assert lake.read("attestations", ["at", "verified"]).to_pylist() == [{"at": None, "verified": False}]
    assert bounds.of_files(lake) == {}
    # when its certificate is trusted later, the same token verifies
    assert lb.attest(lake, source, tmp_path / "a.tsr", certificate=[authority.root]).verified
    assert len(bounds.of_files(lake)) == 1


def test_a_time_stamp_of_other_bytes_is_refused(
    lake: Lake, source: str, authority: Authority, tmp_path: Path, write: Write
) -> None:
    token = stamp(authority, source, tmp_path)
    other = write("b.warc.gz", members(record(body="other")))
    for file, named in ((other, token), (source, Path(other)), (source, Path(source))):
        with pytest.raises(SourceError, match="no time stamp of"):
            lb.attest(lake, file, named, certificate=[authority.root])
    with pytest.raises(SourceError):
        lb.attest(lake, tmp_path / "none", token)
    with pytest.raises(SourceError):
        lb.attest(lake, source, tmp_path / "none")
    assert not lake.has(ATTESTATIONS)
    with pytest.raises(LakeError, match="no lake"):
        lb.attest(tmp_path / "nothing", source, token)


def test_a_proof_is_pending_until_its_block_is_given(
    lake: Lake, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = Path(source).read_bytes()
    path, header = tmp_path / "a.ots", tmp_path / "block.hex"
    path.write_bytes(proof((STEPS, notary.BitcoinBlockHeaderAttestation(7)), data=data))
    header.write_text(mined(end_of(STEPS, data), 1_500_000_000).hex())
    assert not lb.attest(lake, source, path).verified
    assert not lb.attest(lake, source, path, block_header=[header]).verified  # of no difficulty
    monkeypatch.setattr(timestamps.verify_proof, "__defaults__", ((), 0))
    result = lb.attest(lake, source, path, block_header=[header])
    assert (result.kind, result.by, result.verified) == ("opentimestamps", "Bitcoin block 7", True)


def test_the_command_exits_with_1_where_nothing_is_verified(
    lake: Lake, source: str, authority: Authority, tmp_path: Path
) -> None:
    token = stamp(authority, source, tmp_path)
    words = ["attest", source, str(token), "--lake", lake.location]
    assert forked(*words).returncode == 1
    done = forked(*words, "--certificate", str(authority.root), "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["verified"] is True
    done = forked(*words, "--certificate", str(authority.root))
    assert "existed by" in done.stdout
    assert "had this time stamp already" in done.stdout
    assert forked("attest", str(token), str(token), "--lake", lake.location, check=False).returncode == 2
