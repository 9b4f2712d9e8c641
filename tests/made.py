"""Made texts whose similarity is known, and lakes that hold them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from pathlib import Path

from conftest import record

import query
from archive.intake import ingest
from archive.lake import Lake
from index.neardup import IndexResult, index

#: Text, date of capture.
Dated = tuple[str, str]


def words(count: int, seed: int) -> list[str]:
    """Words as no other seed makes them."""
    dice = random.Random(seed)
    return ["".join(dice.choices("abcdefghijklmnopqrstuvwxyz", k=dice.randint(2, 9))) for _ in range(count)]


def edited(text: list[str], changes: int, seed: int) -> list[str]:
    """A copy with so many words changed, far from each other."""
    copy = list(text)
    step = max(len(text) // max(changes, 1), 1)
    for number, word in enumerate(words(changes, seed)):
        copy[(number * step + step // 2) % len(text)] = word
    return copy


def put(lake: Lake, folder: Path, texts: Iterable[Dated]) -> None:
    """Ingest texts from a web archive of their own."""
    pages = [
        record(url=f"http://example.com/{date}/{number}", body=text, date=date, content_type="text/plain")
        for number, (text, date) in enumerate(texts)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{len(list(folder.iterdir()))}.warc"
    path.write_bytes(b"".join(pages))
    ingest(lake, [str(path)], workers=1)


def indexed(lake: Lake) -> IndexResult:
    return index(lake, workers=1)


def found(lake: Lake) -> dict[str, list[tuple[object, ...]]]:
    """All that the index of a lake says."""
    db = query.connect(lake)
    order: Callable[[str], list[tuple[object, ...]]] = lambda sql: db.execute(sql).fetchall()  # noqa: E731
    return {
        "duplicates": order("SELECT * FROM duplicates ORDER BY ALL"),
        "clusters": order("SELECT * FROM clusters ORDER BY ALL"),
        "documents": order(
            "SELECT content_id, first_seen, first_seen_near, witness_id, witness_similarity, cluster_id "
            "FROM documents ORDER BY ALL"
        ),
    }
