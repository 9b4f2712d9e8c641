"""The set builder: what the clean set of a date holds, and the command that writes it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from archive.errors import ExportError
from archive.evidence.grade import DEFAULT
from index.quality.presets import PRESETS
from query.explorer.background import Waiting
from query.explorer.context import Context, Question
from query.explorer.cube.build import ASKED
from query.explorer.cube.controls import Controls
from query.explorer.cube.counts import Counts
from query.explorer.cube.cube import Choices
from query.explorer.examples import Example, examples
from query.explorer.page import Address, Answer, Page, to
from query.explorer.parameters import BadParameter, Parameter, choice, day

#: The date that is asked for first: before most of what models wrote.
_BEFORE = "2022-01-01"
#: So many languages are listed.
_MOST = 20
_CODE = re.compile("[a-z]{2,3}")
_YES = choice("", "1")


def _language(written: str) -> str:
    """Read the code of a language; nothing is all of them."""
    if written and not _CODE.fullmatch(written):
        raise ValueError("the code of a language, as en")
    return written


@dataclass(frozen=True, slots=True)
class Choice:
    """Another position of one control, with the texts of the set that it leads to."""

    control: str
    word: str
    texts: int
    is_chosen: bool
    address: Address


@dataclass(frozen=True, slots=True)
class CleanSet:
    """What the page of a clean set shows."""

    controls: Controls
    counts: Counts | None = None  #: from the cube; None while that is made
    exact: Counts | None = None  #: from the lake, as an export counts; None where nobody asked, and while it is counted
    is_counting: bool = False  #: in the lake
    seconds: float = 0.0  #: for which the texts are being counted
    problem: str | None = None  #: why there are no counts
    exact_problem: str | None = None  #: why there are none from the lake
    near_problem: str | None = None  #: why this lake cannot leave out near-duplicates
    preset_problem: str | None = None  #: why it cannot ask for a preset
    texts_in_lake: int = 0
    first: date | None = None  #: the day on which the first text of the lake was seen …
    last: date | None = None  #: … and that on which the last one entered a set
    choices: tuple[Choice, ...] = ()
    examples: tuple[Example, ...] = ()
    is_reading: bool = False  #: the examples

    @property
    def differs(self) -> bool:
        """Whether the lake gives another number than the cube, which would be a fault of this program."""
        return None not in (self.exact, self.counts) and _numbers(self.exact) != _numbers(self.counts)

    @property
    def shown(self) -> Counts | None:
        """The numbers that are shown: those from the lake where they are there."""
        return self.exact or self.counts

    def of(self, control: str) -> Iterator[Choice]:
        """Yield the positions of one control."""
        return (each for each in self.choices if each.control == control)


def _numbers(counts: Counts | None) -> tuple[Any, ...]:
    return () if counts is None else (counts.texts, counts.captures, counts.characters, counts.words, counts.months,
                                      counts.languages)  # fmt: skip


def answer(context: Context, parameters: Mapping[str, Any]) -> Answer:
    """Count a clean set.

    Raises:
        BadParameter: there is no such set.
    """
    controls = _controls(parameters)
    cube = context.counting.cube(context.lake.location, context.versions, context.marks)
    if isinstance(cube, Waiting):
        return _answer(controls, CleanSet(controls, seconds=cube.seconds, problem=cube.problem))
    try:
        counts, choices = cube.counts(controls)
    except ExportError as error:
        raise BadParameter(str(error)) from None
    exact = (
        context.counting.counted(context.lake, context.versions, context.marks, cube, controls)
        if parameters["exact"]
        else None
    )
    found, is_reading = examples(context, counts.examples)
    data = CleanSet(
        controls=controls,
        counts=counts,
        exact=exact if isinstance(exact, Counts) else None,
        is_counting=isinstance(exact, Waiting) and not exact.problem,
        seconds=exact.seconds if isinstance(exact, Waiting) else 0.0,
        problem=None,
        exact_problem=exact.problem if isinstance(exact, Waiting) else None,
        near_problem=cube.about.near_problem,
        preset_problem=cube.about.preset_problem,
        texts_in_lake=cube.about.texts,
        first=cube.first,
        last=cube.last,
        choices=tuple(_choices(parameters, controls, choices)),
        examples=found,
        is_reading=is_reading,
    )
    return _answer(controls, data)


def _answer(controls: Controls, data: CleanSet) -> Answer:
    links = [each.address for each in data.choices] + [to("text", content_id=id_.content_id) for id_ in data.examples]
    return Answer(
        title="Clean set",
        data=data,
        sql=(Question("How many texts the set has", controls.sql()),),
        command=controls.command(),
        links=tuple(dict.fromkeys(links)),
        is_final=data.counts is not None and not (data.is_counting or data.is_reading or data.exact_problem),
    )


def _controls(parameters: Mapping[str, Any]) -> Controls:
    """Return the clean set that is asked for.

    Raises:
        BadParameter: there is no such set.
    """
    try:
        return Controls(
            before=date.fromisoformat(parameters["before"] or _BEFORE),
            after=date.fromisoformat(parameters["after"]) if parameters["after"] else None,
            grade=parameters["grade"],
            language=parameters["language"] or None,
            preset=parameters["preset"] or None,
            near=bool(parameters["near"]),
            honour_opt_outs=bool(parameters["honour_opt_outs"]),
        )
    except ExportError as error:
        raise BadParameter(str(error)) from None


def _choices(parameters: Mapping[str, Any], controls: Controls, choices: Choices) -> Iterator[Choice]:
    """Yield what one control more or less leads to."""

    def position(control: str, value: str, word: str, texts: int) -> Choice:
        asked = {**parameters, control: value, "exact": ""}
        return Choice(control, word, texts, (parameters[control] or "") == value, PAGE.written(asked))

    for grade in ASKED:
        yield position("grade", grade, grade, choices.grades[grade])
    yield position("language", "", "all", choices.every_language)
    for language, texts in list(choices.languages.items())[:_MOST]:
        if _CODE.fullmatch(language):
            yield position("language", language, language, texts)
    if controls.language and controls.language not in list(choices.languages)[:_MOST]:
        yield position("language", controls.language, controls.language, choices.languages.get(controls.language, 0))
    for preset in ("", *PRESETS):
        yield position("preset", preset, preset or "none", choices.presets[preset])
    for control, texts_of in (("near", choices.near), ("honour_opt_outs", choices.honour_opt_outs)):
        for value, word, texts in zip(("", "1"), ("no", "yes"), texts_of, strict=True):
            yield position(control, value, word, texts)


PAGE = Page(
    "set",
    "/set",
    answer,
    (
        Parameter("before", day, _BEFORE),
        Parameter("after", day, ""),
        Parameter("grade", choice(*ASKED), DEFAULT),
        Parameter("language", _language, ""),
        Parameter("preset", choice("", *PRESETS), ""),
        Parameter("near", _YES, ""),
        Parameter("honour_opt_outs", _YES, ""),
        Parameter("exact", _YES, ""),
    ),
    menu="Clean set",
    is_endless=True,
)
