"""Verify: goes back to the bytes of the record that dates a text, and shows line by line what agrees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from archive.errors import visible_line
from archive.sources.base import scheme_of
from query.explorer.context import Context
from query.explorer.page import Answer, Page, to
from query.explorer.pages.text import resolved
from query.explorer.parameters import Parameter, content_id
from query.verify.one_text import RecordCheck

#: What a verdict means, by `Finding.kind`, the worst first.
_VERDICTS = {
    "differs": "does not agree",
    "gone": "cannot be read",
    "unchecked": "could not be compared",
    "agrees": "agrees",
}


@dataclass(frozen=True, slots=True)
class VerifyPage:
    """What the page shows."""

    content_id: str
    was_asked: bool  #: somebody pressed the button
    kind: str | None  #: the worst of the records': `agrees`, `gone`, `differs`, `unchecked`
    sentence: str
    records: tuple[RecordCheck, ...]


def answer(context: Context, parameters: Mapping[str, Any]) -> Answer:
    """Compare the capture that dates a text with its record, once somebody asks for it.

    Raises:
        NotThere: the lake has no such text.
        Busy: another text is being verified, or it takes too long.
    """
    own = resolved(context, parameters["content_id"])
    records = context.check(own) if context.posted else ()
    kind = next((kind for kind in _VERDICTS if any(each.kind == kind for each in records)), None)
    page = VerifyPage(own, context.posted, kind, _sentence(context.posted, kind, records), records)
    return Answer(
        title=f"Verify text {own[:12]}",
        data=page,
        sql=context.asked,
        command=("verify", context.lake.location, "--all"),
        links=(to("text", content_id=own), to("verify", content_id=own)),
    )


def _sentence(was_asked: bool, kind: str | None, records: tuple[RecordCheck, ...]) -> str:
    if not was_asked:
        return (
            "Nothing was read yet. The button goes back to the bytes of the record that dates this text, and compares."
        )
    if kind is None:
        return "There is nothing to compare: no capture dates this text, or the lake does not hold what it says."
    if kind == "agrees":
        return "The record is there, and all that the lake states of it agrees with its bytes."
    worst = next(each for each in records if each.kind == kind)
    return f"{worst.about[:1].upper()}{worst.about[1:]} {_VERDICTS[kind]}: {_why(worst)}."


def _why(record: RecordCheck) -> str:
    outer = record.file.partition("!/")[0]
    if record.kind == "unchecked" and not record.checks[1:] and scheme_of(outer) != "file":
        return (
            f"{visible_line(outer)} is on another host, which would have to be asked. "
            "`archive explore --network` allows that; nothing was sent"
        )
    return visible_line(record.detail[:1000])


PAGE = Page("verify", "/text/{content_id}/verify", answer, (Parameter("content_id", content_id),), acts=True)
