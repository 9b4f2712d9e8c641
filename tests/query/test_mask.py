"""Masking replaces what the plain patterns find, however it looks for them."""

from __future__ import annotations

import ipaddress
import re

import pytest
from conftest import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from query.mask import EMAIL, IPV4, IPV6, mask

#: What is looked for, said without regard to speed.
LATIN = "A-Za-z0-9_À-ÖØ-öø-ɏ"
PLAIN_EMAIL = re.compile(
    rf"(?<![{LATIN}.+-])[{LATIN}.!#$%&'*+/=?^`{{|}}~-]{{1,64}}@[\w-]{{1,63}}(?:\.[\w-]{{1,63}}){{1,8}}"
)
PLAIN_IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w]|\.\d)", re.ASCII)
PLAIN_IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])")

PIECES = ["@", ".", ":", "::", "-", "+", "!", " ", "\n", "é", "٣", "_", "a", "f", "x", "1", "25", "255", "8.8.8.8", "a.b",
          "a@b.org", "2001:db8:1::8", "2600:1:2:3:4:5:6:7", "::1", "x" * 63, "y" * 64, "12:30:45", "256.1.1.1"]  # fmt: skip


def plainly(text: str) -> tuple[str, int]:
    count = 0

    def address(found: re.Match[str]) -> str:
        nonlocal count
        try:
            value = ipaddress.ip_address(found[0])
        except ValueError:
            return found[0]
        count += value.is_global
        return (IPV4 if value.version == 4 else IPV6) if value.is_global else found[0]

    text, count = PLAIN_EMAIL.subn(EMAIL, text)
    text = PLAIN_IPV4.sub(address, text)
    return PLAIN_IPV6.sub(address, text), count


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.characters(max_codepoint=0x2FF), max_size=24).map("".join))
def test_all_that_the_plain_patterns_find_is_masked(text: str) -> None:
    assert mask(text) == plainly(text)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("jane.doe+x@site.org, 8.8.8.8", f"{EMAIL}, {IPV4}"),
        ("请发邮件至jane@site.org", f"请发邮件至{EMAIL}"),
        ("josé@münchen.de", EMAIL),
        ("a@b.org@c.org", f"{EMAIL}@c.org"),
        ("x" * 65 + "@site.org", "x" * 65 + "@site.org"),
        ("[2600:1:2:3:4:5:6:7] and 2600::1", f"[{IPV6}] and {IPV6}"),
        ("127.0.0.1 ::1 12:30:45 1.2.3.4.5 std::vector", "127.0.0.1 ::1 12:30:45 1.2.3.4.5 std::vector"),
    ],
)
def test_addresses_that_can_be_reached_are_masked(text: str, masked: str) -> None:
    assert mask(text)[0] == masked
