"""The folder that a certified data set is written to: its files, and a manifest of those that are done."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from archive import storage
from archive.errors import ArchiveError, SourceError
from archive.journal import JOURNAL
from archive.owned import Owned
from archive.owned_prefix import OwnedPrefix
from archive.sources import Listed, require_same
from index.certify import rows
from index.certify.card import CARD, Kind, card, merged_columns
from index.certify.result import MANIFEST, CertifyResult, RowCounts
from index.certify.work import VerifiedRows

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class OutputFile:
    """A file of the result while it is written."""

    listed: Listed  #: the file of the data set
    counts: RowCounts = field(default_factory=RowCounts)
    columns: dict[str, Kind] = field(default_factory=dict)  #: of JSON lines: the type of each
    first: int = -1  #: number of its first chunk
    sink: pa.NativeFile | None = None
    draft: str = ""  #: the file that `sink` writes
    writer: pq.ParquetWriter | None = None


class OutputFolder:
    """A folder or S3 prefix. Its files appear one after the other, each when it is complete."""

    def __init__(self, out: str) -> None:
        self._out = out
        self.location = out.rstrip("/") if storage.is_s3(out) else os.path.realpath(out)  #: links resolved
        self._manifest: dict[str, dict[str, Any]] = {}
        self._waiting: list[OutputFile] = []  #: files that were begun, in their order
        self._owned = None if storage.is_s3(out) else Owned(out, "certify")
        self._prefix = OwnedPrefix(self.location, "certify") if storage.is_s3(out) else None
        self._drafts = ""  #: the folder for files that go to a prefix when they are complete

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Enter the folder as its only process. (Several may write the same to a prefix.)

        Raises:
            ArchiveError: it holds files that `certify` has not written, or another process is writing to it.
        """
        if self._owned:
            with self._owned.entered():
                yield
            return
        with tempfile.TemporaryDirectory(prefix="lowbackground-") as self._drafts:
            yield

    @staticmethod
    def check_names(listed: list[Listed]) -> None:
        """Check that each file can have its name in the result, and no other file has it.

        Raises:
            SourceError: a name leads out of the folder, as that of an object may, or is taken.
        """
        taken = {MANIFEST, JOURNAL}
        for file in listed:
            if not {"", ".", ".."}.isdisjoint(file.name.split("/")) or file.name in taken:
                raise SourceError(f"{file.uri}: the result cannot hold a file with the name {file.name!r}; rename it")
            taken.add(file.name)

    def open(self, arguments: dict[str, Any], listed: list[Listed], result: CertifyResult) -> list[OutputFile]:
        """Continue an earlier run with the same arguments, or begin in a new folder.

        Args:
            result: files that are done are added to it.

        Returns:
            the files that are not done.

        Raises:
            ArchiveError: the folder holds something else.
        """
        self._manifest = self._read(arguments)
        if self._prefix:
            self._claim(self._prefix, arguments, {MANIFEST, CARD, *(file.name for file in listed)})
        files, todo = self._manifest["files"], []
        for file in listed:
            done = files.get(file.name)
            if done and done["version"] == file.version and self._is_file(file.name):
                result.files_skipped += 1
                result.add(RowCounts.from_json(done))
                _log.info("%s skipped: it is done already", file.name)
            else:
                todo.append(OutputFile(file))
        gone = files.keys() - {file.name for file in listed}  # no longer in the data set
        for name in gone:
            if self._owned:
                self._owned.remove(self._path(name))
            elif self._prefix:
                self._prefix.remove(name)
            del files[name]
            self._write_manifest()
        return todo

    def _read(self, arguments: dict[str, Any]) -> dict[str, dict[str, Any]]:
        content = self._content(MANIFEST)
        if content is None:
            return {"arguments": arguments, "files": {}}
        try:
            manifest: dict[str, dict[str, Any]] = json.loads(content)
        except ValueError:
            raise ArchiveError(f"{self.location}/{MANIFEST}: is damaged; choose a new folder for the result") from None
        if manifest["arguments"] != arguments:
            raise self._differs(manifest["arguments"], arguments)
        return manifest

    def _claim(self, prefix: OwnedPrefix, arguments: dict[str, Any], names: set[str]) -> None:
        """Claim a prefix, or go on with it.

        Args:
            names: what may be written there.

        Raises:
            ArchiveError: it holds something else, or the unfinished result of another `certify`.
        """
        claimed = prefix.claim()
        adopted = [] if claimed else self._unclaimed(prefix)
        prefix.adopt(claimed["adopted"] if claimed else adopted)
        prefix.refuse()
        claimed = prefix.make_claim({"arguments": arguments, "adopted": adopted})
        if claimed["arguments"] != arguments:
            raise self._differs(claimed["arguments"], arguments)
        prefix.prefix.end_uploads(names.__contains__)

    def _unclaimed(self, prefix: OwnedPrefix) -> list[str]:
        """Return what is there of a result of an older version, which made no claim."""
        sizes = dict(prefix.prefix.names()) if MANIFEST in {name for name, _ in prefix.prefix.names()} else {}
        done = {name: about["bytes"] for name, about in self._manifest["files"].items()}
        same = [name for name, size in sizes.items() if name == MANIFEST or done.get(name) == size]
        is_card = CARD in sizes and CARD not in done and self._content(CARD) == (card(self._manifest) or "").encode()
        return [*same, *([CARD] if is_card else [])]

    def _differs(self, held: dict[str, Any], arguments: dict[str, Any]) -> ArchiveError:
        differing = ", ".join(name for name, value in arguments.items() if held.get(name) != value)
        return ArchiveError(
            f"{self._out}: holds the result of another certify ({differing} differ); choose another folder"
        )

    def _content(self, name: str) -> bytes | None:
        """Return the content of a small file, or None."""
        if self._prefix:
            return self._prefix.prefix.read(name)
        try:
            return self._path(name).read_bytes()
        except FileNotFoundError:
            return None

    def begin(self, output: OutputFile) -> None:
        """Begin a file; any number of chunks may follow."""
        self._waiting.append(output)

    def write(self, output: OutputFile, chunk: VerifiedRows, piece: str) -> None:
        """Append a chunk to its file, and delete the piece that it is read from. This finishes the files before it."""
        while self._waiting[0] is not output:
            self._finish(self._waiting.pop(0))
        if output.sink is None:
            self._create(output)
        if output.writer is not None:
            with pa.memory_map(piece) as source:
                output.writer.write_table(pa.ipc.open_file(source).read_all())
        else:
            assert output.sink is not None
            with open(piece, "rb") as file:
                shutil.copyfileobj(file, output.sink, 1 << 20)
        os.unlink(piece)
        output.counts.add(chunk.counts)
        output.columns = merged_columns(output.columns, chunk.columns)

    def describe(self) -> None:
        """Write the data card, for all files that are done, unless it is there already."""
        text = card(self._manifest)
        if text is None or self._content(CARD) == text.encode():
            return
        self._write(CARD, text.encode())

    def close(self) -> None:
        """Finish the files that were begun."""
        while self._waiting:
            self._finish(self._waiting.pop(0))

    def _create(self, output: OutputFile) -> None:
        output.draft = self._draft(output.listed.name)
        output.sink = pa.OSFile(output.draft, "wb")
        schema = rows.parquet_schema(output.listed.uri)
        if schema is not None:
            output.writer = pq.ParquetWriter(output.sink, schema, compression="zstd")

    def _finish(self, output: OutputFile) -> None:
        """Give a complete file its name, and write into the manifest that it is done.

        Raises:
            SourceError: its rows were read while somebody changed it.
        """
        require_same(output.listed)
        if output.sink is None:
            self._create(output)
        assert output.sink is not None
        if output.writer is not None:
            output.writer.close()
        output.sink.close()
        size, digest = _hashed(output.draft)
        self._publish(output.listed.name, output.draft)
        _log.info("%s certified: %d rows", output.listed.name, output.counts.rows)
        about: dict[str, Any] = {"version": output.listed.version, "bytes": size, "sha256": digest}
        if output.writer is None:
            about["columns"] = {name: json.dumps(kind) for name, kind in output.columns.items()}
        self._manifest["files"][output.listed.name] = {**about, **output.counts.as_json()}
        self._write_manifest()

    def _is_file(self, name: str) -> bool:
        return self._prefix.prefix.head(name) is not None if self._prefix else self._path(name).is_file()

    def _path(self, name: str) -> Path:
        return Path(self._out, *name.split("/"))

    def _draft(self, name: str) -> str:
        """Return where a file is written until it is complete."""
        if not self._owned:
            return os.path.join(self._drafts, hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest())
        self._owned.make_folder(self._path(name).parent)
        return str(self._owned.draft(self._path(name)))

    def _publish(self, name: str, draft: str) -> None:
        if self._owned:
            self._owned.publish(Path(draft), self._path(name))
        elif self._prefix:
            self._prefix.put(name, Path(draft), replace=True)
            os.unlink(draft)

    def _write(self, name: str, content: bytes) -> None:
        draft = self._draft(name)
        with open(draft, "wb") as file:
            file.write(content)
        self._publish(name, draft)

    def _write_manifest(self) -> None:
        self._write(MANIFEST, json.dumps(self._manifest, indent=1).encode())


def _hashed(draft: str) -> tuple[int, str]:
    """Return the bytes of a file, and their SHA-256."""
    with open(draft, "rb") as file:
        return os.fstat(file.fileno()).st_size, hashlib.file_digest(file, "sha256").hexdigest()
