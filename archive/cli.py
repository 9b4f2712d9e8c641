"""The command `archive`. The module of a subcommand is imported when the subcommand is called."""

from __future__ import annotations

import logging
import os
import re
import shlex
import sys
import time
from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

import click

from archive import interrupt, logs
from archive.errors import ArchiveError, error_line, visible
from archive.program import program_version

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    _ParamType = click.ParamType[int]
else:
    _ParamType = click.ParamType  # not generic before Click 8.5

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?", re.IGNORECASE)

#: name -> (module, its line in the list of commands)
_COMMANDS = {
    "demo": ("archive.demo.command", "Try the main job on a few captures that this command writes itself."),
    "crawl": ("crawler.command", "Fetch pages politely, and write WARC files that prove what came."),
    "ingest": ("archive.intake.command", "Bring web archives or data sets into the lake."),
    "index": ("index.neardup.command", "Find near-duplicates, and since when each text is known."),
    "quality": ("index.quality.command", "Measure the quality signals of texts that have none."),
    "embed": ("index.vectors.command", "Compute vectors of the texts that have none."),
    "topics": ("query.topics.command", "Tell what the texts are about, since when, and what a clean set lacks."),
    "certify": ("index.certify.command", "Tell which rows of a data set provably existed before a date."),
    "query": ("query.answer.command", "Ask the lake in SQL."),
    "export": ("query.export.command", "Write a clean set as training shards, with the evidence for each row."),
    "verify": ("query.verify.command", "Check an export against its hashes and the records that it cites."),
    "collapse": ("collapse.command", "Train generations on what models wrote, and show what is lost."),
    "share": ("collapse.share.command", "Estimate by month how much machines wrote, or refuse and say why."),
    "probe": ("collapse.probe.command", "Tell how one set differs from another, next to how its own halves differ."),
    "stats": ("query.counts", "Show what is in the lake."),
    "show": ("query.history", "Show a page through time: its captures, their dates, and its text."),
    "lookup": ("query.lookup.command", "Tell whether a text has been on the web before, and since when."),
    "explore": ("query.explorer.command", "Look at the lake in a browser: each text through time, with its evidence."),
    "attest": ("archive.attestations.attest_command", "Add a time stamp of a file, which shows by when it existed."),
    "witness": ("archive.witness.command", "Let other archives' indexes confirm captures of the lake."),
    "audit": (
        "archive.attestations.audit_command",
        "Look for wrong clocks and contradicting dates.",
    ),
    "seal": ("archive.attestations.seal_command", "Compute one hash of a lake or a set, and have it time-stamped."),
    "retract": ("archive.attestations.retract_command", "Declare that what a source brought proves nothing."),
    "plan": ("archive.capacity.command", "Compute what a lake of Common Crawl takes, before you begin."),
    "maintain": ("index.maintain.command", "Merge small files, delete what nobody needs, finish what was begun."),
    "forget": ("archive.intake.forget_command", "Take what a source brought out of the lake again."),
}
#: Errors raised by these packages are about the input or the machine; the command prints their text.
_KNOWN = ("pyarrow", "duckdb", "_duckdb", "deltalake", "_internal", "zipfile", "zlib", "lz4", "_lzma")
_log = logging.getLogger(__name__)
#: Exit statuses other than 0 (done) and 1 (done, but some input was unusable).
USAGE, FAULT = 2, 70


class _LazyGroup(click.Group):
    """Lists and completes its commands without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        command: click.Command = import_module(_COMMANDS[name][0]).command
        if not any(parameter.name == "verbose" for parameter in command.params):
            verbose_option(command)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        from click.shell_completion import CompletionItem

        found = {name: about for name, (_, about) in _COMMANDS.items() if name.startswith(incomplete)}
        return [CompletionItem(name, help=about) for name, about in found.items()]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0] if args else ""
        if name not in _COMMANDS and not name.startswith("-") and (close := get_close_matches(name, _COMMANDS, 1)):
            ctx.fail(f"No such command {name!r}. Did you mean {close[0]}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in _COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        started = time.monotonic()
        logs.set_up()
        with interrupt.watched():
            try:
                return super().invoke(ctx)
            except BaseException as error:
                _answer(error)
            finally:
                _log.info("%s ended after %.1f s", ctx.invoked_subcommand, time.monotonic() - started)


class SectionOption(click.Option):
    """An option that the help shows under a heading of its own, with all that have the same one."""

    def __init__(self, *args: Any, section: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self.section = section


class SectionedCommand(click.Command):
    """A command some of whose options are under headings of their own."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            if isinstance(param, click.Option) and (record := param.get_help_record(ctx)) is not None:
                sections.setdefault(getattr(param, "section", "Options"), []).append(record)
        for heading, records in sections.items():
            with formatter.section(heading):
                formatter.write_dl(records)


def _answer(error: BaseException) -> NoReturn:
    """End the process with one line and the exit status for an error."""
    if isinstance(error, SystemExit | click.exceptions.Exit | click.ClickException):  # click prints these itself
        raise error
    _log.debug("stopped by an error", exc_info=error)
    if isinstance(error, KeyboardInterrupt) or interrupt.asked():
        click.echo(interrupt.STOPPED, err=True)
        # after an interrupt inside `exec` (as `dataclass` uses it) CPython ends by the signal itself, unless another
        # `exec` follows
        exec("")
        sys.exit(interrupt.STATUS)
    if isinstance(error, BrokenPipeError):  # the reader of our output is gone: drop what is still buffered
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(0)
    if isinstance(error, ArchiveError):
        _end(str(error), USAGE)
    if isinstance(error, click.Abort) or not isinstance(error, Exception):
        raise error
    _unforeseen(error)


def _unforeseen(error: Exception) -> NoReturn:
    """Print the line for an error that no command expects."""
    if os.environ.get("ARCHIVE_TRACEBACK"):
        raise error
    known = isinstance(error, OSError | MemoryError | ModuleNotFoundError)
    if known or type(error).__module__.partition(".")[0] in _KNOWN:
        _end(error_line(error), USAGE)
    line = f"{type(error).__name__}: {error_line(error)}"
    _end(f"{line} (a fault of this program; ARCHIVE_TRACEBACK=1 in front of the command shows where)", FAULT)


def _end(line: str, status: int) -> NoReturn:
    click.echo(f"archive: {visible(' '.join(line.split()))}", err=True)
    sys.exit(status)


def _log_at(ctx: click.Context, param: click.Parameter, times: int) -> None:
    if times and not ctx.resilient_parsing:
        logs.set_up("info" if times == 1 else "debug")
        _log.info("lowbackground %s: %s", program_version(), shlex.join(sys.argv[1:]))


def _show_version(ctx: click.Context, param: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        click.echo(f"archive, version {program_version()}")
        ctx.exit()


def verbose_option(command: Any) -> Any:
    """Add the --verbose option. `_LazyGroup` adds it to every command."""
    return click.option(
        "--verbose", "-v", count=True, is_eager=True, expose_value=False, callback=_log_at,
        help="Log to standard error what is done; -vv: in detail.",
    )(command)  # fmt: skip


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@verbose_option
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version,
    help="Show the version and exit.",
)  # fmt: skip
def main() -> None:
    """The web from before: a dated archive, each text once, with the earliest proof that it existed.

    The lake is a folder or an s3:// prefix: --lake, or $ARCHIVE_LAKE, or ./lake.

    Exit status: 0 done; 1 done, but some input was unusable (the screen says which); 2 wrong usage, or something
    that you can mend; 70 a fault of this program; 130 stopped by Ctrl-C.
    """


def complete_file(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Let the shell complete a parameter that may name a file, though its type is not `click.Path`."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def complete_folder(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Let the shell complete a parameter that may name a folder."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="dir")]


def lake_option(command: Any) -> Any:
    """Add the --lake option."""
    return click.option(
        "--lake",
        "location",
        envvar="ARCHIVE_LAKE",
        default="lake",
        show_default="$ARCHIVE_LAKE, or ./lake",
        metavar="LAKE",
        help="The lake: a folder, or s3://bucket/prefix.",
        shell_complete=complete_folder,
    )(command)


class Size(_ParamType):
    """A number of bytes, as 16M or 1.5G."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        match = _SIZE.fullmatch(str(value).strip())
        if not match or not float(match[1]):
            self.fail(f"{value!r} is no size; write 16M or 1.5G", param, ctx)
        return int(float(match[1]) * 1024 ** " kmgt".index(match[2].lower() or " "))


def workers_option(command: Any) -> Any:
    """Add the options --workers and --engine, for commands that run an engine. Either becomes `workers`."""
    return workers_option_of("one per core")(command)


def workers_option_of(default: str) -> Callable[[Any], Any]:
    """Add the same options where the default is another one."""
    engine = click.option(
        "--engine", metavar="ENGINE", expose_value=False, is_eager=True, callback=_engine,
        help="What runs the work, in place of --workers: local:N, ray, or ray://host:10001.",
    )  # fmt: skip
    workers = click.option(
        "--workers", type=click.IntRange(1, 512), metavar="N", callback=_workers,
        help=f"Processes.  [default: {default}]",
    )  # fmt: skip
    return lambda command: workers(engine(command))


#: Where the context of a command keeps the engine that is asked for.
_ENGINE = "archive.engine"


def _engine(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    ctx.meta[_ENGINE] = value


def _workers(ctx: click.Context, param: click.Parameter, value: int | None) -> int | str | None:
    engine: str | None = ctx.meta.get(_ENGINE)
    if engine is not None and value is not None:
        raise click.UsageError(f"--workers {value} is --engine local:{value}; give one of the two")
    return value if engine is None else engine
