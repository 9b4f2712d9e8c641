"""Time stamps: what `openssl ts` signs verifies, and what OpenSSL refuses does not."""

from __future__ import annotations

import hashlib
import io
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from authority import Authority, openssl
from cryptography import x509
from opentimestamps.core import notary, op
from opentimestamps.core.serialize import BytesSerializationContext
from opentimestamps.core.timestamp import DetachedTimestampFile, Timestamp

from archive.attestations.timestamps import (
    BLOCK_SLACK,
    Stamp,
    digests_of,
    read_certificates,
    read_headers,
    verify_proof,
    verify_stamp,
    verify_token,
)
from archive.errors import SourceError

DATA = b"bytes that existed"
#: Header of Bitcoin block 358391, from the public chain.
BLOCK = bytes.fromhex(
    "02000000b96394585a281b7e5f438fd1c9ed492645a1fd61cb3802040000000000000000007ee445d23ad061af4a36b809501fab1ac4f2d7"
    "e7a739817dd0cbb7ec661b8a1e376755f58616186272def6"
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tsa") / "a", accuracy=7)


def digests(data: bytes = DATA) -> dict[str, bytes]:
    return digests_of(io.BytesIO(data))


def checked(token: bytes, authority: Authority, data: bytes = DATA) -> Stamp:
    return verify_token(token, digests(data), read_certificates([authority.root]))


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_a_token_verifies_with_the_certificate_of_its_authority(authority: Authority, algorithm: str) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    token = authority.stamp(DATA, algorithm)
    assert authority.judges(token, DATA)
    stamp = checked(token, authority)
    assert stamp.verified, stamp.detail
    assert stamp.by == "Test Stamps"
    assert stamp.at is not None
    accuracy = timedelta(seconds=7)  # the late end counts
    assert before + accuracy <= stamp.at <= datetime.now(UTC) + accuracy


def test_other_bytes_do_not_verify(authority: Authority) -> None:
    token = authority.stamp(DATA)
    for data in (DATA + b".", b"", b"B" + DATA[1:]):
        assert not authority.judges(token, data)
        stamp = checked(token, authority, data)
        assert (stamp.verified, stamp.at) == (False, None)
        assert "other bytes" in stamp.detail


def test_a_second_more_or_less_does_not_verify(authority: Authority) -> None:
    token = authority.stamp(DATA)
    stamp = checked(token, authority)
    assert stamp.at is not None
    written = (stamp.at - timedelta(seconds=7)).strftime("%Y%m%d%H%M%SZ").encode()
    assert token.count(written) == 1
    for seconds in (-8, -6):
        other = (stamp.at + timedelta(seconds=seconds)).strftime("%Y%m%d%H%M%SZ").encode()
        forged = token.replace(written, other)
        assert not authority.judges(forged, DATA)
        assert not checked(forged, authority).verified


def test_no_changed_byte_gives_another_date(authority: Authority) -> None:
    token = authority.stamp(DATA)
    true = checked(token, authority)
    accepted = 0
    for place in range(len(token)):
        forged = token[:place] + bytes([token[place] ^ 1]) + token[place + 1 :]
        stamp = checked(forged, authority)
        if stamp.verified:  # a byte that nothing depends on: of a certificate that is not needed
            accepted += 1
            assert (stamp.at, stamp.by) == (true.at, true.by)
            assert authority.judges(forged, DATA), place
    assert accepted < len(token) / 20


def test_a_cut_token_and_other_bytes_are_no_tokens(authority: Authority) -> None:
    token = authority.stamp(DATA)
    for bad in (b"", b"\x30", token[:-1], token + b"\0", b"\0" * 2000, b"<html>", DATA):
        assert not checked(bad, authority).verified


def test_an_authority_that_is_not_trusted_proves_nothing(authority: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path / "stranger")
    token = stranger.stamp(DATA)
    assert stranger.judges(token, DATA)
    assert checked(token, stranger).verified
    assert not checked(token, authority).verified  # of the same names, but other keys
    assert not verify_token(token, digests()).verified  # nor one of those known here
    assert not verify_token(token, digests(), []).verified
    for chain in ([stranger.root], [stranger.middle], [stranger.root, stranger.middle]):
        given = read_certificates(chain)
        assert not verify_token(token, digests(), read_certificates([authority.root]), given).verified
    assert not verify_token(token, digests(), read_certificates([stranger.middle])).verified  # no root


def test_the_certificate_of_the_signer_may_be_given_apart(authority: Authority) -> None:
    token = authority.stamp(DATA, certificates=False)
    signer, middle, roots = (read_certificates([each]) for each in (authority.signer, authority.middle, authority.root))
    assert "is missing" in verify_token(token, digests(), roots, middle).detail
    assert not verify_token(token, digests(), roots, signer).verified
    assert verify_token(token, digests(), roots, [*middle, *signer]).verified


def test_sha1_binds_nothing(authority: Authority) -> None:
    token = authority.stamp(DATA, "sha1")
    assert authority.judges(token, DATA)
    assert "SHA-256" in checked(token, authority).detail


def test_a_bare_token_is_a_token_too(authority: Authority, tmp_path: Path) -> None:
    token = authority.stamp(DATA)
    (tmp_path / "response").write_bytes(token)
    openssl("ts", "-reply", "-in", tmp_path / "response", "-token_out", "-out", tmp_path / "bare")
    bare = (tmp_path / "bare").read_bytes()
    assert len(bare) < len(token)
    assert checked(bare, authority) == checked(token, authority)
    assert checked(token, authority).verified


def test_what_is_no_certificate_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No such file"):
        read_certificates([tmp_path / "none.pem"])
    (tmp_path / "a.pem").write_bytes(b"nothing")
    with pytest.raises(SourceError, match="no certificate"):
        read_certificates([tmp_path / "a.pem"])


def test_der_is_a_form_of_certificates_too(authority: Authority, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding

    root = x509.load_pem_x509_certificate(authority.root.read_bytes())
    (tmp_path / "root.der").write_bytes(root.public_bytes(Encoding.DER))
    assert read_certificates([tmp_path / "root.der"]) == [root]


# -- OpenTimestamps --------------------------------------------------------------------------------


def proof(*ends: tuple[list[op.UnaryOp | op.BinaryOp], notary.TimeAttestation], data: bytes = DATA) -> bytes:
    """A proof for some bytes: steps, and what they end in."""
    stamp = Timestamp(hashlib.sha256(data).digest())
    for steps, end in ends:
        at = stamp
        for step in steps:
            at = at.ops.add(step)
        at.attestations.add(end)
    context = BytesSerializationContext()
    DetachedTimestampFile(op.OpSHA256(), stamp).serialize(context)
    return context.getbytes()


STEPS = [op.OpAppend(b"salt"), op.OpSHA256(), op.OpPrepend(b"left"), op.OpSHA256(), op.OpSHA256()]


def mined(root: bytes, at: int, bits: int = 0x207FFFFF) -> bytes:
    """A block header of almost no difficulty."""
    for nonce in range(1000):
        header = b"\2\0\0\0" + bytes(32) + root + struct.pack("<III", at, bits, nonce)
        if int.from_bytes(hashlib.sha256(hashlib.sha256(header).digest()).digest(), "little") <= 0x7FFFFF << 8 * 29:
            return header
    raise AssertionError


def end_of(steps: list[op.UnaryOp | op.BinaryOp], data: bytes = DATA) -> bytes:
    message = hashlib.sha256(data).digest()
    for step in steps:
        message = step(message)
    return message


def sha256(data: bytes = DATA) -> bytes:
    return hashlib.sha256(data).digest()


def test_a_proof_without_its_block_is_not_verified() -> None:
    given = proof((STEPS, notary.BitcoinBlockHeaderAttestation(800_000)))
    stamp = verify_proof(given, sha256())
    assert (stamp.verified, stamp.at) == (False, None)
    assert "block 800000 is needed" in stamp.detail
    assert not verify_proof(given, sha256(), [BLOCK]).verified


def test_a_promise_of_a_calendar_is_pending() -> None:
    stamp = verify_proof(proof((STEPS, notary.PendingAttestation("https://a.example"))), sha256())
    assert (stamp.verified, stamp.at) == (False, None)
    assert stamp.detail.startswith("pending: https://a.example")


def test_the_header_of_its_block_dates_a_proof() -> None:
    given = proof(
        ([op.OpSHA256()], notary.PendingAttestation("https://a.example")),
        (STEPS, notary.BitcoinBlockHeaderAttestation(800_000)),
    )
    header = mined(end_of(STEPS), 1_600_000_000)
    stamp = verify_proof(given, sha256(), [BLOCK, header], least=0)
    assert stamp == Stamp(
        "opentimestamps", True, datetime.fromtimestamp(1_600_000_000, UTC) + BLOCK_SLACK, "Bitcoin block 800000"
    )
    easy = verify_proof(given, sha256(), [header])  # anybody can make such a block
    assert not easy.verified
    assert "difficulty" in easy.detail
    for place in range(80):
        forged = header[:place] + bytes([header[place] ^ 0x80]) + header[place + 1 :]
        found = verify_proof(given, sha256(), [forged])
        assert not found.verified, place
    assert "other bytes" in verify_proof(given, sha256(b"x"), [header], least=0).detail


def test_a_real_block_has_done_its_work() -> None:
    given = proof(([], notary.BitcoinBlockHeaderAttestation(358391)))
    message = BLOCK[36:68]  # as if this were the hash of the file
    stamp = Timestamp(message)
    stamp.attestations.add(notary.BitcoinBlockHeaderAttestation(358391))
    context = BytesSerializationContext()
    DetachedTimestampFile(op.OpSHA256(), stamp).serialize(context)
    found = verify_proof(context.getbytes(), message, [BLOCK])
    assert found.at == datetime(2015, 5, 28, 15, 41, 18, tzinfo=UTC) + BLOCK_SLACK
    assert not verify_proof(given, sha256(), [BLOCK]).verified
    for place in range(68, 80):  # its time, its difficulty, its nonce
        forged = BLOCK[:place] + bytes([BLOCK[place] ^ 1]) + BLOCK[place + 1 :]
        assert not verify_proof(context.getbytes(), message, [forged]).verified


def test_what_goes_through_sha1_proves_nothing() -> None:
    steps = [op.OpSHA1(), op.OpSHA256()]
    given = proof((steps, notary.BitcoinBlockHeaderAttestation(1)))
    assert not verify_proof(given, sha256(), [mined(end_of(steps), 1_600_000_000)], least=0).verified


def test_damaged_proofs_are_told_from_others() -> None:
    given = proof((STEPS, notary.BitcoinBlockHeaderAttestation(1)))
    header = mined(end_of(STEPS), 1_600_000_000)
    for cut in range(len(given)):
        assert not verify_proof(given[:cut], sha256(), [header], least=0).verified
    assert not verify_proof(given + b"\0" * (1 << 21), sha256(), [header], least=0).verified
    deep = proof(([op.OpSHA256()] * 255, notary.BitcoinBlockHeaderAttestation(1)))
    assert "is needed" in verify_proof(deep, sha256()).detail


def test_either_kind_is_known_by_its_beginning(authority: Authority) -> None:
    roots = read_certificates([authority.root])
    assert verify_stamp(authority.stamp(DATA), digests(), roots).kind == "rfc3161"
    given = proof((STEPS, notary.BitcoinBlockHeaderAttestation(1)))
    assert verify_stamp(given, digests(), roots).kind == "opentimestamps"


def test_headers_are_read_from_bytes_and_from_digits(tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(BLOCK * 2)
    (tmp_path / "hex").write_text(BLOCK.hex() + "\n")
    assert read_headers([tmp_path / "raw", tmp_path / "hex"]) == [BLOCK] * 3
    (tmp_path / "bad").write_bytes(BLOCK[:-1])
    with pytest.raises(SourceError, match="80 bytes"):
        read_headers([tmp_path / "bad"])
