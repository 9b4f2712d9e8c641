"""Keeps out what no reader sends: other hosts' names, who has no token, and requests without bounds."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: The most bytes of a path, a query, and the body of a form; seconds for a body.
PATH, QUERY, BODY, BODY_SECONDS = 2_000, 8_000, 1 << 20, 10.0
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_COOKIE = "archive-explore"
_METHODS = frozenset({"GET", "HEAD", "POST"})
#: Nothing but what this server sends is loaded; no style or script in a page works.
_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # with less, a browser hides from this server which site a form is from
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "private, no-cache",
}


@dataclass(frozen=True, slots=True)
class Allowed:
    """Who may look.

    Args:
        host_names: by which the server may be called, besides those of loopback.
        token: everybody must show it: in the query as `token`, which then becomes a cookie, or as `Bearer`.
        user_header: everybody must have this header, which a proxy in front sets once it knows who asks.
    """

    host_names: frozenset[str] = field(default_factory=frozenset)
    token: str | None = None
    user_header: str | None = None


class Guard:
    """Asks what every request must have before the pages see it, and adds the headers that every answer has."""

    def __init__(self, app: ASGIApp, allowed: Allowed) -> None:
        self._app, self._allowed = app, allowed
        self._hosts = _LOOPBACK | {name.lower() for name in allowed.host_names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [pair for pair in message["headers"] if pair[0].decode("latin-1").lower() not in _HEADERS]
                message["headers"] = kept + [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
            await send(message)

        headers: dict[str, list[str]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
        refused = self._refused(scope, headers) or self._entry(scope, headers)
        if refused is not None:
            await refused(scope, receive, guarded)
            return
        try:
            body = await _body(receive) if scope["method"] == "POST" else b""
        except (ValueError, TimeoutError) as error:
            status = 408 if isinstance(error, TimeoutError) else 413
            await _plain(status, str(error) or "the request took too long to arrive")(scope, receive, guarded)
            return
        await self._app(scope, _replayed(body, receive), guarded)

    def _refused(self, scope: Scope, headers: Mapping[str, list[str]]) -> Response | None:
        """Return what a request is refused with; None where it may pass."""
        if scope["method"] not in _METHODS:
            return _plain(405, "pages are read, and nothing else")
        hosts = headers.get("host", [])
        if len(hosts) != 1 or _host_name(hosts[0]) not in self._hosts:
            return _plain(421, "this server has another name; `archive explore --host-name NAME` gives it one more")
        if len(scope.get("raw_path") or scope["path"].encode()) > PATH or len(scope["query_string"]) > QUERY:
            return _plain(414, "this address is too long")
        lengths = headers.get("content-length", ["0"])
        if len(lengths) != 1 or not lengths[0].isdecimal() or len(lengths[0]) > 15:
            return _plain(400, "this request has no length that can be read")
        if int(lengths[0]) > (BODY if scope["method"] == "POST" else 0):
            return _plain(413, "this request has a body that is too long")
        site = headers.get("sec-fetch-site", [""])[0].lower()
        navigates = headers.get("sec-fetch-mode", [""])[0] == "navigate" and scope["method"] != "POST"
        if site in ("cross-site", "same-site") and not navigates:
            return _plain(403, "another site may link here, and nothing else")
        if scope["method"] == "POST" and not site and not self._is_own(headers.get("origin", []), hosts[0]):
            return _plain(403, "another site may link here, and nothing else")
        return None

    def _is_own(self, origins: list[str], host: str) -> bool:
        """Whether a form is from this server, as a browser tells that does not say how the sites are related."""
        names = {name.lower() for name in self._allowed.host_names}  # a proxy may hide by which one it was called
        called = [each.partition("://")[2].lower() for each in origins]
        return all(each == host.lower() or _host_name(each) in names for each in called)

    def _entry(self, scope: Scope, headers: Mapping[str, list[str]]) -> Response | None:
        """Return what somebody gets who may not look, or who shows the token in the query."""
        if self._allowed.user_header and not any(headers.get(self._allowed.user_header.lower(), [])):
            return _plain(403, "the proxy in front does not state who asks")
        token = self._allowed.token
        if token is None:
            return None
        given = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if any(name == "token" and _same(value, token) for name, value in given):
            rest = urlencode([pair for pair in given if pair[0] != "token"])
            # one slash: with two, a browser would take the path for another host
            answer = RedirectResponse("/" + scope["path"].lstrip("/") + (f"?{rest}" if rest else ""), 303)
            answer.set_cookie(_cookie_name(scope), _held(token), httponly=True, samesite="strict")
            return answer
        bearer = headers.get("authorization", [""])[0].removeprefix("Bearer ")
        if _same(bearer, token) or any(_same(each, _held(token)) for each in _cookies(headers, _cookie_name(scope))):
            return None
        return _plain(401, "this server wants the token that it was started with: open its address with ?token=…")


def _host_name(host: str) -> str | None:
    """Return the name in a Host header, without its port; None where it is none."""
    try:
        parts = urlsplit(f"//{host}")
        name = parts.hostname
        _ = parts.port  # raises where it is no number
    except ValueError:
        return None
    return None if "@" in host or parts.path or parts.query or parts.fragment else name


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), wanted.encode("utf-8", "surrogatepass"))


def _held(token: str) -> str:
    """Return what a browser holds of a token: other servers of this host name get its cookies too."""
    return hmac.digest(token.encode("utf-8", "surrogatepass"), _COOKIE.encode(), "sha256").hex()


def _cookie_name(scope: Scope) -> str:
    """Return the name of our cookie. Cookies know no port, and another server of this host may have another token."""
    _, port = scope.get("server") or ("", "")
    return f"{_COOKIE}-{port}"


def _cookies(headers: Mapping[str, list[str]], own: str) -> list[str]:
    """Return the cookies of our name. Others may be as they like, and may have our name."""
    pairs = [each.partition("=") for line in headers.get("cookie", []) for each in line.split(";")]
    return [value.strip() for name, _, value in pairs if name.strip() == own]


async def _body(receive: Receive) -> bytes:
    """Read the body of a request.

    Raises:
        ValueError: it is too long.
        TimeoutError: it does not arrive in time.
    """
    parts, size = [], 0
    async with asyncio.timeout(BODY_SECONDS):
        while True:
            message = await receive()
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > BODY:
                raise ValueError("this request has a body that is too long")
            if message["type"] == "http.disconnect" or not message.get("more_body"):
                return b"".join(parts)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return what hands over a body that was read, and then what the server says."""
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _plain(status: int, line: str) -> Response:
    return PlainTextResponse(line + "\n", status)
