"""The reports of this machine: what `export`, `certify`, `collapse` and `share` wrote, and one of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from query.explorer.context import Context
from query.explorer.page import Answer, Page, to
from query.explorer.parameters import NotThere, Parameter
from query.explorer.reports.found import Report, find, find_one

_ID = re.compile(r"[0-9a-f]{16}")
#: The command that checks a report, where there is one.
_COMMANDS = {"export": ("verify",), "certify": ("verify",)}


@dataclass(frozen=True, slots=True)
class ReportList:
    """The reports that were found."""

    folders: tuple[str, ...]  #: where they were looked for
    reports: tuple[Report, ...]


@dataclass(frozen=True, slots=True)
class OneReport:
    """A report, and what it states: an ExportReport, a CertifyReport, a CollapseReport or a ShareReport."""

    report: Report
    stated: Any  #: null where it cannot be read


def pages(folders: Sequence[Path]) -> tuple[Page, Page]:
    """Return the page that lists the reports in some folders, and that of one of them."""
    one = Page(
        "report", "/report/{id}", partial(_one, tuple(folders)), (Parameter("id", _report_id),), is_of_lake=False
    )
    return Page("reports", "/reports", partial(_all, tuple(folders)), menu="Reports", is_of_lake=False), one


def _report_id(written: str) -> str:
    if not _ID.fullmatch(written):
        raise ValueError("a report has 16 hexadecimal digits")
    return written


def _all(folders: tuple[Path, ...], context: Context, parameters: Mapping[str, Any]) -> Answer:
    found = tuple(find(folders))
    return Answer(
        title="Reports of this machine",
        data=ReportList(tuple(map(str, folders)), found),
        sql=(),
        command=("explore", *(word for each in folders for word in ("--reports", str(each)))),
        links=tuple(to("report", id=each.id) for each in found if each.problem is None),
    )


def _one(folders: tuple[Path, ...], context: Context, parameters: Mapping[str, Any]) -> Answer:
    """
    Raises:
        NotThere: no such report is in these folders.
    """
    found = find_one(folders, parameters["id"])
    if found is None:
        raise NotThere("there is no such report; it may have been moved")
    report, stated = found
    command = _COMMANDS.get(report.kind, ("explore", "--reports"))
    about = OneReport(report, stated)
    return Answer(report.headline or report.folder, about, (), (*command, report.folder), (to("reports"),))
