"""The digests that records state, checked against their bytes."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence

#: The algorithms that are checked, by their names in hashlib -> bytes of a digest.
_SIZES = {"sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64, "md5": 16}
_HEX = re.compile(r"[0-9a-fA-F]+")
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_BASE32 = re.compile(r"[A-Za-z2-7]+")
_BASE64 = re.compile(r"[A-Za-z0-9+/]+")
#: A digest without the name of its algorithm, which its form shows: of Heritrix and of CDX files.
_BARE = {"sha1": re.compile(r"[A-Z2-7]{32}|[0-9a-f]{40}"), "sha256": re.compile(r"[0-9a-f]{64}")}

#: Digests of which anybody can make two different texts with the same one. They show no identity.
WEAK = ("md5:",)

VERIFIED, MISMATCH, ABSENT, UNSUPPORTED, CLAIMED = "verified", "mismatch", "absent", "unsupported", "claimed"


def compute(payload: bytes, algorithm: str = "sha1") -> str:
    """Return a digest as WARC files write it: `sha1:` and base32."""
    return f"{algorithm}:{_base32(hashlib.new(algorithm, payload, usedforsecurity=False).digest())}"


def normal_form(claim: str | None) -> str | None:
    """Return a stated digest as `compute` writes it; None for an unknown algorithm.

    Writers have base32 (in any case), hexadecimal and base64 (also with the alphabet for URLs), with padding or without
    it. The three have different lengths, so none is taken for another. What is none of them is returned as it is: it
    fits no bytes.

    >>> normal_form("SHA-256:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU")
    'sha256:4OYMIQUY7QOBJGX36TEJS35ZEQT24QPEMSNZGTFESWMRW6CSXBKQ'
    """
    name, colon, value = (claim or "").strip().partition(":")
    if not colon:
        name, value = next((each for each, pattern in _BARE.items() if pattern.fullmatch(name)), ""), name
    algorithm = name.strip().lower().replace("-", "").replace("_", "")
    value = value.strip().rstrip("=")
    if algorithm not in _SIZES or not value:
        return None
    size = _SIZES[algorithm]
    if len(value) == -(-size * 8 // 5) and _BASE32.fullmatch(value):  # most writers have it
        value = value.upper()
        spare = len(value) * 5 - size * 8
        if _ALPHABET.index(value[-1]) % (1 << spare) == 0:
            return f"{algorithm}:{value}"
    raw = _bytes_of(value, size)
    return f"{algorithm}:{value}" if raw is None else f"{algorithm}:{_base32(raw)}"


def _bytes_of(value: str, size: int) -> bytes | None:
    """Return the bytes of a digest in hexadecimal, base32 or base64 without padding; None where it is none."""
    if len(value) == size * 2 and _HEX.fullmatch(value):
        return bytes.fromhex(value)
    if len(value) == -(-size * 8 // 5) and _BASE32.fullmatch(value):
        return base64.b32decode(value.upper() + "=" * (-len(value) % 8))
    plain = value.replace("-", "+").replace("_", "/")
    if len(value) == -(-size * 8 // 6) and _BASE64.fullmatch(plain):
        return base64.b64decode(plain + "=" * (-len(value) % 4))
    return None


def _base32(raw: bytes) -> str:
    return base64.b32encode(raw).decode().rstrip("=")


def check(claims: Sequence[str], *readings: bytes) -> tuple[str, str]:
    """Compare the stated digests with the bytes. Returns the digest of the bytes, never a claim, and the outcome.

    Writers disagree on what a payload digest covers: the body as transferred, or with its chunks joined. So each
    reading is tried. A claim that the bytes contradict must not connect a revisit to a text; nor may MD5, of which the
    outcome is `unsupported` where it fits. Of several claims, each must fit.
    """
    digest, outcome = "", ABSENT
    for claim in claims:
        if not claim.strip():
            continue
        expected = normal_form(claim)
        if expected is None:
            outcome = UNSUPPORTED if outcome == ABSENT else outcome
            continue
        algorithm = expected.partition(":")[0]
        if not any(compute(reading, algorithm) == expected for reading in readings):
            return compute(readings[0]), MISMATCH
        if expected.startswith(WEAK):
            outcome = UNSUPPORTED if outcome == ABSENT else outcome
        elif outcome != VERIFIED:
            digest, outcome = expected, VERIFIED
    return digest or compute(readings[0]), outcome
