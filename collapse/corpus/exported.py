"""Sets that `archive export` wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from archive.errors import CollapseError, ExportError
from archive.objects import Prefix
from archive.sources.base import scheme_of
from collapse.corpus.document import Document
from collapse.corpus.rows import matches
from collapse.corpus.tally import Tally
from query.dataset import MANIFEST, is_begun, load
from query.rows import TOKEN_FORMATS
from query.set_files import SetFiles

_TRAIN = "train"


def is_export(source: str) -> bool:
    """Return whether a source is an export, finished or not.

    Raises:
        SourceError: it names no bucket, or its scheme is unknown.
        StoreError: the store cannot be read.
    """
    if scheme_of(source) not in {"file", "s3"}:
        return False
    files = SetFiles.of(source)
    if files.is_stored:
        is_pattern = any(sign in files.location for sign in "*?[")
        return not is_pattern and (Prefix(files.location).head(MANIFEST) is not None or is_begun(files))
    return (files.path / MANIFEST).is_file() or (files.path / ".work" / "identity.json").is_file()


def documents(
    out: str, where: Mapping[str, str], enough: Mapping[bool, int] | None, tally: Tally
) -> Iterator[tuple[bool, Document]]:
    """Yield the documents of an export, and whether they are held out: those of every split but `train`.

    Args:
        enough: bytes of training and of held-out text after which reading stops. The rows are in the order of a hash,
            so the first ones are a sample. Those of an export in slices are not, and all are read.

    Raises:
        ArchiveError: the export is not finished, or holds tokens.
    """
    dataset = load(out)
    if dataset.format in TOKEN_FORMATS:
        raise CollapseError(
            f"{out}: holds tokens ({dataset.format}), not text; export it again with --format parquet, say"
        )
    left = dict(enough) if enough and not dataset.arguments.slices else None
    for shard in dataset.shards:
        held_out = shard.split != _TRAIN
        if left and left[held_out] <= 0:
            tally.had_enough = True
            continue
        try:
            for row in _rows(dataset.read(shard), where):
                if not matches(row, where):
                    tally.reject("not-asked-for")
                    continue
                captured = row["captured_at"]
                document = Document(row["text"], row["domain"], captured and captured.date().isoformat())
                yield held_out, document
                if left:
                    left[held_out] -= document.size
                    if left[held_out] <= 0:
                        tally.had_enough = True
                        break
        except ExportError as error:
            tally.reject("damaged-shard", str(error))


def _rows(tables: Iterator[Any], where: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
    used = {"text", "domain", "captured_at", *where}
    for table in tables:
        yield from table.select([name for name in table.column_names if name in used]).to_pylist()
