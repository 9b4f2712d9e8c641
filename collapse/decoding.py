"""How a model picks the next token."""

from __future__ import annotations

from dataclasses import dataclass

from collapse.kinds import Kind, parse_kind

KINDS = {
    "greedy": Kind("always the likeliest"),
    "temperature": Kind("T: drawn from the distribution, sharpened below 1 and flattened above", (0.01, 100), 0.3),
    "top-p": Kind(
        "P: drawn from the likeliest tokens that have this share together (Holtzman et al. 2020)", (0.001, 1), 0.9
    ),
    "top-k": Kind("K: drawn from the K likeliest (Fan et al. 2018)", (1, 1e6), 50, is_whole=True),
    "beam": Kind("B: the likeliest of the texts that a search with B beams finds", (2, 64), 5, is_whole=True),
}


@dataclass(frozen=True, slots=True)
class Decoding:
    kind: str
    value: float | None = None

    @staticmethod
    def parse(text: str) -> Decoding:
        """Read `greedy`, `temperature:T`, `top-p:P`, `top-k:K` or `beam:B`.

        >>> Decoding.parse("temperature:0.3")
        Decoding(kind='temperature', value=0.3)

        Raises:
            CollapseError: it is none of these, or its value is out of range.
        """
        return Decoding(*parse_kind("decoding", text, KINDS))
