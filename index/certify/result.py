"""The folder that a certified data set goes into: its files, and a manifest of what is done."""

from __future__ import annotations

import contextlib
import json
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
from index.certify.summary import Summary
from index.certify.work import Proved

#: What is written beside the data set: the manifest, and the file that is being written.
_OWN = "_certify"
_MANIFEST = f"{_OWN}/manifest.json"


@dataclass(slots=True)
class Output:
    """A file of the result, while it is written."""

    listed: Listed
    summary: Summary = field(default_factory=Summary)
    first: int = -1  #: number of its first chunk
    sink: pa.NativeFile | None = None
    writer: pq.ParquetWriter | None = None


class Result:
    """A folder or S3 prefix. Its files appear one after the other, each when it is whole."""

    def __init__(self, out: str) -> None:
        self._out = out
        self.location = out.rstrip("/") if storage.is_s3(out) else os.path.realpath(out)  #: links resolved
        self._system, self._root = storage.filesystem(self.location)
        self._manifest: dict[str, dict[str, Any]] = {}
        self._waiting: list[Output] = []  #: files that were begun, in their order
        self._owned = None if storage.is_s3(out) else Owned(out, "certify")

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Enter the folder as the only process.

        Raises:
            ArchiveError: it holds something that is not of a result, or another process is at work in it.
        """
        with self._owned.entered() if self._owned else contextlib.nullcontext():
            yield

    def open(self, arguments: dict[str, Any], listed: list[Listed], known: Summary) -> list[Output]:
        """Take up an earlier run with the same arguments, or begin in a new folder.

        Args:
            known: what is done already is added to it.

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
                known.files_known += 1
                known.add(Summary.from_json(done))
            else:
                todo.append(Output(file))
        for name in files.keys() - {file.name for file in listed}:  # no longer in the data set
            if self._owned:
                self._owned.remove(self._path(name))
            elif self._is_file(name):
                self._system.delete_file(f"{self._root}/{name}")
            del files[name]
            self._note()
        return todo

    def _read(self, arguments: dict[str, Any]) -> dict[str, dict[str, Any]]:
        path = f"{self._root}/{_MANIFEST}"
        try:
            with self._system.open_input_stream(path) as file:
                manifest: dict[str, dict[str, Any]] = json.loads(file.read())
        except FileNotFoundError:
            selector = pafs.FileSelector(self._root, allow_not_found=True)
            if not self._owned and any(info.base_name != _OWN for info in self._system.get_file_info(selector)):
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

    def begin(self, output: Output) -> None:
        """A file of which chunks will come, or none."""
        self._waiting.append(output)

    def write(self, output: Output, piece: Proved) -> None:
        """Add a finished chunk to its file; the files before it are done then."""
        while self._waiting[0] is not output:
            self._finish(self._waiting.pop(0))
        if output.sink is None:
            self._create(output)
        if output.writer is not None:
            with pa.memory_map(piece.path) as source:
                output.writer.write_table(pa.ipc.open_file(source).read_all())
        else:
            assert output.sink is not None
            with open(piece.path, "rb") as file:
                shutil.copyfileobj(file, output.sink, 1 << 20)
        os.unlink(piece.path)
        output.summary.rows += piece.rows
        output.summary.kinds.update(piece.kinds)
        output.summary.years.update(piece.years)
        output.summary.paragraphs.update(piece.paragraphs)

    def close(self) -> None:
        """Finish the files that were begun."""
        while self._waiting:
            self._finish(self._waiting.pop(0))

    def _create(self, output: Output) -> None:
        output.sink = self._system.open_output_stream(self._draft(output.listed.name), compression=None)
        schema = rows.parquet_schema(output.listed.uri)
        if schema is not None:
            output.writer = pq.ParquetWriter(output.sink, schema, compression="zstd")

    def _finish(self, output: Output) -> None:
        """Give a whole file its name, and note that it is done."""
        if output.sink is None:
            self._create(output)
        assert output.sink is not None
        if output.writer is not None:
            output.writer.close()
        output.sink.close()
        self._publish(output.listed.name)
        self._manifest["files"][output.listed.name] = {"version": output.listed.version, **output.summary.as_json()}
        self._note()

    def _is_file(self, name: str) -> bool:
        return bool(self._system.get_file_info(f"{self._root}/{name}").type == pafs.FileType.File)

    def _path(self, name: str) -> Path:
        return Path(self._out, *name.split("/"))

    def _draft(self, name: str) -> str:
        """Where a file is written until it is whole. On S3 it appears when it is closed, and not before."""
        if not self._owned:
            return f"{self._root}/{name}"
        self._owned.make_folder(self._path(name).parent)
        return str(self._owned.draft(self._path(name)))

    def _publish(self, name: str) -> None:
        if self._owned:
            self._owned.publish(self._owned.draft(self._path(name)), self._path(name))

    def _note(self) -> None:
        """Write the manifest."""
        with self._system.open_output_stream(self._draft(_MANIFEST), compression=None) as file:
            file.write(json.dumps(self._manifest, indent=1).encode())
        self._publish(_MANIFEST)
