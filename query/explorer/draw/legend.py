"""What the colours of a picture mean."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup

from archive.evidence.grade import GRADES
from query.explorer.draw.svg import element


def legend(grades: Iterable[str]) -> Markup:
    """Return a line that names the grades by their colours; nothing where there is none."""
    shown = [each for each in sorted(set(grades)) if each in GRADES]
    if not shown:
        return Markup("")
    keys = (
        element("span", f"{each}, {GRADES[each].name}", class_=f"key grade-{each.lower()}") for each in shown
    )  # fmt: skip
    return element("p", "Grade of the evidence: ", *keys, class_="legend")
