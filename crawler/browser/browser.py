"""A headless Chromium, by Playwright, that shows pages and has no network.

Each request of a page is answered by the crawl or not at all: the page itself with the bytes that came over the wire,
scripts and data with what the crawl fetches for it. What Playwright does not see (connections ahead of need, WebRTC)
ends at a proxy where nobody listens, and no name has an address.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urldefrag

from crawler.steps import Rendered

_log = logging.getLogger(__name__)

#: Seconds of one page, in which its parts are fetched politely; of silence after it has loaded; of an end.
SECONDS, _SETTLED, _END = 60.0, 5.0, 5.0
#: Characters of the longest document that is kept; parts of one page; pages until the browser is begun anew.
_LONGEST, _PARTS, _PAGES = 16_000_000, 50, 200
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_ARGUMENTS = (
    "--proxy-server=http://127.0.0.1:9",
    "--proxy-bypass-list=<-loopback>",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--js-flags=--max-old-space-size=512",
    "--renderer-process-limit=4",
)
_WITHOUT_WEBRTC = "delete window.RTCPeerConnection; delete window.webkitRTCPeerConnection;"
#: What may change the document. Pictures, fonts and styles do not.
_FETCHED = frozenset({"script", "xhr", "fetch"})
#: Fields that are of the transfer, or would have the browser keep or connect to something.
_DROPPED = frozenset(
    {b"content-encoding", b"content-length", b"transfer-encoding", b"connection", b"set-cookie", b"link", b"alt-svc"}
)


@dataclass(frozen=True)
class Answer:
    """What the browser gets for a request. Names of fields are in lower case."""

    status: int
    fields: list[tuple[bytes, bytes]]
    body: bytes

    def headers(self) -> dict[str, str]:
        """Return the fields as the browser takes them."""
        return {n.decode("latin-1"): v.decode("latin-1") for n, v in self.fields if n not in _DROPPED}


#: Fetches a part of a page: its answer, or the reason why there is none.
Fetch = Callable[[str], Awaitable[Answer | str]]


class BrowserError(OSError):
    """The browser cannot be begun."""


class Browser:
    """Shows pages, two at once at most, and begins anew after a crash.

    Args:
        path: of the browser; else the first that is found on the search path, else the one that Playwright installed.
    """

    def __init__(self, user_agent: str, path: str = "", sandbox: bool | None = None) -> None:
        self._user_agent = user_agent
        self._sandbox = os.geteuid() != 0 if sandbox is None else sandbox  # Chromium has none for root
        self._path = path or next(filter(None, map(shutil.which, _NAMES)), None)
        self._playwright: Any = None
        self._browser: Any = None
        self._shown = 0
        self._turn, self._starting = asyncio.Semaphore(2), asyncio.Lock()
        self._showing: set[asyncio.Task[Rendered]] = set()

    async def start(self) -> None:
        """Begin the browser, if it does not run.

        Raises:
            BrowserError: it cannot be begun.
        """
        from playwright.async_api import Error, async_playwright

        async with self._starting:
            if self.is_running:
                return
            await self._quit()
            try:
                self._playwright = await async_playwright().start()
                self._browser = await self._playwright.chromium.launch(
                    executable_path=self._path,
                    args=list(_ARGUMENTS),
                    chromium_sandbox=self._sandbox,
                    handle_sigint=False,
                    handle_sigterm=False,
                    timeout=SECONDS * 1000,
                )
            except Error as error:
                await self._quit()
                raise BrowserError(f"the browser cannot be begun: {str(error).splitlines()[0]}") from None
            self._shown = 0

    @property
    def is_running(self) -> bool:
        """Whether the browser runs."""
        return self._browser is not None and bool(self._browser.is_connected())

    @property
    def name(self) -> str:
        """The browser, with its version."""
        return f"Chromium {self._browser.version}" if self._browser is not None else ""

    async def show(self, url: str, page: Answer, fetch: Fetch, seconds: float = SECONDS) -> Rendered:
        """Show a page; return the document that its scripts made of it."""
        async with self._turn:
            rendered, started = Rendered(), time.monotonic()
            showing = asyncio.ensure_future(self._show(url, page, fetch, rendered, seconds))
            self._showing.add(showing)
            try:
                await asyncio.wait_for(showing, seconds + 2 * _END)
            except TimeoutError:
                rendered.error = rendered.error or f"no end after {seconds:g} s"
                await self._quit()
            except asyncio.CancelledError:
                if not showing.cancelled():
                    raise
                rendered.error = "stopped"
            except Exception as error:
                rendered.error = rendered.error or _line(error)
            finally:
                self._showing.discard(showing)
            rendered.seconds = time.monotonic() - started
            return rendered

    async def _show(self, url: str, page: Answer, fetch: Fetch, rendered: Rendered, seconds: float) -> Rendered:
        if self._shown >= _PAGES and len(self._showing) == 1:
            await self._quit()
        await self.start()
        self._shown += 1
        rendered.browser = self.name
        context = await self._browser.new_context(
            user_agent=self._user_agent,
            service_workers="block",
            accept_downloads=False,
            ignore_https_errors=True,
            locale="en-US",
        )
        try:
            tab = await self._tab(context, url, page, fetch, rendered)
            crashed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            tab.on("crash", lambda _: crashed.cancel())
            work = asyncio.ensure_future(self._content(tab, url, rendered, seconds))
            await asyncio.wait({work, crashed}, timeout=seconds + 1, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
            else:
                work.cancel()
                rendered.error = "the page crashed" if crashed.done() else f"no document after {seconds:g} s"
        finally:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(context.close(), _END)
        return rendered

    async def _tab(self, context: Any, url: str, page: Answer, fetch: Fetch, rendered: Rendered) -> Any:
        """Return a tab whose requests are answered here."""
        given = False

        async def answer(route: Any) -> None:
            nonlocal given
            asked = route.request
            target, kind, reason = urldefrag(asked.url)[0], asked.resource_type, ""
            if asked.is_navigation_request():
                is_tab = asked.frame == tab.main_frame
                if is_tab and not given:  # Chromium may write the URL in another way
                    given = True
                    await route.fulfill(status=page.status, headers=page.headers(), body=page.body)
                    return
                reason = "navigation" if is_tab else "frame"
                if is_tab:
                    rendered.moved.append(target)
            elif kind not in _FETCHED:
                reason = kind
            elif asked.method != "GET":
                reason = "method"
            elif rendered.parts >= _PARTS:
                reason = "too-many"
            else:
                rendered.parts += 1
                came = await fetch(target)
                if isinstance(came, Answer):
                    await route.fulfill(status=came.status, headers=came.headers(), body=came.body)
                    return
                rendered.parts -= 1
                reason = came
            rendered.blocked[reason] += 1
            await route.abort("blockedbyclient")

        async def careful(route: Any) -> None:
            try:
                await answer(route)
            except Exception as error:  # the page is closed, or the part could not be had
                _log.debug("%s: %s", url, _line(error))
                with contextlib.suppress(Exception):
                    await route.abort("failed")

        def refuse(socket: Any) -> Any:
            rendered.blocked["websocket"] += 1
            return socket.close()

        await context.add_init_script(_WITHOUT_WEBRTC)
        await context.route("**/*", careful)
        await context.route_web_socket("**/*", refuse)
        tab = await context.new_page()
        tab.on("popup", lambda popup: asyncio.ensure_future(_close(popup)))
        return tab

    async def _content(self, tab: Any, url: str, rendered: Rendered, seconds: float) -> None:
        from playwright.async_api import Error
        from playwright.async_api import TimeoutError as LateError

        until = time.monotonic() + seconds - _END
        try:
            await tab.goto(url, wait_until="load", timeout=(seconds - _END) * 1000)
            rest = min(_SETTLED, max(until - time.monotonic(), 0.1))
            await tab.wait_for_load_state("networkidle", timeout=rest * 1000)
        except LateError:  # it still loads something: the document is taken as it is then
            rendered.blocked["late"] += 1
        except Error as error:
            rendered.error = _line(error)
            return
        length = await tab.evaluate("document.documentElement ? document.documentElement.outerHTML.length : 0")
        if length > _LONGEST:
            rendered.error = f"a document of {length:,} characters"
            return
        rendered.html = (await tab.content()).encode("utf-8", "replace")

    def abort(self) -> None:
        """End the pages that are shown."""
        for each in list(self._showing):
            each.cancel()

    async def close(self) -> None:
        """End the browser."""
        self.abort()
        await self._quit()

    async def _quit(self) -> None:
        browser, playwright, self._browser, self._playwright = self._browser, self._playwright, None, None
        for ended in (browser.close if browser else None, playwright.stop if playwright else None):
            if ended is not None:  # the second ends a browser that the first did not
                with contextlib.suppress(Exception):
                    await asyncio.wait_for(ended(), _END)


async def _close(popup: Any) -> None:
    with contextlib.suppress(Exception):
        await popup.close()


def _line(error: BaseException) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:300]
