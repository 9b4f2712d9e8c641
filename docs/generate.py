"""Writes the reference pages from the code, or (`--check`) fails where they do not agree with it."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from archive import cli, reasons, tables
from collapse.corpus.tally import REASONS
from index import tables as index_tables

DOCS = Path(__file__).parent


def codes() -> str:
    """The codes of rejects and dates."""
    parts = ["# Codes\n\nMade from `archive/reasons.py` by `make docs`.\n"]
    parts.append(
        "## Reject reasons (`rejects.reason`)\n\nA record that gives no text is a row of `rejects` with one of these. "
    )
    parts[-1] += "Reasons in **bold** mean damage: with one of them `archive ingest` exits with 1.\n"
    rows = [(f"**{code}**" if code in reasons.DAMAGE else code, about) for code, about in reasons.REJECTS.items()]
    parts.append(_table(("code", "meaning"), rows))
    parts.append(
        "## Date problems (`captures.date_problem`)\n\nSuch a capture stays in the table and proves nothing.\n"
    )
    parts.append(_table(("code", "meaning"), list(reasons.DATE_PROBLEMS.items())))
    parts.append("## Date sources (`captures.date_source`)\n")
    parts.append(_table(("code", "meaning"), list(reasons.DATE_SOURCES.items())))
    parts.append("## What a collapse test does not use, beside the reject reasons above (`set.reading.rejects`)\n")
    parts.append(_table(("code", "meaning"), list(REASONS.items())))
    return "\n".join(parts)


def schema() -> str:
    """Return the page of the tables and their columns."""
    parts = ["# Tables\n\n`make docs` writes this page from `archive/tables.py`, `index/tables.py` and"]
    parts[0] += " `index/quality/table.py`. Delta Lake stores the meanings too, as the comments of the columns."
    parts[0] += " [The lake](../lake.md#the-views) describes the views.\n"
    for table in [*tables.TABLES.values(), *index_tables.TABLES.values()]:
        by = f", partitioned by {', '.join(table.partition_by)}" if table.partition_by else ""
        parts.append(f"## {table.name}{by}\n")
        rows = [(column.name, str(column.type), column.meaning) for column in table.columns]
        parts.append(_table(("column", "type", "meaning"), rows))
    return "\n".join(parts)


def commands() -> str:
    """The help of every command."""
    parts = ["# Commands\n\nMade from `--help` by `make docs`.\n"]
    context = click.Context(cli.main, info_name="archive")
    for name in ["", *cli.main.list_commands(context)]:
        command = cli.main.get_command(context, name) if name else cli.main
        assert command is not None
        inner = (
            click.Context(command, info_name=name, parent=context, max_content_width=100, terminal_width=100)
            if name
            else context
        )
        parts.append(f"## archive {name}".rstrip() + f"\n\n```text\n{command.get_help(inner)}\n```\n")
    return "\n".join(parts)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


PAGES = {"reference/codes.md": codes, "reference/tables.md": schema, "reference/commands.md": commands}


def main() -> None:
    stale = []
    for name, make in PAGES.items():
        path, text = DOCS / name, make()
        if "--check" in sys.argv:
            if not path.exists() or path.read_text() != text:
                stale.append(name)
        else:
            path.write_text(text)
    if stale:
        sys.exit(f"docs do not agree with the code: {', '.join(stale)}; run `make docs`")


if __name__ == "__main__":
    main()
