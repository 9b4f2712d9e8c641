"""The data card of an export, in the form that the Hugging Face hub reads."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pyarrow as pa

from archive.evidence.grade import GRADES
from archive.features import dataset_info
from archive.show import count_of
from query.dataset import Likeness, Manifest
from query.options import ExportOptions, date_text
from query.rows import COLUMNS, schema_of

_SIZES = (10**3, 10**4, 10**5, 10**6, 10**7, 10**8, 10**9, 10**10, 10**11, 10**12)
#: The files of a folder that hold its rows. `datasets` opens those of the first five formats; of the token formats it
#: opens the evidence. It cannot open the last two, and their files are named so that it takes no other file for rows.
_FILES = {
    "parquet": "*.parquet",
    "jsonl": "*.jsonl.zst",
    "webdataset": "*.tar",
    "megatron": "*.evidence.parquet",
    "ds": "*.evidence.parquet",
    "mds": "*.mds",
    "litdata": "*.bin",
}
#: What YAML takes for something else than text.
_NO_TEXT = frozenset({"y", "n", "yes", "no", "true", "false", "on", "off", "null"})
#: How the library of each format opens a set.
_OPEN = {
    "parquet": 'datasets.load_dataset("path/of/this/folder")',
    "jsonl": 'datasets.load_dataset("path/of/this/folder")',
    "mds": 'streaming.StreamingDataset(local="train", shuffle=False)',
    "litdata": 'litdata.StreamingDataset("train")',
    "megatron": 'megatron.core.datasets.indexed_dataset.IndexedDataset("train/train-00000")',
    "ds": 'datatrove.utils.dataset.DatatroveFolderDataset("train", seq_len=2048)',
}


def card(manifest: Manifest, folders: Sequence[str]) -> str:
    """Return the README.md of an export.

    Args:
        manifest: all but the hashes of the files next to the shards.
        folders: those that hold shards.
    """
    options = manifest.arguments
    before = date_text(options.before)
    texts = f"{manifest.rows:,} texts"
    size = f" ({manifest.tokens:,} tokens)" if manifest.tokens else f" ({manifest.chars:,} characters)"
    parts = [
        front(manifest, folders),
        f"# Texts that provably existed before {before}\n",
        f"{texts}{size} in {count_of(len(manifest.shards), 'shard')} of `{options.format}`, each once. Every one is "
        f"the text of an archived capture made before **{before}**, and cites the record that proves it.\n",
        "![texts by first capture](distribution.svg)\n",
        "## Use\n",
        f"```python\n{_open(manifest)}\n```\n",
        "## What a row is proof of\n",
        "`captured_at` is the time of the earliest acceptable capture of exactly this text (after extraction and "
        "normalisation): a record in an archive file, at `file`, `offset` and `skip`, whose payload has "
        "`payload_digest`. A date that is missing, impossible, contradicted or outside the crawl that its file "
        "belongs to is not acceptable; what a page says of its own age does not count. `date_source` says where the "
        "date comes from: `warc`, `arc` and `cdx` are archives, `dataset` is a column that somebody wrote. "
        "`grade` says how much the date proves by the record alone, from A to E, and `evidence` lists every date that "
        f"the record carries. No text is of a lower grade than {options.grade}{_archives(options)}. "
        "A `revisit` record holds no text; then `text_file` … cite a record with the same payload digest.\n",
        _columns(options),
        "## How it was made\n",
        _how(manifest),
        "## What was left out\n",
        _table(("texts", "why"), [(f"{step.dropped:,}", step.name) for step in manifest.dropped]),
    ]
    if manifest.contamination:
        parts += ["## Evaluation sets\n", "Texts that share a 13-gram of words with each:\n"]
        counts = [(name, f"{count:,}") for name, count in manifest.contamination.items()]
        parts.append(_table(("set", "texts"), counts))
    if manifest.likeness is not None:
        parts += ["## Texts that are like items of benchmarks\n", _likeness(manifest.likeness, options)]
    parts += [
        "## What is in it\n",
        _table(("language", "texts"), _top(manifest.languages)),
        _table(("date", "texts"), _top(manifest.date_sources)),
        _table(("grade", "texts"), _grades(manifest.grades)),
        f"{manifest.domains:,} registered domains. The largest:\n",
        _table(("domain", "texts"), _top(manifest.largest_domains)),
        "## Limits\n",
        _limits(options),
        "## Verify it\n",
        "```sh\narchive verify path/of/this/folder          # hashes, and a sample of the cited records\n"
        "archive verify path/of/this/folder --all    # every record\n```\n",
        f"The Merkle root over all rows and their evidence is `{manifest.merkle_root}`. The content root, which leaves "
        f"out where the cited files are (`file`, `text_file`), is `{manifest.content_root}`: whoever exports the same "
        "from the same files in other folders gets the same one.\n",
    ]
    return "\n".join(parts)


def _likeness(likeness: Likeness, options: ExportOptions) -> str:
    known = likeness.calibration
    what = "were left out" if options.drop_like else "are marked in `like_benchmark`"
    text = (
        f"{likeness.items:,} strings of {', '.join(likeness.files)} were compared with each text, by the vectors of "
        f"`{likeness.encoder}`. Texts with a cosine of {likeness.least_cosine:g} or more {what}; `like_cosine` and "
        "`like_item` name the nearest item of each text.\n\n"
    )
    if known is not None:
        text += (
            f"Texts from before {date_text(known.published)}, when the first of these was published, cannot be "
            f"rewrites of it. Of {known.texts:,} such texts {known.above:,} have that cosine: the share of false "
            f"positives among such texts is below {known.bound:.3%}, with a confidence of 95 %. {known.sources:,} "
            "texts from before that share a 13-gram with an item, and may be what it was made from, are not among "
            "these.\n\n"
        )
    counts = [("like an item", likeness.alike), ("not like one", likeness.unlike),
              ("compared in part, and that is not like one: nobody knows", likeness.partly),
              ("not compared, without vectors: nobody knows", likeness.not_compared)]  # fmt: skip
    return text + _table(("texts", "are"), [(f"{count:,}", name) for name, count in counts])


def _archives(options: ExportOptions) -> str:
    return f", and each was captured by {options.archives} archives" if options.archives > 1 else ""


def _open(manifest: Manifest) -> str:
    """Return how a reader opens the set. WebDataset names the shards, with braces around the first and last number."""
    if manifest.arguments.format != "webdataset":
        return _OPEN.get(manifest.arguments.format, 'lowbackground.load("path/of/this/folder")')
    folder = manifest.shards[0].folder
    names = [shard.files[0].name for shard in manifest.shards if shard.folder == folder]
    first, last = (name.removesuffix(".tar").rpartition("-") for name in (names[0], names[-1]))
    numbers = first[2] if len(names) == 1 else f"{{{first[2]}..{last[2]}}}"
    return f'webdataset.WebDataset("{folder}/{first[0]}-{numbers}.tar", shardshuffle=False)'


def front(manifest: Manifest, folders: Sequence[str]) -> str:
    """Return the YAML in front, by which `load_dataset` finds the files."""
    languages = sorted(name for name in manifest.languages if name != "?")
    bound = next((size for size in _SIZES if manifest.rows < size), None)
    lines = ["---", f"pretty_name: Texts from before {date_text(manifest.arguments.before)}"]
    if languages:
        lines += ["language:", *(f"- {json.dumps(name)}" for name in languages)]
    lines += ["license: other", "task_categories:", "- text-generation", "tags:", "- web", "- dated", "- lowbackground"]
    lines += ["size_categories:", f"- {_size(bound)}"]
    if pattern := _FILES.get(manifest.arguments.format):
        lines.append("configs:")
        periods = sorted({folder.rpartition("/")[0] for folder in folders})
        splits = sorted({folder.rpartition("/")[2] for folder in folders}, key=lambda name: (name != "train", name))
        if periods != [""]:
            lines += _config("default", [(split, f"*/{split}/{pattern}") for split in splits], True)
        for period in periods:
            inside = [split for split in splits if f"{period}/{split}".lstrip("/") in folders]
            files = [(split, f"{period}/{split}/{pattern}".lstrip("/")) for split in inside]
            lines += _config(period or "default", files, not period)
        if (schema := loaded_schema(manifest.arguments)) is not None:
            names = ["default", *filter(None, periods)]
            lines += dataset_info(dict.fromkeys(names, schema))
    return "\n".join([*lines, "---", ""])


def loaded_schema(options: ExportOptions) -> pa.Schema | None:
    """Return the columns that `load_dataset` gives of such an export; None where it cannot open the format."""
    names = options.columns
    if options.format == "webdataset":
        evidence = [name for name in names if name not in ("content_id", "text")]
        # `json` is read by Python's module, to which a time is a string
        members = [
            pa.field(name, pa.string() if pa.types.is_timestamp(kind := COLUMNS[name][0]) else kind)
            for name in evidence
        ]
        key, url = (pa.field(name, pa.string()) for name in ("__key__", "__url__"))
        return pa.schema([pa.field("json", pa.struct(members)), pa.field("txt", pa.string()), key, url])
    if options.format in ("megatron", "ds"):
        return schema_of(name for name in names if name != "tokens")
    return schema_of(names) if options.format in ("parquet", "jsonl") else None


def _config(name: str, files: Sequence[tuple[str, str]], default: bool) -> list[str]:
    lines = [f"- config_name: {json.dumps(name)}"] + (["  default: true"] if default else [])
    lines.append("  data_files:")
    for split, path in files:
        named = json.dumps(split) if split.lower() in _NO_TEXT else split
        lines += [f"  - split: {named}", f"    path: {json.dumps(path)}"]
    return lines


def _size(bound: int | None) -> str:
    short = {10**3: "1K", 10**4: "10K", 10**5: "100K", 10**6: "1M", 10**7: "10M", 10**8: "100M", 10**9: "1B",
             10**10: "10B", 10**11: "100B", 10**12: "1T"}  # fmt: skip
    if bound is None:
        return "n>1T"
    return "n<1K" if bound == 1000 else f"{short[bound // 10]}<n<{short[bound]}"


def _columns(options: ExportOptions) -> str:
    return _table(("column", "meaning"), [(name, COLUMNS[name][1]) for name in options.columns])


def _how(manifest: Manifest) -> str:
    given = {name: value for name, value in manifest.arguments.as_json().items() if value not in (None, [], {}, False)}
    versions = ", ".join(f"{name} {number}" for name, number in manifest.lake.versions.items())
    rows = [(name, f"`{json.dumps(value, ensure_ascii=False)}`") for name, value in given.items()]
    extractors = ", ".join(f"{name} ({count:,})" for name, count in manifest.extractors.items())
    return (
        f"By `archive export` of {manifest.program}, from the lake `{manifest.lake.location}` ({versions}). "
        f"The text was taken from the pages by {extractors}. The same lake and arguments give the same bytes.\n\n"
        + _table(("argument", "value"), rows)
    )


def _limits(options: ExportOptions) -> str:
    known = [
        "A date proves that a text existed then, not who wrote it: spam, machine translation and templates are older "
        "than 2022.",
        "Digests in archive files are the archive's own; a forged archive file proves nothing. Whose files hold the "
        "records is for you to judge.",
        "Pages hold personal data and copyrighted texts of many authors; that they were archived is no licence.",
    ]
    if not options.near:
        known.append("Near-duplicates are in it: it was exported without `--near`.")
    if options.mask:
        known.append("E-mail and IP addresses are masked, so the hash of a masked text is not its content id.")
    if not options.honour_opt_outs:
        known.append("Pages that opt out of the training of models (`robots`) are in it.")
    return "\n".join(f"- {line}" for line in known) + "\n"


def _grades(counts: Mapping[str, int]) -> list[tuple[str, str]]:
    return [(f"{grade} {GRADES[grade].name}", f"{counts[grade]:,}") for grade in GRADES if grade in counts]


def _top(counts: Mapping[str, int]) -> list[tuple[str, str]]:
    return [(name, f"{count:,}") for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:20]]


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"
