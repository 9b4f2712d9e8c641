"""What a manifest states of its folder: names, files, numbers, the card. All of it is computed again and compared."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any

from archive.errors import ArchiveError, ExportError, cause_line, error_line
from archive.files import sql_literal
from archive.objects import StoreError
from archive.program import program_version
from query.dataset import DESCRIBING, MANIFEST, VERSION, Calibration, File, Manifest, described, sums
from query.export import calibrate
from query.export.assign_shards import likenesses
from query.export.card import front
from query.export.evaluation import set_names
from query.export.manifest import description, distribution
from query.formats import Written, open_format
from query.options import ExportOptions
from query.scratch import scratch_database
from query.set_files import SetFiles
from query.typed_json import parse

#: The most texts of a calibration: its bounds take the longer, the more there are.
_MOST_TEXTS = 10**10
#: What the head of a card may have in front of its list of files, which `load_dataset` reads: no other way to name one.
_HEAD = re.compile(
    r"(pretty_name: [\w .:+-]+|license: other|(language|task_categories|tags|size_categories):"
    r"|- \"?[\w<>.-]+\"?)"
)
#: Bytes of a shard in a store that its entry in an index needs: MDS begins with 4 bytes for each row.
_FIRST = 1 << 20
#: Problems of one kind that are named one by one.
_SHOWN = 50
_PERIOD = {"year": re.compile(r"\d{4}"), "month": re.compile(r"\d{4}-\d{2}")}


def few(problems: Iterable[str]) -> list[str]:
    """Return the first of some problems, and how many more there are: a hostile set may have a million."""
    held = list(problems)
    more = len(held) - _SHOWN
    return held[:_SHOWN] + ([f"… and {more:,} more like the last one"] if more > 0 else [])


def shown(name: str) -> str:
    """Return a name as it can be printed, whatever bytes are in it."""
    return name.encode("utf-8", "backslashreplace").decode()


@dataclass(slots=True)
class Folder:
    """What is in a folder. Links are not followed."""

    files: dict[str, int] = field(default_factory=dict)  #: regular files and their bytes
    folders: set[str] = field(default_factory=set)
    others: dict[str, str] = field(default_factory=dict)  #: links, pipes, what cannot be looked at; and what each is

    @classmethod
    def of(cls, where: SetFiles, names: Collection[str]) -> Folder:
        """Look into a folder, or list what is below a prefix.

        Args:
            names: the files that should be there.

        Raises:
            StoreError: the store cannot be read.
        """
        found = cls()
        if where.is_stored:
            found.files = where.sizes(names)
            found.folders = {str(parent) for name in found.files for parent in PurePosixPath(name).parents} - {"."}
            return found
        out = where.path

        def failed(error: OSError) -> None:
            name = os.path.relpath(error.filename or out, out)
            found.others[name] = f"cannot be looked at ({cause_line(error)})"

        for root, folders, names in os.walk(out, onerror=failed):
            below = "" if Path(root) == out else f"{os.path.relpath(root, out)}/"
            for name in [*folders, *names]:
                try:
                    status = os.lstat(os.path.join(root, name))
                except OSError as error:
                    found.others[below + name] = f"cannot be looked at ({cause_line(error)})"
                    continue
                if stat.S_ISREG(status.st_mode):
                    found.files[below + name] = status.st_size
                elif stat.S_ISDIR(status.st_mode):
                    found.folders.add(below + name)
                elif stat.S_ISLNK(status.st_mode):
                    found.others[below + name] = "a link, and no file of an export"
                else:
                    found.others[below + name] = "a pipe, socket or device, and no file of an export"
        return found

    def missing(self, name: str) -> str:
        """Return what is wrong where a file of the result belongs and is none."""
        return f"{shown(name)}: {self.others.get(name, 'No such file or directory')}"

    def foreign(self, names: Collection[str], kind: str) -> list[str]:
        """Return what is in the folder, and none of these files.

        Args:
            kind: what the files are together: an export, a result.
        """
        known = set(names)
        parents = {str(parent) for name in known for parent in Path(name).parents}
        found = [f"{shown(name)}: {what}" for name, what in self.others.items() if name not in known]
        found += [f"{shown(name)}: not of this {kind}" for name in self.files.keys() - known]
        found += [f"{shown(name)}: a folder that is not of this {kind}" for name in self.folders - parents]
        return found


def compare_file(out: Path, name: str, stated: File, folder: Folder) -> list[str]:
    """Return what is wrong with a file of the export."""
    if name not in folder.files:
        return [folder.missing(name)]
    try:
        with open(out / name, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return [f"{shown(name)}: {cause_line(error)}"]
    if digest != stated.sha256:
        return [f"{shown(name)}: not the bytes that the manifest states"]
    if folder.files[name] != stated.bytes:
        return [f"{shown(name)}: has {folder.files[name]:,} bytes, the manifest says {stated.bytes:,}"]
    return []


def compare_numbers(manifest: Manifest, rows: int, about: Path) -> list[str]:
    """Return the numbers of the manifest that are not those of its rows.

    Args:
        about: the Parquet files with what is counted of each row (`query.verify.shards.ABOUT`).
    """
    computed: dict[str, Any] = {**sums(manifest.shards), "rows": rows}
    options = manifest.arguments
    problems: list[str] = []
    with scratch_database(about.parent.parent / "spill") as db:
        every = f"read_parquet({sql_literal(about)})"
        counted = distribution(db, every)
        if manifest.version >= 3:
            problems += _compare_choice(db, every, options)
        if options.mark:
            values = db.execute(f"SELECT unnest(contaminated), count(*) FROM {every} GROUP BY 1").fetchall()
            computed["contamination"] = dict.fromkeys(manifest.contamination, 0) | dict(values)
        elif not options.decontaminate:
            computed["contamination"] = {}
        problems += _compare_likeness(db, every, manifest)
    since = {"grades": 3, "extractors": 2, "domains": 2, "largest_domains": 2}
    computed |= {name: value for name, value in counted.items() if since.get(name, 1) <= manifest.version}
    wrong = [name for name, value in computed.items() if getattr(manifest, name) != value]
    return [*problems, *(f"{name} of the manifest are not those of its rows" for name in wrong)]


def _compare_likeness(db: Any, every: str, manifest: Manifest) -> list[str]:
    """Return where the rows are not marked as the manifest says that they are."""
    likeness, options = manifest.likeness, manifest.arguments
    if (likeness is None) != (not options.decontaminate_like):
        return ["likeness of the manifest is not that of its arguments"]
    if likeness is None:
        return []
    problems = []
    counts = likenesses(db, every)
    if any(getattr(likeness, name) != count for name, count in counts.items()):
        problems.append("likeness of the manifest is not that of its rows")
    ((wrong,),) = db.execute(
        f"SELECT count(*) FROM {every} WHERE coalesce(like_benchmark, false) <> coalesce(like_cosine >= ?, false)",
        [float(likeness.least_cosine)],
    ).fetchall()
    if wrong:
        problems.append(f"{wrong} rows are not marked by the least cosine of {likeness.least_cosine:g}")
    if options.drop_like and counts["alike"]:
        problems.append(f"{counts['alike']} rows are like an item of a benchmark, which were to be dropped")
    if options.least_cosine not in {None, likeness.least_cosine}:
        problems.append("least_cosine of the arguments is another than that of the manifest")
    if (options.published or None) != (likeness.calibration and likeness.calibration.published):
        problems.append("published of the arguments is another than that of the manifest")
    if set(likeness.files) != set(set_names(options.decontaminate_like)):
        problems.append("likeness of the manifest is of other files than its arguments")
    if not -1 <= likeness.least_cosine <= 1 or likeness.items < 1 or likeness.short < 0:
        problems.append("likeness of the manifest has numbers that cannot be")
    if "embeddings" not in manifest.lake.versions:
        problems.append("likeness of the manifest is of vectors whose version it does not name")
    if likeness.calibration is not None and not _is_calibration(likeness.calibration, options):
        problems.append("calibration of the manifest is not what its numbers of texts give")
    return problems


def _is_calibration(known: Calibration, options: ExportOptions) -> bool:
    """Return whether a calibration is one that so many texts can give, by what was asked for."""
    chosen = options.least_cosine is not None
    asked = None if chosen else options.false_positives or calibrate.FALSE_POSITIVES
    if known.asked != asked or not 0 <= known.above <= known.texts <= _MOST_TEXTS or known.sources < 0:
        return False
    hits = known.above if asked is None else calibrate.most_hits(known.texts, asked)
    return known.above <= hits and abs(known.bound - calibrate.shown(calibrate.bound(hits, known.texts))) < 1e-7


def _compare_choice(db: Any, every: str, options: ExportOptions) -> list[str]:
    """Return where the rows are not the ones, or not in the order, that the arguments give."""
    problems = []
    db.execute(f"""
        CREATE TEMP TABLE ordered AS
        SELECT *, md5('{int(options.seed)}:' || content_id) AS key, regexp_extract(folder, '[^/]*$') AS split
        FROM {every}
    """)
    ((moved,),) = db.execute("""
        SELECT count(*) FROM (
            SELECT key, content_id, lag(key) OVER w AS before, lag(content_id) OVER w AS above FROM ordered
            WINDOW w AS (PARTITION BY folder ORDER BY number)
        ) WHERE before IS NOT NULL AND (before, above) > (key, content_id)
    """).fetchall()
    if moved:
        problems.append(f"{moved} rows are not in the order of the seed")
    if options.sample is not None:
        limit = f"{min(int(options.sample * 2**128), 2**128 - 1):032x}"
        ((more,),) = db.execute(f"SELECT count(*) FROM ordered WHERE key > '{limit}'").fetchall()
        problems += [f"{more} rows are not in the sample of {options.sample:g}"] if more else []
    if options.split:
        sites = db.execute("""
            SELECT domain FROM ordered WHERE domain IS NOT NULL GROUP BY domain HAVING count(DISTINCT split) > 1
            ORDER BY domain
        """).fetchall()
        problems += few(f"{shown(site)}: is in more than one split" for (site,) in sites)
    if options.max_tokens is not None:
        ((tokens,),) = db.execute("SELECT coalesce(sum(token_count), 0) FROM ordered").fetchall()
        if tokens > options.max_tokens:
            problems.append(f"{tokens:,} tokens, where {options.max_tokens:,} were asked for")
    if options.slices:
        pattern = {"year": "%Y", "month": "%Y-%m"}[options.slices]
        ((other,),) = db.execute(f"""
            SELECT count(*) FROM ordered
            WHERE captured_at IS NULL OR NOT starts_with(folder, strftime(captured_at, '{pattern}') || '/')
        """).fetchall()
        problems += [f"{other} rows are in the folder of another {options.slices}"] if other else []
    return problems


def compare_names(manifest: Manifest) -> list[str]:
    """Return the shards whose folder or name is none that an export gives: in each folder they are counted from 0."""
    options = manifest.arguments
    splits = {name for name, _ in options.split} or {"train"}
    problems = []
    folders = [shard.folder for shard in manifest.shards]
    if folders != sorted(folders, key=str.encode):
        problems.append("the shards are not in the order of their folders")
    for folder, shards in groupby(manifest.shards, key=lambda shard: shard.folder):
        period, _, split = folder.rpartition("/")
        pattern = _PERIOD.get(options.slices or "", re.compile(""))
        if split not in splits or not pattern.fullmatch(period):
            problems.append(f"{shown(folder)}: no folder of an export with these arguments")
        for number, shard in enumerate(shards):
            stem = f"{split}-{number:05d}"
            wrong = [file.name for file in shard.files if not re.fullmatch(re.escape(stem) + r"[-.]?[\w.]*", file.name)]
            problems += [f"{shown(folder)}/{shown(name)}: where {stem} belongs" for name in wrong]
    return few(problems)


def compare_folder(out: Path, manifest: Manifest, folder: Folder) -> list[str]:
    """Return what is wrong with the files next to the shards, and the files that do not belong to the export."""
    problems: list[str] = []
    names = Counter([MANIFEST, *(file.name for file in manifest.files)])
    for shard in manifest.shards:
        names.update(shard.paths)
    problems += few(f"{shown(name)}: the manifest states it more than once" for name in names if names[name] > 1)
    for file in manifest.files:
        problems += compare_file(out, file.name, file, folder)
    problems += [f"{name}: the manifest does not state it" for name in DESCRIBING if name not in names]
    return problems + few(sorted(folder.foreign(names, "export")))


def compare_description(out: Path, manifest: Manifest, folder: Folder) -> list[str]:
    """Return where the card and its picture are not what an export writes for the manifest.

    What another version of this program wrote, this one cannot write again. Then the head of the card is compared, by
    which `load_dataset` finds the files, and its main statements.
    """
    try:
        held = {name: (out / name).read_bytes() for name in DESCRIBING if name in folder.files}
        if len(held) < len(DESCRIBING):
            return []  # said already
        if manifest.version == VERSION and manifest.program == f"lowbackground {program_version()}":
            wrong = [name for name, text in description(manifest).items() if held[name] != text.encode()]
            return [f"{name}: not what the manifest gives" for name in wrong]
        text = held["README.md"].decode()
    except (OSError, UnicodeDecodeError, IndexError, ValueError) as error:
        return [f"README.md: {error_line(error)}"]
    folders = sorted({shard.folder for shard in manifest.shards})
    files = ["", *front(manifest, folders).removeprefix("---\n").partition("\n---")[0].split("\nconfigs:\n")[1:]]
    head, _, there = text.removeprefix("---\n").partition("\n---")[0].partition("\nconfigs:\n")
    # the columns are stated since they are in `archive.features`
    if there not in (files[-1], files[-1].partition("\ndataset_info:\n")[0]) or not all(
        _HEAD.fullmatch(line) for line in head.split("\n")
    ):
        return ["README.md: its head names other files, or names them in another way, than an export does"]
    stated = [f"before {manifest.arguments.before[:10]}", f"{manifest.rows:,} texts", manifest.merkle_root]
    stated = stated if manifest.version >= 3 else stated[:2]
    return [f"README.md: does not say {each!r}, as the manifest does" for each in stated if each not in text]


def described_by(files: SetFiles, stated: Mapping[str, Any], folder: Folder) -> dict[str, str]:
    """Return the hashes of the files that contain the roots, without the roots."""
    found = {}
    for name in DESCRIBING:
        try:
            found[name] = described(files.read(name), stated) if name in folder.files else ""
        except (OSError, ValueError):
            found[name] = ""
    return found


def compare_indexes(out: Path, files: SetFiles, manifest: Manifest, folder: Folder, scratch: Path) -> list[str]:
    """Return the index files, by which a format's library finds the shards, that are not what the shards give.

    Args:
        out: a folder with the files that are no shards.
        files: where the shards are.
    """
    problems = []
    stated = {file.name for file in manifest.files} - {*DESCRIBING}
    computed: set[str] = set()
    try:
        for name, written in _written(manifest, folder):
            own = scratch / "index" / name
            own.mkdir(parents=True)
            for index in _indexes(files, name, written, manifest, folder, own):
                computed.add(f"{name}/{index}")
                if f"{name}/{index}" not in folder.files:
                    problems.append(f"{shown(name)}/{index}: No such file or directory")
                elif _essence(own / index) != _essence(out / name / index):
                    problems.append(f"{shown(name)}/{index}: not the index that the shards give")
    except StoreError:
        raise
    except (OSError, ArchiveError, ValueError) as error:
        problems.append(f"the shards give no index: {error_line(error)}")
        return problems
    return problems + few(f"{shown(name)}: no file of such an export" for name in sorted(stated - computed))


def _indexes(
    files: SetFiles, name: str, written: list[Written], manifest: Manifest, folder: Folder, own: Path
) -> list[str]:
    """Write the indexes of a folder of shards to `own`. Returns their names."""
    format_ = open_format(manifest.arguments.format)
    paths = [f"{name}/{file}" for each in written for file in each.files]

    def indexes(out: Path) -> list[str]:
        for path in paths:
            (own / Path(path).name).unlink(missing_ok=True)
            (own / Path(path).name).symlink_to((out / path).absolute())
        return format_.index(own, written)

    if not files.is_stored:
        return indexes(files.path)
    if not written or not format_.index(own, []):
        return []  # it has none, and nothing needs to be read
    try:
        with files.heads({path: folder.files[path] for path in paths}, _FIRST) as out:
            return indexes(out)
    except (ExportError, ValueError):  # an index that needs more of a shard
        with files.here(paths, own) as out:
            return indexes(out)


def _essence(index: Path) -> Any:
    """Return an index without what it states of the library that wrote it: another release may write more."""
    content = index.read_bytes()
    try:
        values = parse(content)
    except ValueError:  # a format may have an index of another kind
        return content
    if isinstance(values, dict) and isinstance(values.get("config"), dict):
        config = {name: values["config"].get(name) for name in ("compression", "data_format", "encryption")}
        return {**values, "config": config}
    return values


def _written(manifest: Manifest, folder: Folder) -> Iterator[tuple[str, list[Written]]]:
    for name, shards in groupby(manifest.shards, key=lambda shard: shard.folder):
        held = [shard for shard in shards if all(path in folder.files for path in shard.paths)]
        yield name, [Written(tuple(file.name for file in shard.files), shard.rows) for shard in held]
