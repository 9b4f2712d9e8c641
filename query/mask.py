"""E-mail and IP addresses in a text, replaced by ones that belong to nobody (RFC 2606, 3849 and 5737)."""

from __future__ import annotations

import ipaddress
import re

EMAIL, IPV4, IPV6 = "email@example.com", "192.0.2.1", "2001:db8::1"

#: Bounded in each part, as mail servers bound them (RFC 5321), so that no text takes long.
_EMAIL = re.compile(r"(?<![\w.+-])[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}")
_IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w]|\.\d)", re.ASCII)
_IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])")


def mask(text: str) -> tuple[str, int]:
    """The text with its addresses replaced, and how many there were.

    Of IP addresses only those that can be reached from outside are replaced; `127.0.0.1` stays. Version numbers of
    four parts read like addresses and go, as in the tools that others use.

    >>> mask("Mail jane.doe@site.org from 8.8.8.8, not 10.0.0.1.")
    ('Mail email@example.com from 192.0.2.1, not 10.0.0.1.', 2)
    """
    count = 0

    def email(_: re.Match[str]) -> str:
        nonlocal count
        count += 1
        return EMAIL

    def address(found: re.Match[str]) -> str:
        nonlocal count
        try:
            value = ipaddress.ip_address(found[0])
        except ValueError:
            return found[0]
        if not value.is_global:
            return found[0]
        count += 1
        return IPV4 if value.version == 4 else IPV6

    if "@" in text:
        text = _EMAIL.sub(email, text)
    text = _IPV4.sub(address, text)
    if "::" in text or text.count(":") > 6:
        text = _IPV6.sub(address, text)
    return text, count
