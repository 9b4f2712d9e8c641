"""Write the reference pages from the code, or (`--check`) fail where a page does not agree with it.

python docs/generate.py            write docs/reference/, contributing.md, and tables in grades.md, quality.md, start.md
python docs/generate.py --check    write nothing; exit with 1 where a page is out of date
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import click

import lowbackground as lb
from archive import cli, reasons, tables
from archive.attestations.audit import FINDINGS
from archive.evidence.grade import GRADES
from collapse.corpus.tally import REASONS
from index import tables as index_tables
from index.quality.table import QUALITY
from query import dataset, rows

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
    parts.append("## What only `archive audit` finds (`files.findings.kind`)\n\nBesides the problems above.\n")
    only = [(code, about) for code, about in FINDINGS.items() if code not in reasons.DATE_PROBLEMS]
    parts.append(_table(("code", "meaning"), only))
    parts.append("## Date sources (`captures.date_source`)\n")
    parts.append(_table(("code", "meaning"), reasons.DATE_SOURCES.items()))
    parts.append("## Grades (`captures.grade`)\n\n[What each proves](../grades.md).\n")
    parts.append(_table(("grade", "name", "needs"), [(code, each.name, each.needs) for code, each in GRADES.items()]))
    parts.append(
        "## Claims (`captures.evidence`)\n\nEach date that a record carries, and whether it agrees with the date of "
        "the capture. For a row of a data set, the kind is the name of the column.\n"
    )
    parts.append(_table(("kind", "meaning"), reasons.CLAIMS.items()))
    parts.append(
        "## What a collapse test does not use (`set.reading.rejects`)\n\nThe reject reasons above, and these.\n"
    )
    parts.append(_table(("code", "meaning"), REASONS.items()))
    return "\n".join(parts)


def schema() -> str:
    """Return the page of the tables and their columns."""
    parts = ["# Tables\n\n`make docs` writes this page from `archive/tables.py`, `index/tables.py`,"]
    parts[0] += (
        " `index/quality/table.py`, `index/embeddings/table.py`,"
        " `index/vectors/table.py` and `query/rows.py`. Delta Lake stores the meanings"
        " too, as the comments of the"
    )
    parts[0] += " columns. [Look after a lake](../lake.md#the-views) describes the views.\n"
    for table in [*tables.TABLES.values(), *tables.EVIDENCE_TABLES.values(), *index_tables.TABLES.values()]:
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


#: The Protocols, and what they are given.
_SEAMS = (
    "archive.sources.base.Source",
    "archive.records.base.Reader",
    "archive.text.base.Page",
    "index.stage.Stage",
    "archive.engine.base.Engine",
    "archive.engine.base.Context",
    "archive.engine.sandbox.Sandbox",
    "archive.engine.sandbox.Service",
    "query.formats.format.Format",
)
#: Parameters of commands that have another name in Python.
_PARAMETERS = {"location": "lake", "engine": "workers"}
#: Options whose work another function does.
_ELSEWHERE = {("ingest", "dry_run"): "`lb.preview`", ("ingest", "dollars_per_hour"): "`lb.preview`"}


def face() -> str:
    """Return the page of each command, the function of its name, and what the function returns."""
    parts = [
        "# Commands and functions\n\n`make docs` writes this page from the commands and `lowbackground`. Each command"
    ]
    parts[0] += (
        " has a Python function of its name with the same options and the same defaults. `--json` prints the fields"
    )
    parts[0] += " of the result. A test compares the options and the defaults.\n"
    head = [("command", "function", "result", "does")]
    context = click.Context(cli.main)
    for name in cli.main.list_commands(context):
        command = cli.main.get_command(context, name)
        assert command is not None
        function = _function(name)
        results = _results(function) if function else []
        head.append(
            (
                f"[`archive {name}`](#{name})",
                f"`lb.{name}`" if function else "",
                " or ".join(f"[`{each.__name__}`](json.md#{each.__name__.lower()})" for each in results)
                or _returned(function),
                command.get_short_help_str(200),
            )
        )
        parts.append(f"## {name}\n")
        parts.append(_table(("option", "parameter", "default", "meaning"), _options(command, function)))
    parts.insert(1, _table(head[0], head[1:]))
    return "\n".join(parts)


def _options(command: click.Command, function: Callable[..., Any] | None) -> Iterator[tuple[str, str, str, str]]:
    """Yield the arguments and options of a command, with the parameters of its function."""
    known = dict(inspect.signature(function).parameters) if function else {}
    meanings = _args(function)
    context = click.Context(command)
    for param in command.params:
        name = _PARAMETERS.get(str(param.name), str(param.name))
        argument = isinstance(param, click.Argument)
        about = meanings.get(name, "") if argument else " ".join(str(getattr(param, "help", "") or "").split())
        about, _, stated = about.partition("[default: ")
        if isinstance(param, cli.SectionOption):
            about = f"{param.section.removeprefix('Options for ')}. {about}"
        default = param.get_default(context)
        shown = getattr(param, "show_default", None)
        if param.required:
            text = "required"
        elif isinstance(shown, str):
            text = shown
        elif stated:
            text = stated.rstrip("] ")
        elif default in (None, False, ()) or "UNSET" in repr(default):
            text = "off" if getattr(param, "is_flag", False) else "none"
        else:
            text = f"`{default}`"
        yield (
            f"`{param.make_metavar(context)}`"
            if argument
            else f"`{'`, `'.join([*param.opts, *param.secondary_opts])}`",
            f"`{name}`"
            if name in known
            else _ELSEWHERE.get((command.name or "", name), "(the screen only)")
            if function
            else "",
            text,
            about.strip(),
        )
    for name, parameter in known.items():
        if name not in {_PARAMETERS.get(str(param.name), param.name) for param in command.params}:
            default = "" if parameter.default is inspect.Parameter.empty else f"`{parameter.default}`"
            yield "", f"`{name}`", default, meanings.get(name, "")


def _args(function: Callable[..., Any] | None) -> dict[str, str]:
    """Return what the docstring of a function states of each parameter."""
    part = (
        re.search(r"^Args:\n(.*?)(?=^\S|\Z)", inspect.getdoc(function) or "", re.MULTILINE | re.DOTALL)
        if function
        else None
    )
    entries = re.findall(r"^    (\w+): (.*(?:\n {6,}.*)*)", part[1], re.MULTILINE) if part else []
    return {name: " ".join(about.split()) for name, about in entries}


def _function(name: str) -> Callable[..., Any] | None:
    """Return the function of a command; None where there is none yet."""
    found = getattr(lb, name, None)
    return found if inspect.isfunction(found) else None


def _returned(function: Callable[..., Any] | None) -> str:
    """Return the annotation of what a function returns."""
    annotation = str(inspect.signature(function).return_annotation) if function else ""
    return f"`{annotation}`" if annotation else ""


def _results(function: Callable[..., Any]) -> list[type]:
    """Return the dataclasses that a function of the face returns: one, or one of several."""
    returned = str(inspect.signature(function, eval_str=False).return_annotation).split(" | ")
    found = [getattr(inspect.getmodule(function), name, None) or getattr(lb, name, None) for name in returned]
    return [each for each in found if isinstance(each, type) and is_dataclass(each)]


def python() -> str:
    """Return the page of the functions and types of the face, and of the seams, for mkdocstrings to fill."""
    parts = [
        "# Python\n\n`make docs` writes this page from the docstrings of what `import lowbackground as lb` offers.\n"
    ]
    kinds = {"Functions": inspect.isfunction, "Types": inspect.isclass}
    for title, belongs in kinds.items():
        parts.append(f"## {title}\n")
        for name in lb.__all__:
            found = getattr(lb, name, None)
            if belongs(found):
                parts.append(f"::: {found.__module__}.{found.__qualname__}\n")
    parts.append("## Seams\n\n[Plug in something of your own](../plug-in.md) has an example of each.\n")
    parts += [f"::: {path}\n" for path in _SEAMS]
    return "\n".join(parts)


def json_keys() -> str:
    """Return the page of the fields of the results, which are the keys that `--json` prints."""
    parts = [
        "# JSON\n\n`make docs` writes this page from the types that the functions return. `--json` prints the same"
    ]
    parts[0] += " fields. A number without a unit is a count; `seconds` are of wall-clock time, `bytes` of input.\n"
    context = click.Context(cli.main)
    for name in cli.main.list_commands(context):
        function = _function(name)
        for result in _results(function) if function else []:
            parts.append(f"## {result.__name__}\n\nReturned by `lb.{name}`, printed by `archive {name} --json`.\n")
            parts.append(_table(("key", "type", "meaning"), _fields(result)))
    for manifest in filter(None, [getattr(dataset, "Manifest", None), getattr(dataset, "Shard", None)]):
        where = "`manifest.json` of an export" if manifest.__name__ == "Manifest" else "Each of its `shards`"
        parts.append(f"## {manifest.__name__}\n\n{where}.\n")
        parts.append(_table(("key", "type", "meaning"), _fields(manifest)))
    return "\n".join(parts)


def _fields(result: type) -> Iterator[tuple[str, str, str]]:
    """Yield the fields of a dataclass, inherited ones first, with their types and the `#:` comments next to them."""
    for base in filter(is_dataclass, result.__bases__):
        yield from _fields(base)
    source = inspect.getsource(result)
    lines = source.splitlines()
    meanings: dict[str, str] = dict(
        re.findall(r"^        (\w+): (.+?)\.?$", inspect.getdoc(result) or "", re.MULTILINE)
    )
    for node in ast.parse(textwrap.dedent(source)).body[0].body:  # type: ignore[attr-defined]
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        trailing = re.search(r"#: (.*)", lines[(node.end_lineno or node.lineno) - 1])
        above = []
        for line in reversed(lines[: node.lineno - 1]):
            if not (comment := re.match(r"\s*#: (.*)", line)):
                break
            above.insert(0, comment[1])
        meaning = trailing[1] if trailing else " ".join(above)
        yield f"`{node.target.id}`", f"`{ast.unparse(node.annotation)}`", meaning or meanings.get(node.target.id, "")


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


def grades() -> str:
    """Return docs/grades.md with the tables of the grades as they are in the code."""
    needs = _table(("grade", "name", "needs"), [(code, each.name, each.needs) for code, each in GRADES.items()])
    proves = _table(
        ("grade", "proves", "does not show"), [(code, each.proves, each.leaves_open) for code, each in GRADES.items()]
    )
    text = (DOCS / "grades.md").read_text(encoding="utf-8")
    for head, table in (("name", needs), ("proves", proves)):
        found = re.compile(rf"^\| grade \| {head} \|.*?(?=\n\n)", re.MULTILINE | re.DOTALL)
        text = found.sub(lambda _, table=table: table.rstrip(), text)  # type: ignore[misc]
    return text


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
    "grades.md": grades,
    "quality.md": quality,
    "start.md": start,
    "reference/codes.md": codes,
    "reference/commands.md": commands,
    "reference/face.md": face,
    "reference/json.md": json_keys,
    "reference/python.md": python,
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
