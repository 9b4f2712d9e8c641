"""`explore`: runs the pages on loopback until somebody stops it."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterable, Iterator

import click

from archive.errors import ArchiveError, error_line
from archive.extras import require
from archive.lake import Lake
from archive.progress import Reporter
from query.explorer.result import FolderResult

_LOOPBACK = "127.0.0.1"
PORT = 8765
#: The most pages that a folder gets, and bytes of them.
MOST_PAGES, MOST_BYTES = 1000, 50 << 20
#: Seconds for which the first page waits until the lake is counted; then it shows what is known.
_PATIENCE = 0.5
#: So many requests may be worked on at once; seconds that a connection stays open for the next one; bytes of a head.
_REQUESTS, _IDLE, _HEAD = 100, 5, 32 << 10


def explore(
    lake: Lake | str | os.PathLike[str],
    *,
    port: int = PORT,
    host_name: Iterable[str] = (),
    read_only_token: str | None = None,
    user_header: str | None = None,
    encoder: str | None = None,
    network: bool = False,
    static: str | os.PathLike[str] | None = None,
    pages: int = MOST_PAGES,
    size: int = MOST_BYTES,
    reports: Iterable[str | os.PathLike[str]] = (),
    reporter: Reporter | None = None,
) -> FolderResult | None:
    """Show a lake as pages on loopback, until the process is interrupted; prints the address. The lake is only read.

    With `static`, write the pages into a folder instead, each with its JSON next to it; any web server can serve it,
    and a browser opens it as it is. Run again, it replaces what it wrote before.

    Args:
        lake: a lake, or its location.
        port: on which it listens, on 127.0.0.1 only; with 0, a free one.
        host_name: further names by which the server may be called, as where a proxy is in front.
        read_only_token: who looks must show it.
        user_header: who looks must have this header, which a proxy in front sets.
        encoder: of the lake's vectors, for texts that are alike: a folder, or a name on the Hugging Face hub.
        network: whoever verifies a text may have its record read from another host, where the lake says that it is.
        static: the folder: new, empty, or written by this before.
        pages: the most pages that are written, the nearest to the first page.
        size: the most bytes of them.
        reports: folders in which, and directly in which, results of export, certify, collapse and share are looked for.
            By default the current folder, where nobody but this machine looks.
        reporter: receives the progress of writing.

    Returns:
        what was written, with `static`.

    Raises:
        LakeError: there is no lake.
        ArchiveError: a package is missing, the port is taken, or the folder holds something else.
    """
    require("archive explore", "explore", "starlette", "jinja2", "uvicorn")
    import uvicorn

    from query.explorer.app import application
    from query.explorer.connections import BoundedProtocol
    from query.explorer.guard import Allowed
    from query.explorer.open_lake import OpenLake
    from query.explorer.pages import overview
    from query.explorer.pages.table import table
    from query.explorer.reports.found import check

    location = lake.location if isinstance(lake, Lake) else os.fspath(lake)
    folders = check(reports)
    if static is not None:
        if host_name or read_only_token or user_header:
            raise ArchiveError("a folder of pages asks nobody who he is: leave out host names, token and header")
        from query.explorer.folder import write_folder

        with OpenLake(location, is_pinned=True) as opened:
            return write_folder(opened, static, pages=pages, size=size, table=table(folders), reporter=reporter)
    allowed = Allowed(frozenset(host_name), read_only_token, user_header)
    if not folders and allowed == Allowed():
        folders = check(["."])
    with (
        _offline(),
        OpenLake(location, encoder=encoder, network=network, patience=_PATIENCE) as opened,
        _listening(port) as listening,
    ):
        opened.prepare(lambda context: overview.PAGE.answer(context, {}))
        config = uvicorn.Config(
            application(opened, allowed, table(folders)), lifespan="off", ws="none", loop="asyncio",
            http=BoundedProtocol, h11_max_incomplete_event_size=_HEAD, log_config=None, access_log=False,
            server_header=False, proxy_headers=False, limit_concurrency=_REQUESTS, timeout_keep_alive=_IDLE,
            timeout_graceful_shutdown=2,
        )  # fmt: skip
        query = f"?token={read_only_token}" if read_only_token else ""
        click.echo(f"http://{_LOOPBACK}:{listening.getsockname()[1]}/{query}  (Ctrl-C ends it)")
        uvicorn.Server(config).run([listening])
    return None


@contextlib.contextmanager
def _offline() -> Iterator[None]:
    """Let nothing that reads an encoder ask the hub, whatever it does by itself."""
    name, before = "HF_HUB_OFFLINE", os.environ.get("HF_HUB_OFFLINE")
    os.environ[name] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _listening(port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        ArchiveError: the port is taken.
    """
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((_LOOPBACK, port))
    except OSError as error:
        listening.close()
        raise ArchiveError(f"port {port}: {error_line(error)}; name another one with --port") from None
    listening.listen(128)
    return listening
