"""The folder that a certified data set is written to: its files, and a manifest of those that are done."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs as pafs

from archive import storage
from archive.errors import ArchiveError
from archive.owned import Owned
from archive.sources import Listed
from index.certify import rows
from index.certify.card import CARD, Kind, card, merged_columns
from index.certify.result import MANIFEST, OWN, CertifyResult, RowCounts
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
    writer: pq.ParquetWriter | None = None


class OutputFolder:
    """A folder or S3 prefix. Its files appear one after the other, each when it is complete."""

    def __init__(self, out: str) -> None:
        self._out = out
        self.location = out.rstrip("/") if storage.is_s3(out) else os.path.realpath(out)  #: links resolved
        self._system, self._root = storage.filesystem(self.location)
        self._manifest: dict[str, dict[str, Any]] = {}
        self._waiting: list[OutputFile] = []  #: files that were begun, in their order
        self._owned = None if storage.is_s3(out) else Owned(out, "certify")

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Enter the folder as its only process.

        Raises:
            ArchiveError: it holds files that `certify` has not written, or another process is writing to it.
        """
        with self._owned.entered() if self._owned else contextlib.nullcontext():
            yield

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
        if not self._owned and CARD not in {*files, *(file.name for file in listed)}:
            self._check_card(will_change=bool(todo or gone))
        for name in gone:
            if self._owned:
                self._owned.remove(self._path(name))
            elif self._is_file(name):
                self._system.delete_file(f"{self._root}/{name}")
            del files[name]
            self._write_manifest()
        return todo

    def _read(self, arguments: dict[str, Any]) -> dict[str, dict[str, Any]]:
        path = f"{self._root}/{MANIFEST}"
        try:
            with self._system.open_input_stream(path) as file:
                manifest: dict[str, dict[str, Any]] = json.loads(file.read())
        except FileNotFoundError:
            selector = pafs.FileSelector(self._root, allow_not_found=True)
            if not self._owned and any(info.base_name != OWN for info in self._system.get_file_info(selector)):
                raise ArchiveError(f"{self._out}: holds other files; choose a new folder") from None
            return {"arguments": arguments, "files": {}}
        except ValueError:
            raise ArchiveError(f"{path}: is damaged; choose a new folder for the result") from None
        if manifest["arguments"] != arguments:
            differing = [name for name, value in arguments.items() if manifest["arguments"].get(name) != value]
            raise ArchiveError(
                f"{self._out}: holds the result of another certify ({', '.join(differing)} differ); "
                "choose another folder"
            )
        return manifest

    def _check_card(self, will_change: bool) -> None:
        """Check that the card on S3, where no journal names it, is that of the manifest, and take it away before that
        changes. So whenever a run is killed, a card that is there is that of the manifest, or somebody else's.

        Raises:
            ArchiveError: it is another one.
        """
        there = self._card()
        if there is None:
            return
        if there != (card(self._manifest) or "").encode():
            raise ArchiveError(f"{self._out}: holds {CARD}, which is not what `archive certify` writes; move that away")
        if will_change:
            self._system.delete_file(f"{self._root}/{CARD}")

    def _card(self) -> bytes | None:
        """Return the card that is there, or None."""
        try:
            with self._system.open_input_stream(f"{self._root}/{CARD}", compression=None) as file:
                return bytes(file.read())
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
        if text is None or self._card() == text.encode():
            return
        with self._system.open_output_stream(self._draft(CARD), compression=None) as file:
            file.write(text.encode())
        self._publish(CARD)

    def close(self) -> None:
        """Finish the files that were begun."""
        while self._waiting:
            self._finish(self._waiting.pop(0))

    def _create(self, output: OutputFile) -> None:
        output.sink = self._system.open_output_stream(self._draft(output.listed.name), compression=None)
        schema = rows.parquet_schema(output.listed.uri)
        if schema is not None:
            output.writer = pq.ParquetWriter(output.sink, schema, compression="zstd")

    def _finish(self, output: OutputFile) -> None:
        """Give a complete file its name, and write into the manifest that it is done."""
        if output.sink is None:
            self._create(output)
        assert output.sink is not None
        if output.writer is not None:
            output.writer.close()
        output.sink.close()
        self._publish(output.listed.name)
        _log.info("%s certified: %d rows", output.listed.name, output.counts.rows)
        size, digest = self._hashed(output.listed.name)
        about: dict[str, Any] = {"version": output.listed.version, "bytes": size, "sha256": digest}
        if output.writer is None:
            about["columns"] = {name: json.dumps(kind) for name, kind in output.columns.items()}
        self._manifest["files"][output.listed.name] = {**about, **output.counts.as_json()}
        self._write_manifest()

    def _hashed(self, name: str) -> tuple[int, str]:
        """Return the bytes of a finished file, and their SHA-256."""
        size, digest = 0, hashlib.sha256()
        with self._system.open_input_stream(f"{self._root}/{name}", compression=None) as file:
            while data := file.read(1 << 20):
                size += len(data)
                digest.update(data)
        return size, digest.hexdigest()

    def _is_file(self, name: str) -> bool:
        return bool(self._system.get_file_info(f"{self._root}/{name}").type == pafs.FileType.File)

    def _path(self, name: str) -> Path:
        return Path(self._out, *name.split("/"))

    def _draft(self, name: str) -> str:
        """Return where a file is written until it is complete. On S3 a file appears only when it is closed."""
        if not self._owned:
            return f"{self._root}/{name}"
        self._owned.make_folder(self._path(name).parent)
        return str(self._owned.draft(self._path(name)))

    def _publish(self, name: str) -> None:
        if self._owned:
            self._owned.publish(self._owned.draft(self._path(name)), self._path(name))

    def _write_manifest(self) -> None:
        with self._system.open_output_stream(self._draft(MANIFEST), compression=None) as file:
            file.write(json.dumps(self._manifest, indent=1).encode())
        self._publish(MANIFEST)
