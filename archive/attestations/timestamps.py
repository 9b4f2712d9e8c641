"""Time stamps: tokens of time-stamp authorities (RFC 3161), and OpenTimestamps proofs.

A time stamp shows that somebody knew a hash, and so the bytes behind it, at a moment. It says nothing of what the bytes
mean. A stamp is verified, with a date; or it is not, with a reason and without a date.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import secrets
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

from archive.errors import SourceError, cause_line
from archive.extras import require

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from opentimestamps.core.timestamp import Timestamp
    from rfc3161_client import SignedData, TimeStampResponse

Kind = Literal["rfc3161", "opentimestamps"]
#: Object identifiers of hashes in tokens, with their names in `hashlib`. SHA-1 and MD5 collide: they bind nothing.
_HASHES = {
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
#: Bytes of the largest token or proof that is read. Real ones have less than 20 KiB.
MAX_STAMP = 1 << 20
_BUFFER = 1 << 20
#: The beginning of a message imprint with a SHA-256, in DER.
_SHA256_IMPRINT = bytes.fromhex("3031300d060960864801650304020105000420")
#: The magic bytes of a detached OpenTimestamps proof.
_OTS_MAGIC = b"\x00OpenTimestamps\x00\x00Proof\x00"
#: A miner's clock may be hours off. A day is more than the rules of Bitcoin allow in practice.
BLOCK_SLACK = timedelta(days=1)
#: The least difficulty of a block that can date a proof. Bitcoin has had more since January 2015.
LEAST_DIFFICULTY = 4e10
#: The target of difficulty 1.
_EASIEST = 0xFFFF << 208


@dataclass(frozen=True, slots=True)
class Stamp:
    """A time stamp after it was checked."""

    kind: Kind
    verified: bool
    at: datetime | None  #: by when the bytes existed, the late end of the accuracy; None where not verified
    by: str  #: the authority, or `Bitcoin block N`, or the calendars
    detail: str = ""  #: why it is not verified
    fits: bool = True  #: whether it is a stamp of these bytes at all, and not of others


def require_libraries(what: str) -> None:
    """Check that the libraries of the extra `evidence` are installed.

    Args:
        what: the command or option that needs them.

    Raises:
        ArchiveError: one is not installed.
    """
    require(what, "evidence", "rfc3161_client", "cryptography", "opentimestamps")


def digests_of(file: BinaryIO) -> dict[str, bytes]:
    """Return the SHA-256, SHA-384 and SHA-512 of a file from where it is to its end."""
    hashes = {name: hashlib.new(name) for name in _HASHES.values()}
    while data := file.read(_BUFFER):
        for each in hashes.values():
            each.update(data)
    return {name: each.digest() for name, each in hashes.items()}


def verify_stamp(
    stamp: bytes,
    digests: Mapping[str, bytes],
    certificates: Sequence[Certificate] | None = None,
    headers: Iterable[bytes] = (),
) -> Stamp:
    """Check a token or a proof, whichever it is.

    Args:
        digests: of the bytes that were stamped, by the name of the hash.
        certificates: root certificates of the authorities to trust; None: those of `known_authorities`.
        headers: Bitcoin block headers that the caller trusts.

    Raises:
        ArchiveError: a library is not installed.
    """
    if stamp.startswith(_OTS_MAGIC):
        return verify_proof(stamp, digests["sha256"], headers)
    return verify_token(stamp, digests, certificates)


# -- RFC 3161 --------------------------------------------------------------------------------------


@lru_cache
def known_authorities(name: Literal["timestamps", "domains"] = "timestamps") -> tuple[Certificate, ...]:
    """Return the root certificates that this distribution trusts where the caller names none."""
    from cryptography import x509

    text = files("archive.attestations").joinpath("authorities").joinpath(f"{name}.pem").read_bytes()
    return tuple(x509.load_pem_x509_certificates(text))


def read_certificates(paths: Iterable[str | os.PathLike[str]]) -> list[Certificate]:
    """Read root certificates from PEM or DER files.

    Raises:
        SourceError: a file cannot be read, or has no certificate.
    """
    certificates: list[Certificate] = []
    if not (paths := list(paths)):
        return certificates
    require_libraries("--certificate")
    from cryptography import x509

    for path in paths:
        try:
            data = Path(path).read_bytes()
            if b"-----BEGIN" in data:
                certificates += x509.load_pem_x509_certificates(data)
            else:
                certificates.append(x509.load_der_x509_certificate(data))
        except OSError as error:
            raise SourceError(f"{path}: {cause_line(error)}") from None
        except ValueError as error:
            raise SourceError(f"{path}: no certificate in PEM or DER ({error})") from None
    return certificates


def verify_token(
    token: bytes,
    digests: Mapping[str, bytes],
    certificates: Sequence[Certificate] | None = None,
    chain: Sequence[Certificate] = (),
) -> Stamp:
    """Check a token of a time-stamp authority: a `TimeStampResp`, or the `TimeStampToken` in it, in DER.

    Its hash must be that of the bytes, and its signature must be that of a certificate for time stamps which was valid
    at that time and leads to one of the trusted roots. Revocation is not checked: that would take the network.

    Args:
        digests: of the bytes that were stamped, by the name of the hash.
        certificates: the trusted roots; None: `known_authorities`.
        chain: certificates that may be missing in the token. They are not trusted.

    Raises:
        ArchiveError: a library is not installed.
    """
    require_libraries("a time stamp")
    from rfc3161_client import VerificationError

    roots = known_authorities() if certificates is None else certificates
    try:
        response = _response(token)
        return _verified_token(response, digests, list(roots), chain)
    except _Refused as error:
        return Stamp("rfc3161", False, None, "", str(error), error.fits)
    except VerificationError as error:
        return Stamp("rfc3161", False, None, "", _reason(str(error)))
    except Exception as error:  # the decoders raise whatever they raise
        return Stamp("rfc3161", False, None, "", f"cannot be read as a time stamp: {error}"[:300], False)


def _reason(text: str) -> str:
    """Return what is wrong out of an error of OpenSSL, which also says where in its source it was found."""
    found = re.search(r'data: "([^"]+)"', text) or re.search(r'reason: "([^"]+)"', text)
    return f"the signature does not hold: {found[1]}" if found else text


class _Refused(Exception):
    """Raised where a stamp proves nothing; its text says why."""

    def __init__(self, why: str, fits: bool = True) -> None:
        super().__init__(why)
        self.fits = fits


def request_of(sha256: bytes) -> tuple[bytes, int]:
    """Return a time-stamp request for a hash, which also asks for the certificates, and the nonce in it."""
    nonce = secrets.randbits(62) | 1 << 62  # 8 bytes
    body = b"\x02\x01\x01" + _SHA256_IMPRINT + sha256 + b"\x02\x08" + nonce.to_bytes(8, "big") + b"\x01\x01\xff"
    return b"\x30" + bytes([len(body)]) + body, nonce


def nonce_of(token: bytes) -> int | None:
    """Return the nonce of a token that was verified, or that `verify_token` could read."""
    nonce: int | None = _response(token).tst_info.nonce
    return nonce


def _response(token: bytes) -> TimeStampResponse:
    from rfc3161_client import decode_timestamp_response

    if len(token) > MAX_STAMP:
        raise _Refused(f"larger than {MAX_STAMP} bytes", fits=False)
    # a response begins with its status, a sequence; a bare token with an object identifier
    response = token if token[_inside(token, 0)] == 0x30 else _as_response(token)
    try:
        return decode_timestamp_response(response)
    except ValueError:
        return decode_timestamp_response(_sorted(response))


def _as_response(token: bytes) -> bytes:
    """Put a bare token into a response with the status `granted`."""
    body = b"\x30\x03\x02\x01\x00" + token
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    length = bytes([len(body)]) if len(body) < 128 else bytes([0x80 | len(size)]) + size
    return b"\x30" + length + body


def _sorted(response: bytes) -> bytes:
    """Return a response with its certificates in the order of DER.

    OpenSSL, and the authorities that run it, write them in any order, which the decoder refuses. No signature covers
    the order, and nothing changes its length.
    """
    status = _inside(response, 0)
    token = _inside(response, _behind(response, status))  # the type of the content, then [0] the content
    version = _inside(response, _inside(response, _behind(response, token)))
    field = _behind(response, _behind(response, _behind(response, version)))  # behind digest algorithms and TSTInfo
    if response[field] != 0xA0:  # no certificates
        return response
    start, end = _inside(response, field), _behind(response, field)
    certificates, at = [], start
    while at < end:
        certificates.append(response[at : _behind(response, at)])
        at = _behind(response, at)
    return response[:start] + b"".join(sorted(certificates)) + response[end:]


def _inside(data: bytes, at: int) -> int:
    """Return where the content of a DER value begins."""
    return at + 2 + (data[at + 1] & 0x7F if data[at + 1] & 0x80 else 0)


def _behind(data: bytes, at: int) -> int:
    """Return where a DER value ends."""
    start = _inside(data, at)
    return start + (int.from_bytes(data[at + 2 : start], "big") if data[at + 1] & 0x80 else data[at + 1])


def _verified_token(
    response: TimeStampResponse,
    digests: Mapping[str, bytes],
    roots: list[Certificate],
    chain: Sequence[Certificate],
) -> Stamp:
    from rfc3161_client import VerifierBuilder

    if response.status != 0:
        why = " ".join(response.status_string)
        raise _Refused(f"the authority refused it: status {response.status} {why}".strip(), fits=False)
    info = response.tst_info
    name = _HASHES.get(info.message_imprint.hash_algorithm.dotted_string)
    if name is None or name not in digests:
        raise _Refused("the hash in it is not SHA-256, SHA-384 or SHA-512", fits=False)
    if info.message_imprint.message != digests[name]:
        raise _Refused("it is for other bytes: the hash in it differs", fits=False)
    if not roots:
        raise _Refused("no certificate of an authority is trusted")
    signer, others = _signer(response.signed_data, chain, roots)
    verifier = VerifierBuilder(tsa_certificate=signer, intermediates=others, roots=roots).build()
    verifier.verify(response, digests[name])
    at = info.gen_time.astimezone(UTC)
    if accuracy := info.accuracy:
        at += timedelta(
            seconds=accuracy.seconds or 0, milliseconds=accuracy.millis or 0, microseconds=accuracy.micros or 0
        )
    return Stamp("rfc3161", True, at, _name(signer))


def _signer(
    signed: SignedData, chain: Sequence[Certificate], roots: Sequence[Certificate]
) -> tuple[Certificate, list[Certificate]]:
    """Return the certificate that signed, and those that may lead from it to a root.

    The verifier takes every certificate it is given for trusted. So those that come with the token are given only where
    no chain can end: the ones that another has issued.
    """
    from cryptography import x509

    embedded = [x509.load_der_x509_certificate(each) for each in signed.certificates]
    if len(signers := list(signed.signer_infos)) != 1:
        raise _Refused(f"it has {len(signers)} signatures, not one")
    given = [*embedded, *chain, *roots]
    found = [
        each for each in given if each.issuer == signers[0].issuer and each.serial_number == signers[0].serial_number
    ]
    if not found:
        raise _Refused("the certificate that signed it is missing")
    others: list[Certificate] = []
    for each in [*embedded, *chain]:
        if each.issuer != each.subject and each not in others and each not in roots and each != found[0]:
            others.append(each)
    if found[0].issuer == found[0].subject and found[0] not in roots:
        raise _Refused("it is signed by a certificate of its own, which is not trusted")
    return found[0], others


def _name(certificate: Certificate) -> str:
    from cryptography.x509.oid import NameOID

    for kind in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        if found := certificate.subject.get_attributes_for_oid(kind):
            return str(found[0].value)
    return certificate.subject.rfc4514_string()


# -- OpenTimestamps --------------------------------------------------------------------------------


def verify_proof(proof: bytes, sha256: bytes, headers: Iterable[bytes] = (), least: float = LEAST_DIFFICULTY) -> Stamp:
    """Check an OpenTimestamps proof as far as that goes without a network.

    A proof leads from the hash of the file to the Merkle root of a Bitcoin block, or to a calendar that has promised a
    block. Only a block header that the caller names dates it. The header must do the work that it states, of at least
    the difficulty `least`; that it is in the chain is for the caller to know.

    Args:
        sha256: of the bytes that were stamped.
        headers: of blocks, 80 bytes each.

    Raises:
        ArchiveError: a library is not installed.
    """
    require_libraries("an OpenTimestamps proof")
    try:
        attested = sorted(_attested(proof, sha256), key=lambda found: (found[1], found[2]))
        blocks = [(digest, what) for digest, kind, what in attested if kind == "block"]
        calendars = ", ".join(dict.fromkeys(what for _, kind, what in attested if kind == "calendar"))
        dates = [(_block_time(header, digest, least), what) for header in headers for digest, what in blocks
                 if header[36:68] == digest]  # fmt: skip
        if dates:
            at, block = min(dates)
            return Stamp("opentimestamps", True, at, f"Bitcoin block {block}")
        if blocks:
            which = ", ".join(dict.fromkeys(what for _, what in blocks))
            raise _Refused(f"unverified: the header of Bitcoin block {which} is needed, and none that is given has it")
        if calendars:
            raise _Refused(f"pending: {calendars} has promised a block; `ots upgrade` asks for it")
        raise _Refused("unverified: it ends in no Bitcoin block")
    except _Refused as error:
        return Stamp("opentimestamps", False, None, "", str(error), error.fits)
    except Exception as error:
        return Stamp("opentimestamps", False, None, "", f"cannot be read as a proof: {error}"[:300], False)


def read_headers(paths: Iterable[str | os.PathLike[str]]) -> list[bytes]:
    """Read Bitcoin block headers, 80 bytes or 160 hexadecimal digits each, one or several in a file.

    Raises:
        SourceError: a file cannot be read, or holds something else.
    """
    headers: list[bytes] = []
    for path in paths:
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise SourceError(f"{path}: {cause_line(error)}") from None
        with contextlib.suppress(ValueError):  # not hexadecimal
            data = bytes.fromhex(data.decode("ascii"))
        if not data or len(data) % 80:
            raise SourceError(f"{path}: a Bitcoin block header has 80 bytes, or 160 hexadecimal digits")
        headers += [data[start : start + 80] for start in range(0, len(data), 80)]
    return headers


def _attested(proof: bytes, sha256: bytes) -> Iterator[tuple[bytes, str, str]]:
    """Yield each end of a proof: the hash there, its kind (block, calendar, other), and the block or calendar."""
    from opentimestamps.core import notary, op
    from opentimestamps.core.serialize import StreamDeserializationContext
    from opentimestamps.core.timestamp import DetachedTimestampFile

    if len(proof) > MAX_STAMP:
        raise _Refused(f"larger than {MAX_STAMP} bytes", fits=False)
    detached = DetachedTimestampFile.deserialize(StreamDeserializationContext(io.BytesIO(proof)))
    if not isinstance(detached.file_hash_op, op.OpSHA256):
        raise _Refused("the hash in it is not SHA-256", fits=False)
    if detached.file_digest != sha256:
        raise _Refused("it is for other bytes: the hash in it differs", fits=False)

    def walk(stamp: Timestamp) -> Iterator[tuple[bytes, str, str]]:
        for each in stamp.attestations:
            if isinstance(each, notary.BitcoinBlockHeaderAttestation):
                yield stamp.msg, "block", str(each.height)
            elif isinstance(each, notary.PendingAttestation):
                yield stamp.msg, "calendar", each.uri
            else:
                yield stamp.msg, "other", ""
        for step, after in stamp.ops.items():
            if not isinstance(step, op.OpSHA1):  # collisions are known: two files could share what follows
                yield from walk(after)

    yield from walk(detached.timestamp)


def _block_time(header: bytes, root: bytes, least: float) -> datetime:
    """Return by when a block existed, from its header."""
    seconds, bits, _ = struct.unpack("<III", header[68:80])
    target = (bits & 0x7FFFFF) << 8 * max((bits >> 24) - 3, 0) >> 8 * max(3 - (bits >> 24), 0)
    work = int.from_bytes(hashlib.sha256(hashlib.sha256(header).digest()).digest(), "little")
    if not target or work > target:
        raise _Refused("the block header has not done the work that it states")
    if _EASIEST / target < least:
        raise _Refused(f"the block header states a difficulty of {_EASIEST / target:.3g}; Bitcoin's is higher")
    return datetime.fromtimestamp(seconds, UTC) + BLOCK_SLACK


def read_stamp(path: str | os.PathLike[str]) -> bytes:
    """Read a token or proof.

    Raises:
        SourceError: the file cannot be read, or is too large to be one.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_STAMP + 1)
    except OSError as error:
        raise SourceError(f"{path}: {cause_line(error)}") from None
    if len(data) > MAX_STAMP:
        raise SourceError(f"{path}: larger than {MAX_STAMP} bytes; a time stamp is not")
    return data
