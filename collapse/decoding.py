"""How a model picks the next token."""

from __future__ import annotations

from dataclasses import dataclass

from archive.errors import CollapseError

#: name -> (least value, greatest, what it says)
KINDS = {
    "greedy": (None, None, "always the likeliest"),
    "temperature": (0.01, 100.0, "T: drawn from the distribution, sharpened below 1 and flattened above"),
    "top-p": (0.001, 1.0, "P: drawn from the likeliest tokens that have this share together (Holtzman et al. 2020)"),
    "top-k": (1.0, 1e6, "K: drawn from the K likeliest (Fan et al. 2018)"),
    "beam": (2.0, 64.0, "B: the likeliest of the texts that a search with B beams finds"),
}


@dataclass(frozen=True, slots=True)
class Decoding:
    kind: str
    value: float | None = None

    @staticmethod
    def parse(text: str) -> Decoding:
        """From `greedy`, `temperature:T`, `top-p:P`, `top-k:K` or `beam:B`.

        >>> Decoding.parse("temperature:0.3")
        Decoding(kind='temperature', value=0.3)

        Raises:
            CollapseError: it is none of these, or its value lies outside the range.
        """
        kind, _, number = text.partition(":")
        if kind not in KINDS:
            raise CollapseError(f"decoding {text}: there are {', '.join(KINDS)}")
        least, greatest, _ = KINDS[kind]
        if least is None or greatest is None:
            if number:
                raise CollapseError(f"decoding {text}: {kind} takes no value")
            return Decoding(kind)
        try:
            value = float(number)
        except ValueError:
            raise CollapseError(f"decoding {text}: write it as {kind}:{least:g}, say") from None
        if not least <= value <= greatest or (kind in ("top-k", "beam") and value != int(value)):
            whole = "a whole number " if kind in ("top-k", "beam") else ""
            raise CollapseError(f"decoding {text}: {whole}from {least:g} to {greatest:g}")
        return Decoding(kind, value)
