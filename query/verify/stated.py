"""The numbers and files that a manifest states, compared with the folder."""

from __future__ import annotations

import hashlib
import re
from importlib.metadata import version
from pathlib import Path

from query.dataset import MANIFEST, VERSION, File, Manifest, sums
from query.export.card import front
from query.export.manifest import description

#: The files that every export has next to its shards.
_CARD = ("README.md", "distribution.svg")
#: What the head of a card may have in front of its list of files, which `load_dataset` reads: no other way to name one.
_HEAD = re.compile(
    r"(pretty_name: [\w .:+-]+|license: other|(language|task_categories|tags|size_categories):"
    r"|- \"?[\w<>.-]+\"?)"
)


def compare_file(out: Path, name: str, stated: File) -> list[str]:
    """Return what is wrong with a file of the export."""
    if name.startswith("/") or ".." in name.split("/"):
        return [f"{name}: not a name of a file of an export"]
    try:
        with open(out / name, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return [f"{name}: {error.strerror}"]
    return [] if digest == stated.sha256 else [f"{name}: not the bytes that the manifest states"]


def compare_totals(manifest: Manifest, rows: int) -> list[str]:
    """Return the numbers of the manifest that are not the sums over its shards."""
    computed = {**sums(manifest.shards), "rows": rows}
    wrong = [name for name, value in computed.items() if getattr(manifest, name) != value]
    counts = {"months": manifest.months, "languages": manifest.languages, "date_sources": manifest.date_sources}
    if manifest.version >= 3:
        counts["grades"] = manifest.grades
    wrong += [name for name, each in counts.items() if sum(each.values()) != rows]
    return [f"{name} of the manifest are not those of its shards" for name in wrong]


def compare_folder(out: Path, manifest: Manifest) -> list[str]:
    """Return what is wrong with the files next to the shards, and the files that do not belong to the export."""
    problems: list[str] = []
    known = {MANIFEST}
    for file in manifest.files:
        known.add(file.name)
        problems += compare_file(out, file.name, file)
    for shard in manifest.shards:
        names = set(shard.paths)
        problems += [f"{name}: the manifest states it more than once" for name in sorted(names & known)]
        known |= names
    problems += [f"{name}: the manifest does not state it" for name in _CARD if name not in known]
    problems += _compare_description(out, manifest)
    links = sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_symlink())
    problems += [f"{name}: a link, and no file of an export" for name in links]
    present = {str(path.relative_to(out)) for path in out.rglob("*") if not path.is_dir()}
    return problems + [f"{name}: not of this export" for name in sorted(present - known)]


def _compare_description(out: Path, manifest: Manifest) -> list[str]:
    """Return where the card and its picture are not what an export writes for the manifest.

    What another version of this program wrote, this one cannot write again. Then only the head of the card is compared,
    by which `load_dataset` finds the files.
    """
    try:
        if manifest.version == VERSION and manifest.program == f"lowbackground {version('lowbackground')}":
            wrong = [name for name, text in description(manifest).items() if (out / name).read_bytes() != text.encode()]
            return [f"{name}: not what the manifest gives" for name in wrong]
        folders = sorted({shard.folder for shard in manifest.shards})
        files = ["", *front(manifest, folders).removeprefix("---\n").partition("\n---")[0].split("\nconfigs:\n")[1:]]
        head, _, there = (
            (out / "README.md").read_text().removeprefix("---\n").partition("\n---")[0].partition("\nconfigs:\n")
        )
    except (OSError, UnicodeDecodeError) as error:
        return [f"README.md: {getattr(error, 'strerror', None) or error}"]
    if there != files[-1] or not all(_HEAD.fullmatch(line) for line in head.split("\n")):
        return ["README.md: its head names other files, or names them in another way, than an export does"]
    return []
