"""An audit as tables for a terminal."""

from __future__ import annotations

import os
from collections.abc import Iterator

from rich import box
from rich.table import Table

from archive.attestations.audit import AuditResult, FileAudit
from archive.show import count_of


def shown(result: AuditResult) -> Iterator[Table | str]:
    """Yield a table of the files, lines for stamps and findings, about files that were not audited, and a sum."""
    if result.files:
        yield _files_table(result.files)
    for file in result.files:
        if file.existed_by:
            yield f"{_short(file.file)}: existed by {file.existed_by:%Y-%m-%d %H:%M:%S} UTC, by a verified time stamp"
        for finding in file.findings:
            which = f"{count_of(finding.records, 'record')}, the first at {finding.offset}: "
            where = "" if finding.offset is None else which
            yield f"{_short(file.file)}: {finding.kind}: {where}{finding.detail}"
    for line in result.unreadable:
        yield f"not read: {line}"
    if result.passed_over:
        yield f"{count_of(len(result.passed_over), 'file')} passed over: no web archive"
    found = sum(bool(file.findings) for file in result.files)
    if not result.files:
        yield "no web archive was read"
    elif found:
        yield f"{found:,} of {count_of(len(result.files), 'web archive')} with findings"
    else:
        yield f"nothing found in {count_of(len(result.files), 'web archive')}"


def _files_table(files: list[FileAudit]) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("file", overflow="fold")
    for name in ("records", "with Date", "clock (s)", "from", "to"):
        table.add_column(name, justify="right")
    for file in files:
        table.add_row(
            _short(file.file),
            f"{file.records:,}",
            f"{file.compared:,}",
            "" if file.clock_offset is None else f"{round(file.clock_offset):+,}",
            "" if file.first is None else f"{file.first:%Y-%m-%d}",
            "" if file.last is None else f"{file.last:%Y-%m-%d}",
        )
    return table


def _short(name: str) -> str:
    package, mark, part = name.partition("!/")
    return os.path.basename(package) + mark + part
