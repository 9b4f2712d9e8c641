"""Digests that records state: in base32, base64 or hexadecimal, with or without the name of the algorithm."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.records.digest import ABSENT, MISMATCH, UNSUPPORTED, VERIFIED, check, compute, normal_form

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
        SHA1.hex(),
        SHA256.hex(),
        f"SHA1:{base64.b32encode(SHA1).decode().lower()}",
        f"sha1:{base64.b64encode(SHA1).decode()}",
        f"Sha256:{base64.b64encode(SHA256).decode()}",
        f"sha256:{base64.urlsafe_b64encode(SHA256).decode().rstrip('=')}",
        f"sha-512:{base64.urlsafe_b64encode(hashlib.sha512(BODY).digest()).decode()}",
        f"SHA_384:{hashlib.sha384(BODY).hexdigest().upper()}",
    ],
)
def test_a_digest_that_agrees_is_verified_in_any_form(claim: str) -> None:
    computed, outcome = check([claim], b"another reading", BODY)
    assert outcome == VERIFIED
    assert computed in {compute(BODY, algorithm) for algorithm in ("sha1", "sha256", "sha384", "sha512")}


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


@given(st.binary(max_size=40), st.binary(max_size=40), st.sampled_from(["sha1", "sha256", "sha384", "sha512", "md5"]))
def test_all_spellings_of_a_digest_have_one_normal_form_and_two_digests_never_the_same(
    one: bytes, other: bytes, algorithm: str
) -> None:
    found = {spelling(one, algorithm) for spelling in SPELLINGS}
    assert {normal_form(each) for each in found} == {compute(one, algorithm)}
    if one != other:
        assert compute(one, algorithm) not in {normal_form(spelling(other, algorithm)) for spelling in SPELLINGS}


def _raw(body: bytes, algorithm: str) -> bytes:
    return hashlib.new(algorithm, body).digest()


SPELLINGS: tuple[Callable[[bytes, str], str], ...] = (
    lambda body, name: f"{name}:{_raw(body, name).hex()}",
    lambda body, name: f"{name.upper()}:{_raw(body, name).hex().upper()}",
    lambda body, name: f" {name} : {base64.b32encode(_raw(body, name)).decode()} ",
    lambda body, name: f"{name}:{base64.b32encode(_raw(body, name)).decode().rstrip('=').lower()}",
    lambda body, name: f"{name[:-3]}-{name[-3:]}:{base64.b64encode(_raw(body, name)).decode()}",
    lambda body, name: f"{name}:{base64.urlsafe_b64encode(_raw(body, name)).decode().rstrip('=')}",
)


@pytest.mark.parametrize("value", ["", "=", "é" * 32, "A" * 31 + "1", "A" * 26 + "!", "0" * 39, "g" * 40])
def test_what_is_no_digest_fits_nothing(value: str) -> None:
    assert check([f"sha1:{value}"], BODY)[1] in {MISMATCH, UNSUPPORTED}
