"""E-mail and IP addresses in a text, replaced by ones that belong to nobody (RFC 2606, 3849 and 5737)."""

from __future__ import annotations

import ipaddress
import re

EMAIL, IPV4, IPV6 = "email@example.com", "192.0.2.1", "2001:db8::1"

#: Each begins with what is rare in a text, which `re` then leaps to; what stands in front is looked at afterwards.
#: Bounded in each part, as mail servers bound them (RFC 5321), so that no text takes long.
_DOMAIN = re.compile(r"@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
#: Of Latin letters alone: in scripts without spaces a sentence stands right in front.
_LETTERS = "A-Za-z0-9_À-ÖØ-öø-ɏ"
_LOCAL = re.compile(rf"(?<![{_LETTERS}.+-])[{_LETTERS}.!#$%&'*+/=?^`{{|}}~-]{{1,64}}\Z")
_IPV4 = re.compile(r"\d(?<![\w.]\d)\d{0,2}(?:\.\d{1,3}){3}(?![\w]|\.\d)", re.ASCII)
_COLONS = re.compile(r":(?::|(?:[0-9A-Fa-f]{1,4}:){6})")  # in every IPv6 address
_IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])")


def mask(text: str) -> tuple[str, int]:
    """The text with its addresses replaced, and how many there were.

    Of IP addresses only those that can be reached from outside are replaced; `127.0.0.1` stays. Version numbers of
    four parts read like addresses and go, as in the tools that others use.

    >>> mask("Mail jane.doe@site.org from 8.8.8.8, not 10.0.0.1.")
    ('Mail email@example.com from 192.0.2.1, not 10.0.0.1.', 2)
    """
    text, count = _mask_emails(text)

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

    text = _IPV4.sub(address, text)
    if _COLONS.search(text):
        text = _IPV6.sub(address, text)
    return text, count


def _mask_emails(text: str) -> tuple[str, int]:
    parts: list[str] = []
    end = 0
    for domain in _DOMAIN.finditer(text):
        at = domain.start()
        if local := _LOCAL.search(text, max(end, at - 64), at):
            parts += text[end : local.start()], EMAIL
            end = domain.end()
    return "".join(parts) + text[end:], len(parts) // 2
