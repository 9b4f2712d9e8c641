"""`seal`: one hash of a set or a lake, and a time stamp for it.

The root of a set is the Merkle root in its manifest, over its rows and their evidence. The root of a lake is the
SHA-256 of a statement, a text file:

    lowbackground seal 1
    columns url captured_at …
    <SHA-256 of the captures of a unit> <how many> "<name of the unit>"
    …

with a line for each unit of the table `sources` that brought captures, in the order of their names. The hash of a unit
is the SHA-256 of the hashes of its captures, in hexadecimal and in their order, each with a line feed. That of a
capture is the SHA-256 of its columns, those of the second line, as `name=length:value`, or `name=-` where it is null;
the length is in bytes, a time is in microseconds since 1970. So merged files, later ingests and the order of rows
change nothing, and a unit whose captures were changed or forgotten is found by its name.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import socket
import threading
import time
import urllib.parse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from archive import proofs, storage, versions
from archive.attestations import timestamps
from archive.attestations.rows import add_rows
from archive.attestations.timestamps import MAX_STAMP, Stamp
from archive.damage import naming_damage
from archive.errors import ArchiveError, SourceError, cause_line
from archive.lake import Lake, lake_at
from archive.tables import ATTESTATIONS, CAPTURES

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

#: What a capture is evidence by. What this program concludes from it, as `date_problem`, may change with a version.
_COLUMNS = (
    *("url", "via", "captured_at", "date_source", "record_type", "file", "offset", "length", "skip", "record_id"),
    *("record_sha256", "payload_digest", "content_id", "refers_to_url", "refers_to_date"),
)
_HEAD = "lowbackground seal 1"
#: Seconds in which an authority must have answered.
TIMEOUT = 30.0
_BATCH = 10_000


@dataclass(frozen=True, slots=True)
class SealResult:
    """A root, and where its time stamp is."""

    target: str
    kind: Literal["set", "lake"]
    root: str  #: SHA-256, in hexadecimal
    units: int  #: of a lake, that the root covers
    captures: int
    statement: str | None = None  #: the file whose SHA-256 is the root of a lake
    token: str | None = None  #: the file with the time stamp
    verified: bool = False  #: whether the authority's certificate is trusted
    at: datetime | None = None  #: by when the root existed, where verified
    by: str = ""  #: the authority
    detail: str = ""  #: why it is not verified


@dataclass(slots=True)
class SealCheck:
    """How a set or lake agrees with its seal."""

    stamp: Stamp
    problems: list[str] = field(default_factory=list)
    units: int = 0  #: of a lake, that agree
    unsealed: int = 0  #: that came after the seal


def seal(
    target: Lake | str | os.PathLike[str],
    *,
    tsa: str | None = None,
    out: str | os.PathLike[str] | None = None,
    certificate: Iterable[str | os.PathLike[str]] = (),
) -> SealResult:
    """Compute the root of a lake or of an exported set, and ask an authority for a time stamp of it.

    Nothing is asked of the network without `tsa`.

    Args:
        target: a lake, or the folder of an export.
        tsa: the http or https address of a time-stamp authority (RFC 3161). It gets the root, nothing else.
        out: the file for the token; by default the target's name with `.seal.tsr`, next to it. The statement of a lake
            has the same name with `.txt`.
        certificate: files with the root certificate of the authority, in place of those that are known here.

    Raises:
        LakeError: a table of the lake cannot be read.
        SourceError: there is neither a lake nor a finished export.
        ArchiveError: the authority does not answer, or with something else; a file cannot be written.
    """
    roots = timestamps.read_certificates(certificate) or None
    if tsa is not None:
        timestamps.require_libraries("--tsa")
    lake = _lake_of(target)
    location = lake.location if lake else os.fspath(target)  # type: ignore[arg-type]
    path = Path(out) if out is not None else _beside(location)
    if lake:
        now = lake.snapshot()
        lines = list(_lines(now))
        statement = _statement(_columns(now), lines)
        root, written = hashlib.sha256(statement).digest(), path.with_suffix(".txt")
        _write(written, statement)
        captures = sum(count for _, count, _ in lines)
        result = SealResult(location, "lake", root.hex(), len(lines), captures, str(written))
    else:
        root, rows = _root_of_set(Path(location))
        result = SealResult(location, "set", root.hex(), 0, rows)
    if tsa is None:
        return result
    token, stamp = ask(tsa, root, roots)
    _write(path, token)
    if lake:
        row = {"subject_sha256": root.hex(), "kind": stamp.kind, "at": stamp.at, "by": stamp.by, "token": token}
        add_rows(lake, ATTESTATIONS, [{**row, "verified": stamp.verified}], f"{root.hex()} {token.hex()}")
    return replace(result, token=str(path), verified=stamp.verified, at=stamp.at, by=stamp.by, detail=stamp.detail)


def check_set(root: str, token: str | os.PathLike[str], certificates: list[Certificate] | None) -> SealCheck:
    """Check the time stamp of a set against the root that its rows have now.

    Raises:
        SourceError: the token cannot be read.
    """
    return _checked(timestamps.read_stamp(token), bytes.fromhex(root), "the Merkle root of the set", certificates)


def check_lake(lake: Lake, token: str | os.PathLike[str], certificates: list[Certificate] | None) -> SealCheck:
    """Check the time stamp of a lake, and the units of its statement against the captures that they have now.

    Args:
        token: the time stamp; the statement is next to it, with the name `.txt`.

    Raises:
        SourceError: the token or the statement cannot be read.
    """
    path = Path(token).with_suffix(".txt")
    try:
        statement = path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path}: the statement of a sealed lake is needed too: {cause_line(error)}") from None
    digest = hashlib.sha256(statement).digest()
    check = _checked(timestamps.read_stamp(token), digest, f"the statement {path}", certificates)
    columns, sealed = _parse(path, statement)
    now = {unit: (digest, count) for digest, count, unit in _lines(lake.snapshot(), columns)}
    for hashed, count, unit in sealed:
        if unit not in now:
            check.problems.append(f"{unit}: sealed with {count} captures, and gone")
        elif now[unit] != (hashed, count):
            check.problems.append(f"{unit}: its captures are not those that were sealed")
        else:
            check.units += 1
    check.unsealed = len(now.keys() - {unit for _, _, unit in sealed})
    return check


def _checked(token: bytes, digest: bytes, what: str, certificates: list[Certificate] | None) -> SealCheck:
    stamp = timestamps.verify_stamp(token, {"sha256": digest}, certificates)
    if stamp.verified:
        return SealCheck(stamp)
    return SealCheck(stamp, [f"the seal does not hold for {what}, {digest.hex()}: {stamp.detail}"])


# -- targets ---------------------------------------------------------------------------------------


def _lake_of(target: Lake | str | os.PathLike[str]) -> Lake | None:
    if isinstance(target, Lake):
        target.require()
        return target
    location = os.fspath(target)
    if not storage.is_s3(location) and not os.path.isdir(location):
        raise SourceError(f"{location}: no lake and no export is here")
    return lake_at(location)


def _beside(location: str) -> Path:
    if storage.is_s3(location):
        return Path(location.rstrip("/").rpartition("/")[2] + ".seal.tsr")
    path = Path(os.path.abspath(location))
    return path.with_name(path.name + ".seal.tsr")


def _root_of_set(folder: Path) -> tuple[bytes, int]:
    try:
        manifest = json.loads((folder / "manifest.json").read_bytes())
        root = bytes.fromhex(manifest["merkle_root"])
        rows = sum(shard["rows"] for shard in manifest["shards"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SourceError(f"{folder}: no lake and no finished export is here ({error!r})") from None
    if len(root) != 32:
        raise SourceError(f"{folder}: the Merkle root in its manifest is no SHA-256")
    return root, rows


def _columns(lake: Lake) -> tuple[str, ...]:
    there = set(versions.columns(lake.delta(CAPTURES.name))) & set(CAPTURES.schema.names)
    return tuple(name for name in _COLUMNS if name in there)


def _lines(lake: Lake, columns: tuple[str, ...] | None = None) -> Iterator[tuple[str, int, str]]:
    """Yield the hash, the number of captures and the name of each unit, in the order of the names."""
    there = _columns(lake)
    fields = ", ".join(_field(name, name in there) for name in columns or there)
    with naming_damage(lake), contextlib.closing(proofs.connect(lake)) as db:
        found = db.execute(f"""
            SELECT coalesce(unit, ''), sha256(concat({fields})) FROM stored_captures ORDER BY 1, 2
        """)
        rows = (row for batch in iter(lambda: found.fetchmany(_BATCH), []) for row in batch)
        for unit, group in groupby(rows, key=lambda row: str(row[0])):
            digest, count = hashlib.sha256(), 0
            for _, leaf in group:
                digest.update(f"{leaf}\n".encode())
                count += 1
            yield digest.hexdigest(), count, unit


def _field(name: str, is_there: bool) -> str:
    """Return SQL of a column as `name=length:value`."""
    if not is_there:
        return f"'{name}=-'"
    times = {column.name for column in CAPTURES.columns if str(column.type).startswith("timestamp")}
    value = f'epoch_us("{name}")::VARCHAR' if name in times else f'"{name}"::VARCHAR'
    return f"'{name}=', coalesce(strlen({value})::VARCHAR || ':' || {value}, '-')"


def _statement(columns: tuple[str, ...], lines: Iterable[tuple[str, int, str]]) -> bytes:
    parts = [_HEAD, "columns " + " ".join(columns)]
    parts += [f"{digest} {count} {json.dumps(unit)}" for digest, count, unit in lines]
    return ("\n".join(parts) + "\n").encode()


def _parse(path: Path, statement: bytes) -> tuple[tuple[str, ...], list[tuple[str, int, str]]]:
    try:
        head, columns, *lines = statement.decode("ascii").splitlines()
        names = tuple(columns.removeprefix("columns ").split())
        if head != _HEAD or not set(names) <= set(_COLUMNS):
            raise ValueError(head)
        sealed = []
        for line in lines:
            digest, count, unit = line.split(" ", 2)
            sealed.append((digest, int(count), str(json.loads(unit))))
    except ValueError:
        raise SourceError(f"{path}: this is no statement of a sealed lake") from None
    return names, sealed


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise ArchiveError(f"{path}: {cause_line(error)}") from None


# -- the authority ---------------------------------------------------------------------------------


def ask(url: str, sha256: bytes, certificates: list[Certificate] | None = None) -> tuple[bytes, Stamp]:
    """Ask a time-stamp authority for a token over a hash; return it, and what it shows.

    The authority has `TIMEOUT` seconds in all, and its answer may have `MAX_STAMP` bytes. No redirect is followed.

    Raises:
        ArchiveError: it does not answer, or with something else than a token for this hash and this request.
    """
    request, nonce = timestamps.request_of(sha256)
    answer = _post(url, request)
    stamp = timestamps.verify_token(answer, {"sha256": sha256}, certificates)
    if not stamp.fits:
        raise ArchiveError(f"{url}: no time stamp of this root: {stamp.detail}")
    if timestamps.nonce_of(answer) != nonce:
        raise ArchiveError(f"{url}: the answer is one to another request")
    return answer, stamp


def _post(url: str, body: bytes) -> bytes:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ArchiveError(f"{url}: write the authority as http://… or https://…")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=TIMEOUT)
    end = time.monotonic() + TIMEOUT
    watch: threading.Timer | None = None
    try:
        connection.connect()
        # a server that sends a byte now and then keeps within the timeout of each read
        watch = threading.Timer(TIMEOUT, _hang_up, [connection.sock])
        watch.daemon = True
        watch.start()
        connection.request(
            "POST",
            urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, "")),
            body,
            {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"},
        )
        response = connection.getresponse()
        data = response.read(MAX_STAMP + 1)
        if time.monotonic() >= end:  # hung up: what was read may be a part
            raise TimeoutError
    except (OSError, http.client.HTTPException) as error:
        late = time.monotonic() >= end
        why = f"no answer within {TIMEOUT:.0f} s" if late else str(error) or type(error).__name__
        raise ArchiveError(f"{url}: {why}") from None
    finally:
        if watch is not None:
            watch.cancel()
        connection.close()
    if response.status != 200:
        raise ArchiveError(f"{url}: the authority answered with status {response.status}")
    if len(data) > MAX_STAMP:
        raise ArchiveError(f"{url}: the answer is larger than {MAX_STAMP} bytes, which no time stamp is")
    return data


def _hang_up(peer: socket.socket) -> None:
    with contextlib.suppress(OSError):
        peer.shutdown(socket.SHUT_RDWR)
