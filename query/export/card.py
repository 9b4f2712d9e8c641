"""The data card of an export, in the form that the Hugging Face hub reads."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from archive.show import count_of
from query.export.arguments import told
from query.rows import COLUMNS, columns

_SIZES = (10**3, 10**4, 10**5, 10**6, 10**7, 10**8, 10**9, 10**10, 10**11, 10**12)
_LOADABLE = {"parquet": "*.parquet", "jsonl": "*.jsonl.zst"}
_OPEN = {
    "parquet": 'datasets.load_dataset("path/of/this/folder")',
    "jsonl": 'datasets.load_dataset("path/of/this/folder")',
    "mds": 'streaming.StreamingDataset(local="train", shuffle=False)',
    "litdata": 'litdata.StreamingDataset("train")',
    "megatron": 'megatron.core.datasets.indexed_dataset.IndexedDataset("train/train-00000")',
    "ds": 'datatrove.utils.dataset.DatatroveFolderDataset("train", seq_len=2048)',
}


def card(made: Mapping[str, Any], folders: Sequence[str]) -> str:
    """The README.md of an export.

    Args:
        made: the manifest, as far as it is known.
        folders: those that hold shards.
    """
    arguments = made["arguments"]
    before = told(arguments["before"])
    texts = f"{made['rows']:,} texts"
    size = f" ({made['tokens']:,} tokens)" if made["tokens"] else f" ({made['chars']:,} characters)"
    parts = [
        _front(made, folders),
        f"# Texts that provably existed before {before}\n",
        f"{texts}{size} in {count_of(len(made['shards']), 'shard')} of `{arguments['form']}`, each once. Every one is "
        f"the text of an archived capture made before **{before}**, and cites the record that proves it.\n",
        "![texts by first capture](distribution.svg)\n",
        "## Use\n",
        f"```python\n{_open(made)}\n```\n",
        "## What a row is proof of\n",
        "`captured_at` is the time of the earliest acceptable capture of exactly this text (after extraction and "
        "normalisation): a record in an archive file, at `file`, `offset` and `skip`, whose payload has "
        "`payload_digest`. A date that is missing, impossible, contradicted or outside the crawl that its file "
        "belongs to is not acceptable; what a page says of its own age is not looked at. `date_source` says where "
        "the date stands: `warc`, `arc` and `cdx` are archives, `dataset` is a column that somebody wrote. "
        "A `revisit` record holds no text; then `text_file` … cite a record with the same payload digest.\n",
        _columns(arguments),
        "## How it was made\n",
        _made(made),
        "## What was left out\n",
        _table(("texts", "why"), [(f"{step['dropped']:,}", step["name"]) for step in made["dropped"]]),
    ]
    if made["contamination"]:
        parts += ["## Evaluation sets\n", "Texts that share a 13-gram of words with each:\n"]
        parts.append(_table(("set", "texts"), [(name, f"{count:,}") for name, count in made["contamination"].items()]))
    parts += [
        "## What is in it\n",
        _table(("language", "texts"), _top(made["languages"])),
        _table(("evidence", "texts"), _top(made["date_sources"])),
        f"{made['domains']:,} registered domains. The largest:\n",
        _table(("domain", "texts"), _top(made["largest_domains"])),
        "## Limits\n",
        _limits(arguments),
        "## Verify it\n",
        "```sh\narchive verify path/of/this/folder          # hashes, and a sample of the cited records\n"
        "archive verify path/of/this/folder --all    # every record\n```\n",
        f"The Merkle root over all rows and their evidence is `{made['merkle_root']}`. The content root, which leaves "
        f"out where the cited files lie (`file`, `text_file`), is `{made['content_root']}`: whoever exports the same "
        "from the same files in other folders gets the same one.\n",
    ]
    return "\n".join(parts)


def _open(made: Mapping[str, Any]) -> str:
    """How a reader opens the set; of WebDataset the shards are named, as braces around the first and last number."""
    form = made["arguments"]["form"]
    if form != "webdataset":
        return _OPEN[form]
    folder = made["shards"][0]["folder"]
    names = [shard["files"][0]["name"] for shard in made["shards"] if shard["folder"] == folder]
    first, last = (name.removesuffix(".tar").rpartition("-") for name in (names[0], names[-1]))
    numbers = first[2] if len(names) == 1 else f"{{{first[2]}..{last[2]}}}"
    return f'webdataset.WebDataset("{folder}/{first[0]}-{numbers}.tar", shardshuffle=False)'


def _front(made: Mapping[str, Any], folders: Sequence[str]) -> str:
    """The YAML in front, by which `load_dataset` finds the files."""
    arguments = made["arguments"]
    languages = sorted(name for name in made["languages"] if name != "?")
    bound = next((size for size in _SIZES if made["rows"] < size), None)
    lines = ["---", f"pretty_name: Texts from before {told(arguments['before'])}"]
    if languages:
        lines += ["language:", *(f"- {json.dumps(name)}" for name in languages)]
    lines += ["license: other", "task_categories:", "- text-generation", "tags:", "- web", "- dated", "- lowbackground"]
    lines += ["size_categories:", f"- {_size(bound)}"]
    if pattern := _LOADABLE.get(arguments["form"]):
        lines.append("configs:")
        periods = sorted({folder.rpartition("/")[0] for folder in folders})
        splits = sorted({folder.rpartition("/")[2] for folder in folders}, key=["train"].__contains__, reverse=True)
        if periods != [""]:
            lines += _config("default", [(split, f"*/{split}/{pattern}") for split in splits], True)
        for period in periods:
            inside = [split for split in splits if f"{period}/{split}".lstrip("/") in folders]
            files = [(split, f"{period}/{split}/{pattern}".lstrip("/")) for split in inside]
            lines += _config(period or "default", files, not period)
    return "\n".join([*lines, "---", ""])


def _config(name: str, files: Sequence[tuple[str, str]], default: bool) -> list[str]:
    lines = [f"- config_name: {json.dumps(name)}"] + (["  default: true"] if default else [])
    lines.append("  data_files:")
    for split, path in files:
        lines += [f"  - split: {split}", f"    path: {json.dumps(path)}"]
    return lines


def _size(bound: int | None) -> str:
    short = {10**3: "1K", 10**4: "10K", 10**5: "100K", 10**6: "1M", 10**7: "10M", 10**8: "100M", 10**9: "1B",
             10**10: "10B", 10**11: "100B", 10**12: "1T"}  # fmt: skip
    if bound is None:
        return "n>1T"
    return "n<1K" if bound == 1000 else f"{short[bound // 10]}<n<{short[bound]}"


def _columns(arguments: Mapping[str, Any]) -> str:
    return _table(("column", "meaning"), [(name, COLUMNS[name][1]) for name in columns(arguments)])


def _made(made: Mapping[str, Any]) -> str:
    arguments = made["arguments"]
    given = {name: value for name, value in arguments.items() if value not in (None, [], {}, False)}
    versions = ", ".join(f"{name} {number}" for name, number in made["lake"]["versions"].items())
    rows = [(name, f"`{json.dumps(value, ensure_ascii=False)}`") for name, value in given.items()]
    extractors = ", ".join(f"{name} ({count:,})" for name, count in made["extractors"].items())
    return (
        f"By `archive export` of {made['program']}, from the lake `{made['lake']['location']}` ({versions}). "
        f"The text was taken from the pages by {extractors}. The same lake and arguments give the same bytes.\n\n"
        + _table(("argument", "value"), rows)
    )


def _limits(arguments: Mapping[str, Any]) -> str:
    known = [
        "A date proves that a text existed then, not who wrote it: spam, machine translation and templates are older "
        "than 2022.",
        "Digests in archive files are the archive's own; a forged archive file proves nothing. Whose files the "
        "records lie in is for you to judge.",
        "Pages hold personal data and copyrighted texts of many authors; that they were archived is no licence.",
    ]
    if not arguments["near"]:
        known.append("Near-duplicates are in it: it was exported without `--near`.")
    if arguments["mask"]:
        known.append("E-mail and IP addresses are masked, so the hash of a masked text is not its content id.")
    if not arguments["honour_opt_outs"]:
        known.append("Pages that opt out of the training of models (`robots`) are in it.")
    return "\n".join(f"- {line}" for line in known) + "\n"


def _top(counts: Mapping[str, int]) -> list[tuple[str, str]]:
    return [(name, f"{count:,}") for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:20]]


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"
