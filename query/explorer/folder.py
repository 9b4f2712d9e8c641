"""`archive explore --static`: the pages as files in a folder, which a browser opens as they are, without a server."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import re
import shlex
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from markupsafe import Markup

from archive.atomic import disk_error_line
from archive.errors import ArchiveError
from archive.journal import JOURNAL
from archive.owned import Owned
from archive.progress import Reporter
from archive.show import count_of
from query.explorer.open_lake import OpenLake
from query.explorer.page import Address, Answer, Page, to
from query.explorer.parameters import BadParameter
from query.explorer.result import FolderResult
from query.explorer.show import Shown

ASSETS = Path(__file__).parent / "static"
#: A value that is the name of a file as it is, also where A and a are the same name.
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,99}(?<!\.)")
#: Seconds for which a page may be worked on, and between two questions whether it is done.
_PATIENCE, _PAUSE = 120.0, 0.2
#: Only templates write such elements: what others wrote is escaped.
_FORM = re.compile(r"<form\b.*?</form>", re.DOTALL)
#: A script of a form; that of all pages, `explore.js`, works without a server.
_SCRIPT = re.compile(r'<script src="[^"]*/(?!explore\.js")[^"/]*"[^>]*></script>')


@dataclass(slots=True)
class _Walked:
    """The pages that were found: where the answer of each is in a file of answers, and what is not there."""

    offsets: dict[Address, int] = field(default_factory=dict)
    left_out: int = 0
    problems: list[str] = field(default_factory=list)


def write_folder(
    lake: OpenLake,
    out: str | os.PathLike[str],
    *,
    pages: int,
    size: int,
    table: Mapping[str, Page],
    reporter: Reporter | None = None,
) -> FolderResult:
    """Write the pages that can be reached by links into a folder, each with its JSON next to it.

    Run again, it replaces what it wrote before. The first page comes last: a folder that has it is whole.

    Args:
        lake: opened at one version.
        out: a folder that is new, empty, or was made by this.
        pages: the most pages.
        size: the most bytes that they have in all.

    Raises:
        ArchiveError: the folder holds something else, is in the lake, or cannot be written.
    """
    reporter = reporter or Reporter()
    if f"{os.path.realpath(out)}/".startswith(f"{lake.location.rstrip('/')}/"):
        raise ArchiveError(f"{os.fspath(out)}: is in the lake; name a folder outside of it")
    owned = Owned(os.fspath(out), "explore")
    try:
        with owned.entered(), tempfile.TemporaryFile(prefix="lowbackground-") as answers:
            walked = _walk(lake, table, pages, size, answers, reporter)
            written = {owned.out / "static" / each.name: each.read_bytes() for each in sorted(ASSETS.iterdir())}
            for path, content in written.items():
                owned.write_file(path, content)
            total = sum(map(len, written.values()))
            paths = set(written)
            reporter.stage("files", len(walked.offsets))
            for address in reversed(walked.offsets):
                for name, content in _files(lake, table, walked, address, answers):
                    owned.write_file(owned.out / name, content)
                    paths.add(owned.out / name)
                    total += len(content)
                reporter.advance(1, 0)
            _remove_others(owned, paths)
    except OSError as error:
        raise ArchiveError(disk_error_line(error, Path(out))) from None
    return FolderResult(os.fspath(out), len(walked.offsets), total, walked.left_out, tuple(walked.problems))


def _walk(
    lake: OpenLake, table: Mapping[str, Page], most: int, room: int, answers: IO[bytes], reporter: Reporter
) -> _Walked:
    """Ask for the first page, those of the menu, and what they link to, the nearest first, and keep the answers."""
    walked = _Walked()
    first = [to(page.name) for page in table.values() if page.menu and _canonical(table, to(page.name))]
    waiting, known = deque(first), set(first)
    reporter.stage("pages", None)
    shown = Shown(table, lake.location, href=_all(table), note="")
    while waiting:
        address = waiting.popleft()
        if len(walked.offsets) >= most:
            walked.left_out += 1 + len(waiting)
            break
        page = table[address.page]
        try:
            answer = _answer(lake, page, address)
        except ArchiveError as error:
            if not walked.offsets:
                raise
            walked.problems.append(f"{page.url(address)}: {error}")
            continue
        needed = len(shown.html(page, address, answer).encode()) + len(shown.json(address, answer, lake.versions))
        if needed > room:
            if not walked.offsets:
                raise ArchiveError(f"the first page has {needed:,} bytes: allow more with --size")
            walked.left_out += 1
            continue
        room -= needed
        walked.offsets[address] = answers.tell()
        pickle.dump(answer, answers)
        reporter.advance(1, 0)
        for link in answer.links:
            target = _canonical(table, link)
            if target is not None and target not in known and not (page.is_endless and link.page == page.name):
                known.add(target)
                waiting.append(target)
    return walked


def _answer(lake: OpenLake, page: Page, address: Address) -> Answer:
    """Ask for a page, and again while something is worked on, within bounds of time."""
    values = page.parse(address.parameters)

    def ask() -> Answer:
        key = address if page.is_of_lake else None
        return lake.answer(key, lambda context: page.answer(context, values), lambda each: each.is_final)

    answer, until = ask(), time.monotonic() + _PATIENCE
    while not answer.is_final and time.monotonic() < until:
        time.sleep(_PAUSE)
        answer = ask()
    return answer


def _canonical(table: Mapping[str, Page], address: Address) -> Address | None:
    """Return the one way to write an address; None where there is no such page."""
    if address.page not in table:
        return None
    page = table[address.page]
    try:
        return page.written(page.parse(address.parameters))
    except BadParameter:
        return None


def _all(table: Mapping[str, Page]) -> Callable[[Address], str | None]:
    """Return the names of pages as if all were there, which no page can be longer than."""

    def href(address: Address) -> str | None:
        target = _canonical(table, address)
        return f"../../{path_of(table[target.page], target)}.html" if target else None

    return href


def path_of(page: Page, address: Address) -> str:
    """Return where a page is in the folder, without the ending of its name.

    Names are lower-case: many disks do not tell A from a. What is no such name is replaced by its hash, behind `_`.
    """
    path, rest = page.path, []
    for name, value in address.parameters:
        if f"{{{name}}}" in path:
            path = path.replace(f"{{{name}}}", value if _NAME.fullmatch(value) else _hashed(value))
        else:
            rest.append((name, value))
    path = path.strip("/") + ("index" if path.endswith("/") else "")
    return path + (_hashed(repr(rest)) if rest else "")


def _hashed(value: str) -> str:
    return "_" + hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _files(
    lake: OpenLake, table: Mapping[str, Page], walked: _Walked, address: Address, answers: IO[bytes]
) -> Iterator[tuple[str, bytes]]:
    """Yield the two files of a page: their paths below the folder, and what is in them."""
    page = table[address.page]
    own = path_of(page, address)
    up = "../" * own.count("/")

    def href(target: Address) -> str | None:
        written = _canonical(table, target)
        if written is None or written not in walked.offsets:
            return None
        return f"{up}{path_of(table[written.page], written)}.html"

    shown = Shown(
        table, lake.location, href=href, twin=lambda _: f"{own.rpartition('/')[2]}.json", static=f"{up}static",
        note=_note(walked),
    )  # fmt: skip
    answers.seek(walked.offsets[address])
    answer = pickle.load(answers)  # that of `_walk`
    command = shlex.join(["archive", "explore", "--lake", lake.location])
    yield f"{own}.json", shown.json(address, answer, lake.versions).encode()
    yield f"{own}.html", without_forms(shown.html(page, address, answer), command).encode()


def without_forms(html: str, command: str) -> str:
    """Return a page with a sentence in place of each form, since a folder cannot answer."""
    needs = Markup('<p class="note">What is asked here needs the lake: <code>{}</code></p>').format(command)
    return _FORM.sub(lambda _: str(needs), _SCRIPT.sub("", html))


def _note(walked: _Walked) -> str:
    about = f"This copy of the lake's pages has {count_of(len(walked.offsets), 'page')}."
    left = walked.left_out + len(walked.problems)
    if left:
        about += f" {left:,} more {'is' if left == 1 else 'are'} named in it without a link."
    return about


def _remove_others(owned: Owned, paths: set[Path]) -> None:
    """Delete what an earlier run wrote and this one did not."""
    for path in sorted(owned.out.rglob("*")):
        if path not in paths and path.name != JOURNAL and path.is_file():
            owned.remove(path)
            with contextlib.suppress(OSError):
                path.parent.rmdir()  # only where it is empty
