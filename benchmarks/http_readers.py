"""Reads made HTTP responses with our reader, curl, h11, warcio and headless Chromium, and compares what they find.

    python benchmarks/http_readers.py [--no-browser] [--show]

Each response is served as it is, byte for byte, by a socket on this machine, which is closed behind it; warcio reads it
from a WARC record. Compared are the status, the Content-Type and the body without its codings. It prints a table of the
groups, and each difference with its reason; it exits with 1 where a difference has none.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import socketserver
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h11
from chromium import headless
from http_responses import MADE, message, reason_of
from warcio.archiveiterator import ArchiveIterator

from archive.records.chunks import dechunk
from archive.records.codings import BadEncoding, decompress
from archive.records.http import parse_response

LIMIT = 1 << 24


@dataclass(frozen=True)
class Read:
    """What a reader found; `error` where it refuses the response."""

    status: int = 0
    content_type: str = ""
    body: bytes = b""
    error: str = ""

    def differs(self, other: Read) -> str:
        """Return what differs: `error`, `status`, `type`, `body`; empty where nothing does."""
        if bool(self.error) != bool(other.error):
            return "error"
        if self.error:
            return ""
        pairs = (
            ("status", self.status, other.status),
            ("type", self.content_type.strip().lower(), other.content_type.strip().lower()),
            ("body", self.body, other.body),
        )
        return ", ".join(name for name, one, two in pairs if one != two)


# -- the readers -----------------------------------------------------------------------------------


def ours(wire: bytes) -> Read:
    """Read as `archive.examine` does, up to where the kind of content decides."""
    found = parse_response(wire)
    if found is None:
        return Read(error="no status line")
    body = found.body
    try:
        if "chunked" in found.transfer_codings:
            body, _ = dechunk(body, found.length)
        body, _ = decompress(body, ", ".join(n for n in found.transfer_codings if n != "chunked"), LIMIT)
        body, _ = decompress(body, ", ".join(found.headers.every("content-encoding")), LIMIT)
    except BadEncoding as error:
        return Read(error=str(error))
    return Read(found.status, (found.headers.every("content-type") or [""])[-1], body)


def by_h11(wire: bytes) -> Read:
    client = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    client.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
    client.send(h11.EndOfMessage())
    head, body = None, b""
    try:
        client.receive_data(wire)
        closed = False
        while True:
            event = client.next_event()
            if isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                break
            elif event is h11.NEED_DATA:
                if closed:
                    break
                client.receive_data(b"")
                closed = True
            elif event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                break
    except h11.RemoteProtocolError as error:
        return Read(error=str(error))
    if head is None:
        return Read(error="no response")
    types = [value.decode("latin-1") for name, value in head.headers if name == b"content-type"]
    return Read(head.status_code, (types or [""])[-1], body)


def by_warcio(wire: bytes) -> Read:
    fields = (
        "WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://x.example/\r\nWARC-Date: 2016-01-01T00:00:00Z\r\n"
        "WARC-Record-ID: <urn:uuid:00000000-0000-0000-0000-000000000000>\r\n"
        f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(wire)}\r\n\r\n"
    )
    try:
        record = next(iter(ArchiveIterator(io.BytesIO(fields.encode() + wire + b"\r\n\r\n"))))
        body = record.content_stream().read()
        types = [value for name, value in record.http_headers.headers if name.lower() == "content-type"]
        return Read(int(record.http_headers.get_statuscode()), (types or [""])[-1], body)
    except Exception as error:
        return Read(error=f"{type(error).__name__}: {error}")


class _Server(socketserver.ThreadingTCPServer):
    """Serves the responses by number; `/` is the page whose script fetches all, and posts what it found."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, wires: list[bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.wires = wires
        self.found: list[dict[str, str]] = []
        self.done = threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


_SCRIPT = """<!doctype html><script>
const all = [];
async function read(n) {
  const stop = new AbortController(); const timer = setTimeout(() => stop.abort(), 5000);
  try {
    const r = await fetch("/" + n, {cache: "no-store", signal: stop.signal});
    const bytes = new Uint8Array(await r.arrayBuffer());
    let text = ""; for (const b of bytes) text += String.fromCharCode(b);
    all.push({status: String(r.status), type: r.headers.get("content-type") || "", body: btoa(text)});
  } catch (e) { all.push({error: String(e)}); }
  clearTimeout(timer);
}
(async () => { for (let n = 0; n < COUNT; n++) await read(n);
  await fetch("/result", {method: "POST", body: JSON.stringify(all)}); })();
</script>"""


class _Answer(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        request = self.rfile.readline().split()
        length = 0
        while line := self.rfile.readline().strip():
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        path = request[1].decode() if len(request) > 1 else ""
        if path == "/result":
            self.server.found = json.loads(self.rfile.read(length))
            self.wfile.write(b"HTTP/1.1 204 Done\r\n\r\n")
            self.server.done.set()
        elif path == "/":
            self.wfile.write(message(_SCRIPT.replace("COUNT", str(len(self.server.wires))).encode()))
        elif path[1:].isdigit():
            self.wfile.write(self.server.wires[int(path[1:])])
        else:
            self.wfile.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")


def by_curl(server: _Server, number: int) -> Read:
    with tempfile.TemporaryDirectory() as scratch:
        body = Path(scratch) / "body"
        done = subprocess.run(
            [
                *("curl", "-s", "--max-time", "5", "--compressed", "--tr-encoding", "-o", str(body)),
                *("-w", "%{http_code} %{content_type}", f"{server.address}/{number}"),
            ],
            capture_output=True,
            check=False,
        )
        status, _, content_type = done.stdout.decode("latin-1").partition(" ")
        content = body.read_bytes() if body.exists() else b""
        # 18: fewer bytes than stated; 56: chunks that break off. The part that came is what curl writes.
        if done.returncode not in {0, 18, 56} or not status.strip("0"):
            return Read(error=f"curl {done.returncode}")
        return Read(int(status), content_type, content)


def by_chromium(server: _Server, browser: str) -> list[Read]:
    with tempfile.TemporaryDirectory() as profile:
        run = subprocess.Popen(
            headless(browser, profile, "--remote-debugging-port=0", f"{server.address}/"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            if not server.done.wait(240):
                raise SystemExit("the browser did not answer")
        finally:
            run.terminate()
            run.wait()
    return [
        Read(error=each["error"]) if "error" in each
        else Read(int(each["status"]), each["type"].split(", ")[-1], base64.b64decode(each["body"]))
        for each in server.found
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--browser", default="chromium")
    parser.add_argument("--no-browser", action="store_true")
    parser.add_argument("--show", action="store_true", help="print what each reader found where they differ")
    given = parser.parse_args()
    server = _Server([case.wire for case in MADE])
    readers: dict[str, Callable[[int], Read]] = {
        "curl": lambda n: by_curl(server, n),
        "h11": lambda n: by_h11(MADE[n].wire),
        "warcio": lambda n: by_warcio(MADE[n].wire),
    }
    if not given.no_browser:
        seen = by_chromium(server, given.browser)
        readers["Chromium"] = lambda n: seen[n]
    same: Counter[tuple[str, str]] = Counter()
    unexplained = 0
    print("| response | reader | differs in | reason |\n| --- | --- | --- | --- |")
    for number, case in enumerate(MADE):
        mine = ours(case.wire)
        for name, reader in readers.items():
            theirs = reader(number)
            if not (what := mine.differs(theirs)):
                same[case.group, name] += 1
                continue
            reason = reason_of(case, name)
            unexplained += not reason
            print(f"| {case.group}: {case.name} | {name} | {what} | {reason} |")
            if given.show:
                for each in (mine, theirs):
                    print(
                        "   ",
                        each.status,
                        each.content_type,
                        each.error,
                        len(each.body),
                        each.body[:90],
                        each.body[-30:],
                    )
    server.shutdown()
    groups = Counter(case.group for case in MADE)
    print(f"\n| group | responses | {' | '.join(readers)} |\n| --- | --: |{' --: |' * len(readers)}")
    for group, count in groups.items():
        print(f"| {group} | {count} | {' | '.join(str(same[group, name]) for name in readers)} |")
    print(f"| all | {len(MADE)} | {' | '.join(str(sum(same[g, name] for g in groups)) for name in readers)} |")
    sys.exit(unexplained > 0)


if __name__ == "__main__":
    main()
