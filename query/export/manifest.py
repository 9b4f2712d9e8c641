"""What stands beside the shards: the manifest, the data card and its picture."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from archive.atomic import write_file
from query import merkle
from query.dataset import MANIFEST, VERSION, sums
from query.export import card, chart
from query.export.arguments import Arguments
from query.export.assign_shards import Shard
from query.export.workplace import MEMORY, Workplace
from query.formats import Format, Written

if TYPE_CHECKING:
    from query.formats.tokenize import Tokenizer

_DOMAINS = 20


def finish(
    place: Workplace,
    shards: Sequence[Shard],
    plan: dict[str, Any],
    arguments: Arguments,
    form: Format,
    tokenizer: Tokenizer | None,
) -> dict[str, Any]:
    """Write the index of each folder, the card and the manifest, beside the shards in `.work`."""
    known = [json.loads((place.done / f"{shard.number}.json").read_bytes()) for shard in shards]
    folders: dict[str, list[Written]] = {}
    for shard in known:
        written = Written(tuple(file["name"] for file in shard["files"]), shard["rows"])
        folders.setdefault(shard["folder"], []).append(written)
    beside = [Path(folder, name) for folder, of in folders.items() for name in form.index(place.set / folder, of)]
    made: dict[str, Any] = {
        "manifest": VERSION,
        "program": f"lowbackground {version('lowbackground')}",
        "lake": {"location": plan["lake"], "versions": plan["versions"]},
        "arguments": arguments.as_json(),
        "tokenizer": _about(tokenizer),
        "public_suffix_list": version("publicsuffixlist"),  # decides `domain`
        **sums(known),
        "dropped": plan["dropped"],
        "contamination": plan["contamination"],
        **_distribution(place),
        "shards": known,
        "merkle_root": merkle.root(merkle.part_leaf(shard["root"]) for shard in known),
        "content_root": merkle.root(merkle.part_leaf(shard["content_root"]) for shard in known),
    }
    write_file(place.set / "distribution.svg", chart.months(made["months"], made["splits"]).encode())
    write_file(place.set / "README.md", card.card(made, sorted(folders)).encode())
    made["files"] = [_hashed(place.set, path) for path in [*beside, Path("README.md"), Path("distribution.svg")]]
    write_file(place.set / MANIFEST, (json.dumps(made, indent=1, ensure_ascii=False) + "\n").encode())
    return made


def names(made: dict[str, Any]) -> list[str]:
    """All files of an export, the manifest last: an export that has one is whole."""
    shards = [f"{shard['folder']}/{file['name']}" for shard in made["shards"] for file in shard["files"]]
    return [*shards, *(file["name"] for file in made["files"]), MANIFEST]


def hashes(made: dict[str, Any]) -> dict[str, str]:
    """The SHA-256 of every file of an export but the manifest, by name."""
    shards = {
        f"{shard['folder']}/{file['name']}": file["sha256"] for shard in made["shards"] for file in shard["files"]
    }
    return shards | {file["name"]: file["sha256"] for file in made["files"]}


def _hashed(out: Path, path: Path) -> dict[str, Any]:
    data = (out / path).read_bytes()
    return {"name": str(path), "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _about(tokenizer: Tokenizer | None) -> dict[str, Any] | None:
    if tokenizer is None:
        return None
    return {"name": tokenizer.name, "fingerprint": tokenizer.fingerprint, "vocab_size": tokenizer.vocab_size}


def _distribution(place: Workplace) -> dict[str, Any]:
    """Texts by month, language, evidence, extractor and domain."""
    rows = "'" + str(place.rows).replace("'", "''") + "'"
    with duckdb.connect(config={"memory_limit": MEMORY, "temp_directory": str(place.scratch)}) as db:
        db.execute("SET TimeZone = 'UTC'")

        def counts(value: str, limit: str = "") -> dict[str, int]:
            found = db.execute(f"""
                SELECT coalesce({value}, '?') AS value, count(*) AS rows FROM read_parquet({rows})
                GROUP BY ALL ORDER BY {"2 DESC, 1" if limit else "1"} {limit}
            """)
            return {str(name): count for name, count in found.fetchall()}

        ((domains,),) = db.execute(f"SELECT count(DISTINCT domain) FROM read_parquet({rows})").fetchall()
        return {
            "months": counts("strftime(captured_at, '%Y-%m')"),
            "languages": counts("language", "LIMIT 1000"),
            "date_sources": counts("date_source"),
            "extractors": counts("extractor"),
            "domains": domains,
            "largest_domains": counts("domain", f"LIMIT {_DOMAINS}"),
        }
