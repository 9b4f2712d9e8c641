"""E-mail and IP addresses in a text, replaced by ones that belong to nobody (RFC 2606, 3849 and 5737)."""

from __future__ import annotations

import ipaddress
import re

EMAIL, IPV4, IPV6 = "email@example.com", "192.0.2.1", "2001:db8::1"

#: Each pattern begins with what is rare in a text, so that `re` can skip to it; what is in front is matched afterwards.
#: Each part is bounded, as mail servers bound it (RFC 5321), so that no text takes long.
_DOMAIN = re.compile(r"@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
#: Only Latin letters: in scripts without spaces the sentence in front is not separated from an address.
_LETTERS = "A-Za-z0-9_À-ÖØ-öø-ɏ"
_LOCAL = re.compile(rf"(?<![{_LETTERS}.+-])[{_LETTERS}.!#$%&'*+/=?^`{{|}}~-]{{1,64}}\Z")
_IPV4 = re.compile(r"\d(?<![\w.]\d)\d{0,2}(?:\.\d{1,3}){3}(?![\w]|\.\d)", re.ASCII)
_COLONS = re.compile(r":(?::|(?:[0-9A-Fa-f]{1,4}:){6})")  # in every IPv6 address
_IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])")


def mask(text: str) -> tuple[str, int]:
    """Replace the addresses in a text. Returns the text, and how many there were.

    Only IP addresses that can be reached from outside are replaced; `127.0.0.1` stays. Version numbers of four parts
    look like addresses and are replaced too, as by other tools.

    >>> mask("Mail jane.doe@site.org from 8.8.8.8, not 10.0.0.1.")
    ('Mail email@example.com from 192.0.2.1, not 10.0.0.1.', 2)
    """
    text, count = _mask_emails(text)

    def address(match: re.Match[str]) -> str:
        nonlocal count
        try:
            value = ipaddress.ip_address(match[0])
        except ValueError:
            return match[0]
        if not value.is_global:
            return match[0]
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
