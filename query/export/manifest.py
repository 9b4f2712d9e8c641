"""What an export writes next to the shards: the manifest, the data card and its picture."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb

from archive.atomic import write_file
from archive.files import sql_literal
from archive.program import program_version
from query.dataset import (
    MANIFEST,
    VERSION,
    Dropped,
    File,
    LakeVersion,
    Likeness,
    Manifest,
    Shard,
    UsedTokenizer,
    described,
    set_roots,
    sums,
)
from query.export import card, chart
from query.export.assign_shards import PlannedShard
from query.export.workplace import Workplace
from query.formats import Format, Written
from query.options import ExportOptions
from query.scratch import scratch_database
from query.tokenizer import Tokenizer

_DOMAINS = 20


def finish(
    workplace: Workplace,
    planned: Sequence[PlannedShard],
    plan: dict[str, Any],
    options: ExportOptions,
    format_: Format,
    tokenizer: Tokenizer | None,
) -> Manifest:
    """Write the index of each folder, the card and the manifest, next to the shards in `.work`."""
    done = (workplace.done / f"{shard.number}.json" for shard in planned)
    shards = tuple(Shard.from_json(json.loads(path.read_bytes())) for path in done)
    folders: dict[str, list[Written]] = {}
    for shard in shards:
        written = Written(tuple(file.name for file in shard.files), shard.rows)
        folders.setdefault(shard.folder, []).append(written)
    indexes = [
        Path(folder, name) for folder, of in folders.items() for name in format_.index(workplace.set / folder, of)
    ]
    manifest = Manifest(
        version=VERSION,
        program=f"lowbackground {program_version()}",
        lake=LakeVersion(plan["lake"], plan["versions"]),
        arguments=options,
        tokenizer=_used(tokenizer),
        public_suffix_list=version("publicsuffixlist"),
        **sums(shards),
        dropped=tuple(Dropped(**each) for each in plan["dropped"]),
        contamination=plan["contamination"],
        **_distribution(workplace),
        likeness=plan["likeness"] and Likeness.from_json(plan["likeness"]),
        shards=shards,
        merkle_root="",
        content_root="",
    )
    manifest = with_roots(dataclasses.replace(manifest, files=tuple(_hashed(workplace.set, path) for path in indexes)))
    texts = description(manifest)
    for name, text in texts.items():
        write_file(workplace.set / name, text.encode())
    files = (*manifest.files, *(_hashed(workplace.set, Path(name)) for name in texts))
    manifest = dataclasses.replace(manifest, files=files)
    write_file(workplace.set / MANIFEST, (json.dumps(manifest.as_json(), indent=1, ensure_ascii=False) + "\n").encode())
    return manifest


def with_roots(manifest: Manifest) -> Manifest:
    """Return a manifest with the roots of its set.

    Args:
        manifest: all but the roots and the hashes of the files that contain them.
    """
    bare = dataclasses.replace(manifest, merkle_root="", content_root="")
    stated = bare.as_json()
    hashes = {name: described(text.encode(), stated) for name, text in description(bare).items()}
    merkle_roots = [shard.merkle_root for shard in manifest.shards]
    content_roots = [shard.content_root or "" for shard in manifest.shards]
    roots = set_roots(stated, merkle_roots, content_roots, hashes)
    return dataclasses.replace(manifest, merkle_root=roots[0], content_root=roots[1])


def _distribution(workplace: Workplace) -> dict[str, Any]:
    with scratch_database(workplace.scratch) as db:
        return distribution(db, f"read_parquet({sql_literal(workplace.rows)})")


def description(manifest: Manifest) -> dict[str, str]:
    """Return the files that say to people what the manifest says: the card and its picture."""
    folders = sorted({shard.folder for shard in manifest.shards})
    text = card.card(dataclasses.replace(manifest, files=()), folders)
    return {"README.md": text, "distribution.svg": chart.months(manifest.months, manifest.splits)}


def names(manifest: Manifest) -> Iterable[str]:
    """Return the names of all files of an export, the manifest last: an export that has one is complete."""
    return [*manifest.hashes, MANIFEST]


def _used(tokenizer: Tokenizer | None) -> UsedTokenizer | None:
    if tokenizer is None:
        return None
    return UsedTokenizer(tokenizer.name, tokenizer.fingerprint, tokenizer.vocab_size)


def _hashed(out: Path, path: Path) -> File:
    data = (out / path).read_bytes()
    return File(str(path), len(data), hashlib.sha256(data).hexdigest())


def distribution(db: duckdb.DuckDBPyConnection, rows: str) -> dict[str, Any]:
    """Count the texts by month, language, evidence, extractor and domain.

    Args:
        rows: SQL of the rows: a table, or `read_parquet(…)`.
    """

    def counts(value: str, limit: str = "") -> dict[str, int]:
        values = db.execute(f"""
            SELECT coalesce({value}, '?') AS value, count(*) AS rows FROM {rows}
            GROUP BY ALL ORDER BY {"2 DESC, 1" if limit else "1"} {limit}
        """)
        return {str(name): count for name, count in values.fetchall()}

    ((domains,),) = db.execute(f"SELECT count(DISTINCT domain) FROM {rows}").fetchall()
    return {
        "months": counts("strftime(captured_at, '%Y-%m')"),
        "languages": counts("language", "LIMIT 1000"),
        "date_sources": counts("date_source"),
        "grades": counts("grade"),
        "extractors": counts("extractor"),
        "domains": domains,
        "largest_domains": counts("domain", f"LIMIT {_DOMAINS}"),
    }
