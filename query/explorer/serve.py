"""`explore`: runs the pages on loopback until somebody stops it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable

import click

from archive.errors import ArchiveError, error_line
from archive.extras import require
from archive.lake import Lake

_LOOPBACK = "127.0.0.1"
PORT = 8765
#: So many requests may be open at once; seconds that a connection without one stays open.
_REQUESTS, _IDLE = 64, 5


def explore(
    lake: Lake | str | os.PathLike[str],
    *,
    port: int = PORT,
    host_name: Iterable[str] = (),
    read_only_token: str | None = None,
    user_header: str | None = None,
    encoder: str | None = None,
    network: bool = False,
) -> None:
    """Show a lake as pages on loopback, until the process is interrupted; prints the address. The lake is only read.

    Args:
        lake: a lake, or its location.
        port: on which it listens, on 127.0.0.1 only; with 0, a free one.
        host_name: further names by which the server may be called, as where a proxy is in front.
        read_only_token: who looks must show it.
        user_header: who looks must have this header, which a proxy in front sets.
        encoder: of the lake's vectors, for texts that are alike: a folder, or a name on the Hugging Face hub.
        network: whoever verifies a text may have its record read from another host, where the lake says that it is.

    Raises:
        LakeError: there is no lake.
        ArchiveError: a package is missing, or the port is taken.
    """
    require("archive explore", "explore", "starlette", "jinja2", "uvicorn")
    import uvicorn

    from query.explorer.app import application
    from query.explorer.context import OpenLake
    from query.explorer.guard import Allowed
    from query.explorer.pages import overview

    location = lake.location if isinstance(lake, Lake) else os.fspath(lake)
    allowed = Allowed(frozenset(host_name), read_only_token, user_header)
    with OpenLake(location, encoder=encoder, network=network) as opened, _listening(port) as listening:
        opened.prepare(lambda context: overview.PAGE.answer(context, {}))
        config = uvicorn.Config(
            application(opened, allowed), lifespan="off", ws="none", loop="asyncio", log_config=None, access_log=False,
            server_header=False, proxy_headers=False, limit_concurrency=_REQUESTS, timeout_keep_alive=_IDLE,
            timeout_graceful_shutdown=2,
        )  # fmt: skip
        query = f"?token={read_only_token}" if read_only_token else ""
        click.echo(f"http://{_LOOPBACK}:{listening.getsockname()[1]}/{query}  (Ctrl-C ends it)")
        uvicorn.Server(config).run([listening])


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
