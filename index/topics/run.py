"""`update`: gives each text of a lake that has vectors a topic.

The topics of an encoder are made once, and kept: texts that come later get the nearest one. New topics become visible
in one transaction of the table `topics`, after their texts are written; until then the old ones are. Each run commits
all new texts of an encoder together. So it can be killed at any moment, and two may run at once.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from archive.compact import compact
from archive.errors import ArchiveError, LakeError
from archive.files import parquet_options, sql_literal, write_parquet, write_parts
from archive.lake import MAX_TRIES, Lake, NewFile
from archive.progress import Reporter
from index import ids
from index.embeddings.table import the_encoder
from index.ids import Ids
from index.tables import TEXT_TOPICS, TOPICS
from index.topics.train import Topics, train
from index.topics.vectors import nearest, texts_with_vectors, vectors_of
from index.topics.words import Named
from index.vectors.cells import matrix

_log = logging.getLogger(__name__)

#: Rows of a row group.
_ROW_GROUP = 1 << 17


@dataclass(slots=True)
class UpdateResult:
    """What `update` did."""

    encoder: str
    topics: int = 0  #: that the encoder has now
    is_new: bool = False  #: whether this run made them
    assigned: int = 0  #: texts that got a topic


def update(
    lake: Lake,
    encoder: str | None = None,
    *,
    topics: int | None = None,
    again: bool = False,
    reporter: Reporter | None = None,
) -> UpdateResult:
    """Make topics where an encoder has none, and give each text that has vectors and no topic the nearest one.

    Args:
        encoder: as `index.embeddings.table.the_encoder` takes it.
        topics: how many are made; by default `index.topics.train.default_topics`.
        again: make topics anew, and give all texts theirs.

    Raises:
        ArchiveError: there cannot be so many topics, or the lake has topics already, of another number.
        LakeError: no text has vectors, or the lake cannot be read or written.
    """
    reporter = reporter or Reporter()
    encoder = the_encoder(lake, encoder)
    lake.create([TOPICS, TEXT_TOPICS])
    compact(lake, TEXT_TOPICS)
    result = UpdateResult(encoder)
    for _ in range(MAX_TRIES):
        table = lake.delta(TOPICS.name)
        current = _stored(lake, table, encoder)
        if current is not None and topics not in {None, current.asked} and not again:
            raise ArchiveError(
                f"{lake.location}: has topics already, {current.asked:,} were asked for; --again makes {topics:,}"
            )
        texts = texts_with_vectors(lake, encoder)
        if not len(texts):
            raise LakeError(f"{lake.location}: no text that it holds has vectors of {encoder}")
        if current is not None and not again:
            assigned = _assign(lake, encoder, current, texts, reporter)
            result.assigned += assigned or 0
            if assigned == 0:
                result.topics = len(current.named)
                return result
            continue
        _tidy(lake, encoder, current)
        fresh = train(lake, encoder, texts, topics, reporter)
        assigned = _assign(lake, encoder, fresh, texts, reporter)
        if assigned is not None and _replace(lake, table, encoder, fresh):
            result.assigned, result.is_new, again, topics = assigned, True, False, None
            _log.info("%d topics of %d texts by %s", len(fresh.named), fresh.made_of, encoder)
    raise LakeError(f"{lake.location}: too many others are writing; run the same command again")


def _folder(encoder: str, version: str = "") -> str:
    return f"encoder={encoder}/" + (f"version={version}/" if version else "")


def _stored(lake: Lake, table: DeltaTable, encoder: str) -> Topics | None:
    """Return the topics of an encoder; None where it has none."""
    paths = [path for path in lake.files_of(table) if path.startswith(_folder(encoder))]
    rows = pa.concat_tables(
        [TOPICS.file_schema.empty_table(), *lake.read_files(TOPICS.name, paths, TOPICS.file_schema.names)]
    )
    if not rows.num_rows:
        return None
    rows = rows.sort_by("topic").combine_chunks()
    named = [Named(row["name"], tuple(row["words"])) for row in rows.select(["name", "words"]).to_pylist()]
    version, made_of, asked = (rows[name][0].as_py() for name in ("version", "made_of", "asked"))
    return Topics(version, made_of, asked, matrix(rows["vector"]), named)


def _assign(lake: Lake, encoder: str, topics: Topics, texts: Ids, reporter: Reporter) -> int | None:
    """Give the texts that have none a topic, in one transaction; return how many these are.

    Returns:
        None if another process has added rows meanwhile: nothing is changed then.
    """
    delta = lake.delta(TEXT_TOPICS.name)
    paths = [path for path in lake.files_of(delta) if path.startswith(_folder(encoder, topics.version))]
    done = [ids.parse(table["content_id"]) for table in lake.read_files(TEXT_TOPICS.name, paths, ["content_id"])]
    if done:
        known = np.concatenate(done)
        texts = texts[ids.positions(known[ids.sort(known)], texts) < 0]
    if not len(texts):
        return 0
    reporter.stage("texts", len(texts))
    numbers, cosines = np.zeros(len(texts), np.int32), np.zeros(len(texts), np.float32)
    for positions, vectors in vectors_of(lake, encoder, texts):
        of, similarity = nearest(vectors, topics.centres)
        numbers[positions], cosines[positions] = of + 1, similarity
        reporter.advance(len(positions), 0)
    partition = {"encoder": encoder, "version": topics.version}
    options = {**parquet_options(TEXT_TOPICS), "row_group_size": _ROW_GROUP}
    file = write_parts(lake, TEXT_TOPICS, _rows(texts, numbers, cosines), "topics", partition, **options)
    assert file is not None
    turn = f"{encoder}/turn"  # all commits to this partition have this name: none comes in between
    if lake.commit_to(delta, TEXT_TOPICS, [file], {turn: (delta.transaction_version(turn) or 0) + 1}):
        return len(texts)
    lake.discard([file])
    return None


def _rows(texts: Ids, numbers: np.ndarray, cosines: np.ndarray) -> Iterator[pa.Table]:
    for at in range(0, len(texts), _ROW_GROUP):
        some = slice(at, at + _ROW_GROUP)
        yield pa.table({"content_id": ids.text(texts[some]), "topic": numbers[some], "similarity": cosines[some]})


def _replace(lake: Lake, table: DeltaTable, encoder: str, topics: Topics) -> bool:
    """Put topics in the place of those of an encoder; False if another process has done so since it was opened."""
    offsets = np.arange(len(topics.centres) + 1, dtype=np.int32) * topics.centres.shape[1]
    rows = pa.table(
        {
            "topic": np.arange(1, len(topics.centres) + 1, dtype=np.int32),
            "name": [each.name for each in topics.named],
            "words": pa.array([list(each.words) for each in topics.named], pa.list_(pa.string())),
            "vector": pa.ListArray.from_arrays(pa.array(offsets), pa.array(topics.centres.reshape(-1))),
            "made_of": pa.repeat(pa.scalar(topics.made_of, pa.int64()), len(topics.centres)),
            "asked": pa.repeat(pa.scalar(topics.asked, pa.int32()), len(topics.centres)),
            "version": pa.repeat(pa.scalar(topics.version), len(topics.centres)),
        }
    )
    file = write_parquet(lake, TOPICS, rows, "topics", {"encoder": encoder})
    stored = pa.table(table.get_add_actions(flatten=True)).select(["path", "size_bytes"]).to_pylist()
    replaced = [
        NewFile(TOPICS.name, each["path"], each["size_bytes"], {"encoder": encoder}, "")
        for each in stored
        if each["path"].startswith(_folder(encoder))
    ]
    turn = f"{encoder}/turn"
    number = (table.transaction_version(turn) or 0) + 1
    if lake.commit_to(table, TOPICS, [file], {turn: number}, replaced=replaced):
        return True
    lake.discard([file])
    return False


def _tidy(lake: Lake, encoder: str, current: Topics | None) -> None:
    """Remove the rows of `text_topics` whose topics are gone.

    The rows of the current topics stay until the next ones are replaced: who opened `topics` before still finds them. A
    run that is adding rows of newer topics at this moment adds them again.
    """
    keep = f" AND version <> {sql_literal(current.version)}" if current else ""
    with contextlib.suppress(CommitFailedError):  # another process removes them too
        lake.delta(TEXT_TOPICS.name).delete(f"encoder = {sql_literal(encoder)}{keep}")
