"""Digests that records state: in base32 or hexadecimal, with or without the name of the algorithm."""

from __future__ import annotations

import base64
import hashlib

import pytest

from archive.records.digest import ABSENT, MISMATCH, UNSUPPORTED, VERIFIED, check, compute

BODY = b"The payload."
SHA1 = hashlib.sha1(BODY).digest()
SHA256 = hashlib.sha256(BODY).digest()


@pytest.mark.parametrize(
    "claim",
    [
        compute(BODY),
        compute(BODY).lower().replace("sha1", "SHA-1"),
        compute(BODY, "sha256"),
        compute(BODY, "sha512"),
        f"sha256:{base64.b32encode(SHA256).decode()}",  # with its padding
        f"sha1:{SHA1.hex()}",
        f"sha-256: {SHA256.hex().upper()}",
        base64.b32encode(SHA1).decode(),
    ],
)
def test_a_digest_that_agrees_is_verified_in_any_form(claim: str) -> None:
    computed, outcome = check([claim], b"another reading", BODY)
    assert outcome == VERIFIED
    assert computed in {compute(BODY, algorithm) for algorithm in ("sha1", "sha256", "sha512")}


@pytest.mark.parametrize(
    ("claim", "outcome"),
    [
        (None, ABSENT),
        ("  ", ABSENT),
        ("crc32:AAAA", UNSUPPORTED),
        ("no digest", UNSUPPORTED),
        (compute(b"another payload"), MISMATCH),
        (compute(BODY) + "A", MISMATCH),
        (compute(BODY)[:-1], MISMATCH),
        ("sha1:!!!!", MISMATCH),
        (f"sha1:{SHA256.hex()}", MISMATCH),
    ],
)
def test_what_does_not_agree_is_never_taken_over(claim: str | None, outcome: str) -> None:
    assert check([claim] if claim else [], BODY) == (compute(BODY), outcome)


def test_md5_that_fits_verifies_nothing_and_one_that_does_not_is_a_mismatch() -> None:
    assert check([compute(BODY, "md5")], BODY) == (compute(BODY), UNSUPPORTED)
    assert check([compute(b"another payload", "md5")], BODY) == (compute(BODY), MISMATCH)


def test_each_of_several_claims_must_fit() -> None:
    assert check([compute(BODY), compute(BODY, "sha256")], BODY) == (compute(BODY), VERIFIED)
    assert check([compute(BODY), compute(b"another payload")], BODY)[1] == MISMATCH
