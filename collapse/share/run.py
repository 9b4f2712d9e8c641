"""`share`: estimates by month how much of the texts of a lake or a set machines wrote."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

from archive.engine import Engine, Workers, open_engine
from archive.errors import CollapseError
from archive.evidence.grade import DEFAULT, GRADES
from archive.lake import Lake
from archive.progress import Reporter
from collapse.share import out as folder
from collapse.share.counting import choose
from collapse.share.counting.count import count
from collapse.share.counting.machine import read_samples
from collapse.share.estimates.estimate import estimate
from collapse.share.periods import MONTHS, By, month_of, name_of, reference_of, renamed
from collapse.share.results import VERSION, Series, ShareResult
from collapse.share.wording import finding, headline

REFERENCE = "2022-01-01"
#: The most texts of a month and stratum, where nobody names another number.
TEXTS = 1000
_MEMORY = "1GB"


def share(
    source: choose.Source,
    *,
    by: str = "month",
    reference: str = REFERENCE,
    grade: str = DEFAULT,
    texts: int = TEXTS,
    machine: str | Iterable[str] = (),
    machine_human: str | Iterable[str] = (),
    machine_where: str | Iterable[str] = (),
    human_where: str | Iterable[str] = (),
    text_column: str | None = None,
    out: str | os.PathLike[str] | None = None,
    seed: int = 0,
    workers: Workers = None,
    memory: str | None = None,
    reporter: Reporter | None = None,
) -> ShareResult:
    """Estimate by month how much of the texts of a lake or a set machines wrote, and refuse where that cannot be known.

    A text is of the month in which it, or a near-duplicate of it, was first seen. docs/share.md says what each number
    means, and when not to believe it.

    Args:
        source: a lake, or the folder or prefix of a set that `export` wrote.
        by: month, quarter or year.
        reference: the day before which all text is taken for human: the first of a period.
        grade: the least grade of a capture that dates a text.
        texts: count at most so many of each month and stratum (language and kind of page).
        machine: `name=file`, one or several: text that a machine wrote, for the estimate of a mixture.
        machine_human: `name=file`: human text on the same prompts as the machine text of this name.
        machine_where: `column=value`, one or several: read only rows of machine text with these values.
        human_where: the same for the human text.
        text_column: the column of these files that holds the text.
        out: the folder that gets share.json, report.html and share.svg; none by default.
        seed: of what is drawn by chance.
        workers: processes, or an engine; by default one for each core.
        memory: what DuckDB may use before it writes to disk; 1GB by default.
        reporter: receives the progress.

    Raises:
        CollapseError: an option is wrong, there is neither a lake nor a set, the set holds tokens, a file of machine
            text has no text, or the folder holds something else.
        LakeError, ExportError: a file of the lake or the set is missing or damaged.
        ArchiveError: a package or a file is missing.
    """
    if texts < 1:
        raise CollapseError(f"--texts {texts}: at least 1")
    asked = _Asked(
        period := _period(by), reference_of(reference, period), _grade(grade), texts, seed, _listed(machine),
        _listed(machine_human), _listed(machine_where), _listed(human_where), text_column, memory or _MEMORY,
    )  # fmt: skip
    engine, reporter, source = open_engine(workers), reporter or Reporter(), choose.opened(source)
    if out is None:
        return _share(source, asked, engine, reporter)
    question = {
        "source": choose.location_of(source),
        "reference": asked.reference.isoformat(),
        "by": period,
        "grade": asked.grade,
    }
    with folder.entered(out, question) as write:
        result = _share(source, asked, engine, reporter)
        write(result)
        return result


@dataclass(frozen=True, slots=True)
class _Asked:
    """The options, as they were checked."""

    by: By
    reference: date
    grade: str
    texts: int
    seed: int
    machine: tuple[str, ...]
    machine_human: tuple[str, ...]
    machine_where: tuple[str, ...]
    human_where: tuple[str, ...]
    text_column: str | None
    memory: str


def _share(source: Lake | str, asked: _Asked, engine: Engine, reporter: Reporter) -> ShareResult:
    read, rejects = read_samples(  # first, as that fails for many reasons
        asked.machine, asked.machine_human, asked.machine_where, asked.human_where, asked.text_column, asked.seed
    )
    reporter.stage("find texts", None)
    with engine.scratch() as scratch:
        task = choose.Task(source, asked.grade, asked.texts, asked.by, asked.memory)
        chosen = choose.choose(task, engine, scratch)
        corpus, drawn = count(chosen.parts, engine, scratch, reporter)
    reporter.stage("estimate", None)
    machines = [each.counted(corpus.vocabulary) for each in read]
    month = month_of(asked.reference)
    estimated = estimate(corpus, reference=month, machine=machines, seed=asked.seed)
    series = tuple(_named_by(each, asked.by) for each in estimated)
    findings = tuple(finding(each, name_of(month, asked.by)) for each in series)
    strata = Counter(drawn["stratum"].to_pylist())
    return ShareResult(
        version=VERSION,
        headline=headline(series, findings, strata),
        source=choose.location_of(source),
        versions=chosen.versions,
        reference=asked.reference.isoformat(),
        by=asked.by,
        grade=asked.grade,
        seed=asked.seed,
        texts=drawn.num_rows,
        each=chosen.each,
        strata=dict(sorted(strata.items(), key=lambda pair: (-pair[1], pair[0]))),
        left_out=chosen.left_out,
        machine={each.name: len(each.machine) for each in machines},
        machine_rejects=rejects,
        series=series,
        findings=findings,
        warnings=chosen.warnings,
    )


def _listed(values: str | Iterable[str]) -> tuple[str, ...]:
    return (values,) if isinstance(values, str) else tuple(values)


def _period(by: str) -> By:
    if by not in MONTHS:
        raise CollapseError(f"--by {by}: month, quarter or year")
    return by


def _grade(grade: str) -> str:
    grade = grade.upper()
    if grade not in GRADES or grade == "X":
        raise CollapseError(f"{grade!r} is no grade; there are A, B, C, D and E")
    return grade


def _named_by(series: Series, period: By) -> Series:
    """Return a series with the names of its periods: a quarter is estimated as its first month."""
    return replace(series, points=tuple(replace(each, month=renamed(each.month, period)) for each in series.points))
