"""Shows what `archive crawl` does, on a small site that it serves on loopback: `make demo-crawl`, and docs/crawl.md.

python tests/crawler/demo_crawl.py OUT      OUT is a folder; what an earlier demo left there is deleted
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from archive.demo.pages import BEES, CHAIN, LIGHTHOUSE, RYE

CRAWL = "archive crawl $SITE/ --out demo/crawl --contact me@example.org --delay 0.2 --allow-private"
PAGES = (
    "SELECT replace(captures.url, '$SITE', '') AS path, grade, documents.title FROM captures JOIN documents USING (content_id) "
    "ORDER BY captured_at"
)
RULES = "SELECT kind, shut_out, replace(url, '$SITE', '') AS path FROM site_rules"
CLEAN = (
    "SELECT count(*) AS captures, count(DISTINCT content_id) AS texts, "
    "(SELECT count(*) FROM clean('2022-01-01')) AS clean FROM captures WHERE rules IS NULL"
)
ROBOTS = "User-agent: *\nDisallow: /keys\n\nUser-agent: GPTBot\nDisallow: /\n"


def links(*names: str) -> str:
    return "".join(f'<li><a href="/{name}">{name}</a>' for name in names)


#: What is at each path: the status, the media type, and the body; of a redirect, where it leads to.
SITE = {
    "/": (200, "text/html", f"<title>Our village</title><p>What our neighbours write.<ul>{links('lighthouse', 'rye')}"),
    "/lighthouse": (200, "text/html", LIGHTHOUSE.html().decode() + links("bees", "keys", "old")),
    "/rye": (200, "text/html", RYE.html().decode() + links("chain", "gone")),
    "/bees": (200, "text/html", BEES.html().decode()),
    "/chain": (200, "text/html", CHAIN.html().decode()),
    "/keys": (200, "text/html", "<p>Who has which key."),
    "/old": (301, "text/plain", "/bees"),
    "/robots.txt": (200, "text/plain", ROBOTS),
}


class Handler(BaseHTTPRequestHandler):
    """Serves the site, each page with a validator."""

    protocol_version, server_version, sys_version = "HTTP/1.1", "village", ""

    def do_GET(self) -> None:
        status, kind, text = SITE.get(self.path, (404, "text/plain", "not here"))
        body, mark = text.encode(), f'"{len(text)}"'
        if self.headers.get("If-None-Match") == mark:
            status, body = 304, b""
        self.send_response(status)
        if status == 301:
            self.send_header("Location", text)
        if status in (200, 304):
            self.send_header("ETag", mark)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def run(command: str, site: str) -> None:
    """Print a command and run it; one that fails ends the demo."""
    print(f"$ {command}", flush=True)
    words = shlex.split(command.replace("$SITE", site))
    # -P: a folder `crawler` of the tests is not the program
    status = subprocess.run([sys.executable, "-P", "-m", *words], env=os.environ | {"PYTHONPATH": ""}).returncode
    if status > 1:
        sys.exit(status)
    print(flush=True)


def main() -> None:
    out = sys.argv[1]
    shutil.rmtree(out, ignore_errors=True)
    os.environ["ARCHIVE_LAKE"] = str(Path(out) / "lake")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    site = f"http://127.0.0.1:{server.server_port}"
    print(f"$ export ARCHIVE_LAKE={out}/lake SITE={site}\n")
    crawl = CRAWL.replace("demo/crawl", f"{out}/files")
    for command in (
        crawl,
        f"archive ingest {out}/files",
        f'archive query --format table "{PAGES}"',
        f'archive query --format table "{RULES}"',
        f"{crawl} --again",
        f"archive ingest {out}/files",
        f'archive query --format table "{CLEAN}"',
    ):
        run(command, site)


if __name__ == "__main__":
    main()
