"""Write the reference pages from the code, or (`--check`) fail where a page does not agree with it.

python docs/generate.py            write docs/reference/, tables in quality.md and start.md, and contributing.md
python docs/generate.py --check    write nothing; exit with 1 where a page is out of date
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import click

from archive import cli, reasons, tables
from collapse.corpus.tally import REASONS
from index import tables as index_tables
from index.quality.table import QUALITY
from query import rows

DOCS = Path(__file__).parent


def codes() -> str:
    """Return the page of the codes of rejects and dates."""
    parts = ["# Codes\n\n`make docs` writes this page from `archive/reasons.py`.\n"]
    parts.append(
        "## Reject reasons (`rejects.reason`)\n\nA record that gives no text is a row of `rejects` with one of"
    )
    parts[-1] += " these. Reasons in **bold** mean damage: with one of them `archive ingest` exits with 1.\n"
    rejects = [(f"**{code}**" if code in reasons.DAMAGE else code, about) for code, about in reasons.REJECTS.items()]
    parts.append(_table(("code", "meaning"), rejects))
    parts.append(
        "## Date problems (`captures.date_problem`)\n\nSuch a capture stays in the table and proves nothing.\n"
    )
    parts.append(_table(("code", "meaning"), reasons.DATE_PROBLEMS.items()))
    parts.append("## Date sources (`captures.date_source`)\n")
    parts.append(_table(("code", "meaning"), reasons.DATE_SOURCES.items()))
    parts.append(
        "## What a collapse test does not use (`set.reading.rejects`)\n\nThe reject reasons above, and these.\n"
    )
    parts.append(_table(("code", "meaning"), REASONS.items()))
    return "\n".join(parts)


def schema() -> str:
    """Return the page of the tables and their columns."""
    parts = ["# Tables\n\n`make docs` writes this page from `archive/tables.py`, `index/tables.py`,"]
    parts[0] += (
        " `index/quality/table.py` and `query/rows.py`. Delta Lake stores the meanings too, as the comments of the"
    )
    parts[0] += " columns. [Look after a lake](../lake.md#the-views) describes the views.\n"
    for table in [*tables.TABLES.values(), *index_tables.TABLES.values()]:
        by = f"Partitioned by `{'`, `'.join(table.partition_by)}`.\n" if table.partition_by else ""
        parts.append(f"## {table.name}\n")
        parts += [by] if by else []
        columns = [(column.name, str(column.type), column.meaning) for column in table.columns]
        parts.append(_table(("column", "type", "meaning"), columns))
    parts.append("## Exported rows\n\nThe columns of a row that `archive export` writes.\n")
    columns = [(name, str(kind), meaning) for name, (kind, meaning) in rows.COLUMNS.items()]
    parts.append(_table(("column", "type", "meaning"), columns))
    return "\n".join(parts)


def commands() -> str:
    """Return the page of the help of every command."""
    parts = ["# Commands\n\n`make docs` writes this page from `--help`.\n"]
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


def quality() -> str:
    """Return docs/quality.md with the meanings of the columns as they are in the code."""
    meanings = {column.name: column.meaning for column in QUALITY.columns}
    text = (DOCS / "quality.md").read_text(encoding="utf-8")
    return re.sub(
        r"^\| `(\w+)` \| [^|\n]* \|$",
        lambda row: f"| `{row[1]}` | {meanings[row[1]]} |" if row[1] in meanings else row[0],
        text,
        flags=re.MULTILINE,
    )


def start() -> str:
    """Return docs/start.md with the table of the extras as README.md has it."""
    table = re.compile(r"^\| extra \|.*?\n\n", re.MULTILINE | re.DOTALL)
    found = table.search((DOCS.parent / "README.md").read_text(encoding="utf-8"))
    assert found
    return table.sub(lambda _: found[0], (DOCS / "start.md").read_text(encoding="utf-8"))


def _table(head: tuple[str, ...], body: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *body]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "quality.md": quality,
    "start.md": start,
    "reference/codes.md": codes,
    "reference/commands.md": commands,
    "reference/tables.md": schema,
}


def main() -> None:
    stale = []
    for name, write in PAGES.items():
        path, text = DOCS / name, write()
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
    if stale:
        sys.exit(f"docs do not agree with the code: {', '.join(stale)}; run `make docs`")
    if (
        "--check" not in sys.argv
    ):  # a page of the site, which git ignores: CONTRIBUTING.md, with its links from inside docs/
        text = (DOCS.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
        (DOCS / "contributing.md").write_text(text.replace("](docs/", "]("), encoding="utf-8")


if __name__ == "__main__":
    main()
