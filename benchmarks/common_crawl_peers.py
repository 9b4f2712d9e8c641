"""Other programs for Common Crawl on the same small crawl, with a well server and with one that has faults.

    python benchmarks/common_crawl_peers.py [--folder /tmp/common-crawl] [--only cdx_toolkit,ours] [--no-faults]

Each program gets a virtual environment of its own (PyPI is needed; cc-downloader needs Python 3.12). They have the
addresses of the real hosts; a proxy on loopback, with a certificate of its own, answers in their place, and logs. What
each delivers is compared with what was crawled: address, SHA-1 of the body, and time.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import hashlib
import json
import re
import shutil
import subprocess
import sys
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from mini_crawls import SHARED, Site, archive, emptied, made_pages, served, table, write_crawl
from minicc.make import Capture, captured, page, write_arc_crawl
from processes import machine

import query
from archive.evidence.crawls import frozen
from archive.lake import Lake

CRAWL, OLD, HOST = "CC-MAIN-2020-34", "CC-MAIN-2008-2009", "site8.com"
FAULTS = ("slowdown", "slowdown", "reset-inside", "truncate", "slowdown", "html")
#: The hosts that the programs ask.
HOSTS = ("data.commoncrawl.org", "index.commoncrawl.org", "commoncrawl.s3.amazonaws.com")
Found = tuple[str, str, str]  # address, SHA-1, time to the second

# -- what is crawled ---------------------------------------------------------------------------------------------------


def write(root: Path) -> None:
    """Write a crawl of 2020 with real pages among the made ones, and one of 2008, if nothing is there."""
    if (root / "truth.json").exists():
        return
    real = [each for each in _real("CC-MAIN-2020-34-sample.warc.gz") if each.status == 200]
    pages = [each for each in made_pages(CRAWL, 600, 200_000) if each.status == 200] + real
    write_crawl(root, CRAWL, pages, files=4, shards=2, block=100, parts=2, group=200)
    start = datetime(2008, 6, 1, tzinfo=UTC)
    times = [start + timedelta(hours=7 * n) for n in range(40)]
    old = [page(f"http://www.{HOST}/old/{n}", f"Old page {n} of words.", at) for n, at in enumerate(times)]
    old += real_arc("CC-2008-1213893279526_0.arc")
    write_arc_crawl(root, OLD, old, block=50)
    crawls = [{"id": name, "name": name, "cdx-api": f"https://index.commoncrawl.org/{name}-index",
               "from": f"{each.start:%Y-%m-%dT%H:%M:%S}", "to": f"{each.end:%Y-%m-%dT%H:%M:%S}"}
              for name, each in sorted(frozen().items(), reverse=True)]  # fmt: skip
    (root / "collinfo.json").write_text(json.dumps(crawls))
    truth = {name: [_truth(each) for each in some] for name, some in ((CRAWL, pages), (OLD, old))}
    (root / "truth.json").write_text(json.dumps(truth))


def _real(name: str) -> list[Capture]:
    path = SHARED / "data/commoncrawl" / name
    return captured(path) if path.is_file() else []


def real_arc(name: str) -> list[Capture]:
    """Return the pages of a real ARC file, with their true times: the file has Pacific time. warcio cannot read it."""
    path = SHARED / "data/commoncrawl" / name
    data, at, found = path.read_bytes() if path.is_file() else b"", 0, list[Capture]()
    while match := _ARC_LINE.search(data, at):
        http = data[match.end() : match.end() + int(match[4])]
        status = re.match(rb"HTTP/[\d.]+ 200 ", http)
        local = datetime.strptime(match[2].decode(), "%Y%m%d%H%M%S").replace(tzinfo=ZoneInfo("America/Los_Angeles"))
        if status and match[3] == b"text/html" and b"\r\n\r\n" in http:
            found.append(Capture(match[1].decode("latin-1"), local.astimezone(UTC), http))
        at = match.end() + int(match[4])
    return found


_ARC_LINE = re.compile(rb"(http://\S+) [\d.]+ (\d{14}) (\S+) (\d+)\n")


def _truth(capture: Capture) -> Found:
    return capture.url, hashlib.sha1(capture.body).hexdigest(), f"{capture.at:%Y-%m-%dT%H:%M:%SZ}"


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make an authority, and a certificate of the real hosts by it."""

    def signed(
        name: str,
        key: ec.EllipticCurvePrivateKey,
        by: str,
        with_key: ec.EllipticCurvePrivateKey,
        *more: x509.ExtensionType,
    ) -> bytes:
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(_name(by), _name(name), key.public_key(), x509.random_serial_number(),
                                          now - timedelta(days=1), now + timedelta(days=30))  # fmt: skip
        for each in more:
            builder = builder.add_extension(each, critical=isinstance(each, x509.BasicConstraints))
        return builder.sign(with_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    root, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    names = [x509.DNSName(name) for name in HOSTS]
    authority, server = folder / "authority.pem", folder / "server.pem"
    authority.write_bytes(signed("benchmark", root, "benchmark", root, x509.BasicConstraints(True, None)))
    usage = x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH])
    chain = signed("data.commoncrawl.org", own, "benchmark", root, x509.SubjectAlternativeName(names), usage)
    secret = own.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    server.write_bytes(chain + secret)
    return authority, server


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


# -- the programs ------------------------------------------------------------------------------------------------------

_OF_WARC = """
import hashlib, json, sys
from warcio.archiveiterator import ArchiveIterator
def show(file):
    for record in ArchiveIterator(file, arc2warc=True):
        if record.rec_type == "response":
            head = record.rec_headers
            body = record.content_stream().read()
            url, at = head.get_header("WARC-Target-URI"), head.get_header("WARC-Date")
            print(json.dumps([url, hashlib.sha1(body).hexdigest(), at]))
"""
_CDXT = """
import glob, subprocess
command = [sys.executable, "-m", "cdx_toolkit.cli", "--crawl", crawl, "warc", "--prefix", "OUT", host + "/*"]
code = subprocess.run(command).returncode
for name in sorted(glob.glob("OUT*.warc.gz")):
    with open(name, "rb") as file:
        show(file)
sys.exit(code)
"""
_COMCRAWL = """
import hashlib, json, sys
from comcrawl import IndexClient
crawl, host = sys.argv[1:]
client = IndexClient([crawl.removeprefix("CC-MAIN-")])
client.search(host + "/*")
client.download()
for each in client.results:
    stamp = each["timestamp"]
    at = "{}{}{}{}-{}{}-{}{}T{}{}:{}{}:{}{}Z".format(*stamp)
    print(json.dumps([each["url"], hashlib.sha1(each["html"].encode()).hexdigest(), at]))
"""
_DOWNLOADER = """
import pathlib, sys, cc_downloader
if __name__ == "__main__":
    crawl, host = sys.argv[1:]
    cc_downloader.download_paths(crawl, "warc", ".")
    cc_downloader.download("warc.paths.gz", "files", threads=2)
"""
_DATATROVE = """
import gzip, hashlib, json, sys, requests
from datatrove.pipeline.readers import WarcReader
crawl, host = sys.argv[1:]
paths = sys.stdin.read()
open("paths.txt", "w").write(paths)
# fsspec asks no proxy unless it is told to
place = ("https://data.commoncrawl.org", {"client_kwargs": {"trust_env": True}})
for each in WarcReader(place, paths_file="paths.txt").run():
    print(json.dumps([each.metadata["url"], hashlib.sha1(each.text.encode()).hexdigest(), str(each.metadata["date"])]))
"""
_WARCIO = """
import requests
for path in sys.stdin.read().split():
    with requests.get("https://data.commoncrawl.org/" + path, stream=True) as response:
        show(response.raw)
"""
_ARGS = "crawl, host = sys.argv[1:]\n"


@dataclass(frozen=True)
class Peer:
    """A program: what PyPI calls it, what runs it, and whether it reads the files of a crawl or the pages of a host."""

    packages: tuple[str, ...]
    script: str
    by_host: bool
    python: str = sys.executable
    shows_files: bool = False  #: it leaves WARC files behind, which are read for it


PEERS = {
    "cdx_toolkit": Peer(("cdx_toolkit",), _OF_WARC + _ARGS + _CDXT, True),
    "comcrawl": Peer(("comcrawl",), _COMCRAWL, True),
    "cc-downloader": Peer(("cc-downloader",), _DOWNLOADER, False, "python3.12", True),
    "datatrove": Peer(("datatrove[io,processing]", "requests", "aiohttp"), _DATATROVE, False),
    "warcio": Peer(("warcio", "requests"), _OF_WARC + _ARGS + _WARCIO, False),
}


def interpreter(folder: Path, name: str) -> str | None:
    """Return the interpreter of the environment of a program, which is made once; None where that fails."""
    python = folder / "venvs" / name / "bin" / "python"
    if not python.exists():
        base = shutil.which(PEERS[name].python)
        if base is None:
            return None
        subprocess.run([base, "-m", "venv", str(python.parents[1])], check=True)
    if subprocess.run(
        [str(python), "-m", "pip", "install", "-q", *PEERS[name].packages], capture_output=True
    ).returncode:
        return None
    return str(python)


# -- runs --------------------------------------------------------------------------------------------------------------


@dataclass
class Outcome:
    """What a program delivered, and what it took."""

    code: int
    seconds: float
    found: list[Found]
    words: str = ""  #: the last line that it printed where it failed


def run_peer(python: str, peer: Peer, site: Site, run: Path, authority: Path, crawl: str, paths: list[str]) -> Outcome:
    script = run / "script.py"
    script.write_text(peer.script)
    (run / "paths").write_text("".join(f"{path}\n" for path in paths))
    env = dict.fromkeys(("HTTPS_PROXY", "https_proxy"), site.address)
    env |= {name: str(authority) for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")}
    env |= {"CDXT_CACHE_DIR": f"{run}/cdxt/", "HOME": str(run), "PATH": "/usr/bin:/bin"}
    began = datetime.now()
    try:
        with open(run / "paths") as given, open(run / "err", "w") as err:
            done = subprocess.run([python, str(script), crawl, HOST], stdin=given, stdout=subprocess.PIPE, stderr=err,
                                  text=True, cwd=run, env=env, timeout=LIMIT)  # fmt: skip
        code, output = done.returncode, done.stdout
    except subprocess.TimeoutExpired as error:
        code, output = -1, (error.stdout or b"").decode() if isinstance(error.stdout, bytes) else error.stdout or ""
    seconds = (datetime.now() - began).total_seconds()
    found = [as_found(json.loads(line)) for line in output.splitlines() if line.startswith("[")]
    for path in sorted((run / "files").rglob("*.gz")) if peer.shows_files else []:
        found += _of_file(path)
    words = ((run / "err").read_text().strip().splitlines() or [""])[-1]
    return Outcome(code, seconds, found, words if code else "")


def _of_file(path: Path) -> list[Found]:
    """Return the pages of a WARC file that a program left behind; none where it is damaged."""
    try:
        copy = path.with_suffix(".plain")
        copy.write_bytes(gzip.decompress(path.read_bytes()))
        return [_truth(each) for each in captured(copy)]
    except (OSError, EOFError, zlib.error) as error:
        print(f"{path.name}: {type(error).__name__}: {error}", flush=True)
        return []


def as_found(row: list[str]) -> Found:
    url, digest, at = row
    return url, digest, at


def run_ours(site: Site, run: Path, crawl: str, by_host: bool) -> Outcome:
    words = [f"cc:{crawl}", *(["--host", HOST] if by_host else []), "--mirror", site.address, "--rate", str(OURS)]
    ran = archive(run, *words, "--workers", "2")
    rows = query.connect(Lake(str(run / "lake"))).execute(
        "SELECT url, payload_digest, strftime(captured_at AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%SZ') FROM captures"
    ).fetchall()  # fmt: skip
    found = [(url, base64.b32decode(digest.removeprefix("sha1:")).hex(), at) for url, digest, at in rows]
    return Outcome(ran.code, ran.seconds, found, "")


#: Seconds after which a program is stopped, and our requests a second: as cdx_toolkit asks for records.
LIMIT, OURS = 240, 1 / 0.55


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/common-crawl"))
    parser.add_argument("--only", help="programs, by commas")
    parser.add_argument("--no-faults", action="store_true")
    given = parser.parse_args()
    folder: Path = given.folder
    root = folder / "peers"
    write(root)
    authority, server = certificate(folder)
    truth = json.loads((root / "truth.json").read_text())
    print(machine(), flush=True)
    names = given.only.split(",") if given.only else ["ours", *PEERS]
    rows: list[list[object]] = []
    for crawl, by_host in ((CRAWL, True), (CRAWL, False), (OLD, True), (OLD, False)):
        of_host = {each[0] for each in truth[crawl] if each[0].split("/")[2].endswith(HOST)}
        wanted = {as_found(each) for each in truth[crawl] if not by_host or each[0] in of_host}
        there = root.rglob("*.arc.gz" if crawl == OLD else "*/warc/*.warc.gz")
        paths = sorted(str(path.relative_to(root)) for path in there)
        for faulty in (False, True)[: 1 if given.no_faults else 2]:
            flags = [word for kind in FAULTS for word in ("--fault", f"{kind}:*arc.gz")] if faulty else []
            for name in names:
                peer = PEERS.get(name)
                if peer and peer.by_host != by_host:
                    continue
                python = interpreter(folder, name) if peer else None
                if peer and python is None:
                    print(f"{name}: cannot be had here")
                    continue
                flags_now = ["--certificate", str(server), *flags]
                with (
                    served(root, folder / "peers.log", *flags_now) as site,
                    emptied(folder / "run-peers") as run,
                ):
                    if peer and python:
                        out = run_peer(python, peer, site, run, authority, crawl, paths)
                    else:
                        out = run_ours(site, run, crawl, by_host)
                    log = site.log()
                size, what = sum(each["sent"] for each in log) / 1e6, "a host" if by_host else "files"
                what = f"{crawl}, {what}{', faults' if faulty else ''}"
                ended = [f"{size:.1f}", f"{out.seconds:.1f}", out.code, out.words[:90]]
                rows.append([what, name, *_compared(out, wanted), len(log), *ended])
                print(rows[-1], flush=True)
    table("crawl|program|records|missing|other bytes|other time|requests|MB|seconds|exit|", rows)


def _compared(out: Outcome, wanted: set[Found]) -> tuple[int, int, int, int]:
    """Return how many records came, and how many are missing, have another body, or another time."""
    urls, times = {url for url, _, _ in out.found}, {(url, at) for url, _, at in out.found}
    there = [each for each in wanted if each[0] in urls]
    bodies = {(url, digest) for url, digest, _ in out.found}
    return (len(out.found), len(wanted) - len(there), sum((url, digest) not in bodies for url, digest, _ in there),
            sum((url, at) not in times for url, _, at in there))  # fmt: skip


if __name__ == "__main__":
    main()
