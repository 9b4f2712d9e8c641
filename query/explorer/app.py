"""The pages as a web application: from a request to parameters, from an answer to HTML or JSON."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from archive.errors import ArchiveError, error_line
from query.explorer.busy import Busy, NotYet
from query.explorer.guard import Allowed, Guard
from query.explorer.open_lake import OpenLake
from query.explorer.page import Page, twin_of
from query.explorer.pages.table import PAGES
from query.explorer.parameters import BadParameter, NotThere
from query.explorer.show import Shown

STATIC = Path(__file__).parent / "static"
#: The most parameters that an address may have.
_PARAMETERS = 50
#: Seconds after which a browser asks again for a page that needs what is still being made.
_AGAIN = "3"
_STATUS = {BadParameter: 400, NotThere: 404, Busy: 503}
_log = logging.getLogger(__name__)
_Endpoint = Callable[[Request], Awaitable[Response]]


def application(lake: OpenLake, allowed: Allowed, pages: Mapping[str, Page] = PAGES) -> Starlette:
    """Return the application that shows a lake.

    Args:
        allowed: who may look.
        pages: by name.
    """
    shown = Shown(pages, lake.location)
    routes: list[Route | Mount] = []
    for page in pages.values():  # a twin first: a parameter of a path would match its name too
        methods = ["GET", "POST"] if page.takes_form or page.acts else ["GET"]
        routes.append(Route(twin_of(page.path), _endpoint(lake, shown, page, True), methods=methods))
    for page in pages.values():
        methods = ["GET", "POST"] if page.takes_form or page.acts else ["GET"]
        routes.append(Route(page.path, _endpoint(lake, shown, page, False), methods=methods))
    routes.append(Mount("/static", StaticFiles(directory=STATIC)))

    async def known(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        line = "there is no such page" if status == 404 else str(getattr(error, "detail", error))
        return HTMLResponse(shown.error(status, line), status)

    return Starlette(
        routes=routes, middleware=[Middleware(Guard, allowed=allowed)], exception_handlers={HTTPException: known}
    )  # fmt: skip


def _endpoint(lake: OpenLake, shown: Shown, page: Page, is_twin: bool) -> _Endpoint:
    """Return what answers requests for a page, or for its twin."""

    async def endpoint(request: Request) -> Response:
        given = [*request.path_params.items(), *await _given(request)]
        posted = request.method == "POST"
        return await run_in_threadpool(_respond, lake, shown, page, given, is_twin, posted)

    return endpoint


async def _given(request: Request) -> list[tuple[str, str]]:
    """Return the parameters of a request as they are written, of its query and its form."""
    written = request.url.query
    if request.method == "POST":
        written += "&" + (await request.body()).decode("utf-8", "replace")
    try:
        return parse_qsl(written, keep_blank_values=True, max_num_fields=_PARAMETERS)
    except ValueError:
        raise HTTPException(400, f"an address has at most {_PARAMETERS} parameters") from None


def _respond(
    lake: OpenLake, shown: Shown, page: Page, given: list[tuple[str, str]], is_twin: bool, posted: bool
) -> Response:
    try:
        values = page.parse(given)
        address = page.written(values)
        is_short = page.is_short(address)
        # so that it can be sent to a colleague, and gone back to
        if posted and page.takes_form and is_short and not is_twin:
            return RedirectResponse(page.url(address), 303)
        key = address if page.is_of_lake and is_short else None
        if posted and page.acts:
            answer = lake.act(lambda context: page.answer(context, values))
        else:
            answer = lake.answer(key, lambda context: page.answer(context, values), lambda each: each.is_final)
        if is_twin:
            return Response(shown.json(address, answer, lake.versions), media_type="application/json")
        if answer.better:
            return RedirectResponse(shown.url(answer.better), 303)
        return HTMLResponse(shown.html(page, address, answer))
    except NotYet as error:
        if is_twin:
            return PlainTextResponse(f"{error}: ask again\n", 503, {"Retry-After": _AGAIN})
        return HTMLResponse(shown.waiting(str(error)), 202, {"Refresh": _AGAIN})
    except ArchiveError as error:
        status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 500)
        line = str(error)
    except Exception as error:
        _log.exception("the page %s failed", page.name)
        status, line = 500, f"this page failed: {type(error).__name__}: {error_line(error)}"
    if is_twin:
        return PlainTextResponse(line + "\n", status)
    return HTMLResponse(shown.error(status, line), status)
