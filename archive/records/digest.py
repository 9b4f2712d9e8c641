"""The digests that records state, checked against their bytes."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence

#: The algorithms that a WARC may name -> their names in hashlib.
_ALGORITHMS = {
    "sha1": "sha1",
    "sha-1": "sha1",
    "sha256": "sha256",
    "sha-256": "sha256",
    "md5": "md5",
    "sha512": "sha512",
}
_HEX_DIGITS = {"sha1": 40, "sha256": 64, "md5": 32, "sha512": 128}

#: Digests of which anybody can make two different texts with the same one. They show no identity.
WEAK = ("md5:",)

VERIFIED, MISMATCH, ABSENT, UNSUPPORTED, CLAIMED = "verified", "mismatch", "absent", "unsupported", "claimed"


def compute(payload: bytes, algorithm: str = "sha1") -> str:
    """Return a digest as WARC files write it: `sha1:` and base32."""
    digest = hashlib.new(algorithm, payload, usedforsecurity=False).digest()
    return f"{algorithm}:{base64.b32encode(digest).decode().rstrip('=')}"


def normal_form(claim: str | None) -> str | None:
    """Return a stated digest as `compute` writes it, with hexadecimal as base32; None for an unknown algorithm."""
    name, colon, value = (claim or "").strip().partition(":")
    value = value.strip()
    if not colon:
        name, value = ("sha1", name) if re.fullmatch(r"[A-Z2-7]{32}", name) else ("", name)
    algorithm = _ALGORITHMS.get(name.lower())
    if algorithm is None or not value:
        return None
    if len(value) == _HEX_DIGITS[algorithm] and re.fullmatch(r"[0-9a-fA-F]+", value):
        value = base64.b32encode(bytes.fromhex(value)).decode()
    return f"{algorithm}:{value.rstrip('=').upper()}"


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
