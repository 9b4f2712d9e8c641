"""Check every shard against the manifest, and every row against the options of the export."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from archive import registry
from archive.engine import Context
from archive.errors import ExportError, error_line
from archive.evidence.grade import GRADES
from archive.reasons import DATE_SOURCES
from query import merkle
from query.clean import OPTED_OUT
from query.dataset import Shard
from query.domain import registered_domain
from query.export.evaluation import set_names
from query.formats import open_format
from query.options import ExportOptions
from query.rows import TOTALS, schema_of
from query.rows import totals as totals_of
from query.set_files import SetFiles
from query.verify.citation import CITATIONS, citations
from query.verify.stated import Folder, compare_file

#: Problems of one kind in a shard that are reported one by one.
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Unit:
    """A shard as the manifest states it, and which of its rows are to be traced to their records."""

    out: SetFiles
    options: ExportOptions
    columns: list[str]  #: of the rows
    stated: Shard
    first: int  #: the number of its first row in the set
    traced: tuple[int, ...] | None  #: numbers of rows in the set, sorted; None: all
    to: str  #: the file of the scratch folder that gets the citations of these rows
    about: str  #: the one that gets what is counted of all rows
    folder: Folder
    plugins: registry.Entries

    @property
    def name(self) -> str:
        return self.stated.paths[0]


@dataclass(frozen=True, slots=True)
class Checked:
    """The roots of a shard as computed, and all that is wrong with it."""

    merkle_root: str
    content_root: str
    rows: int
    problems: list[str]


def work(unit: Unit, ctx: Context) -> Checked:
    """Hash the files of a shard, and check its rows. Needs a scratch folder that all workers see."""
    registry.adopt(unit.plugins)
    stated, options = unit.stated, unit.options
    problems: list[str] = []
    hashes: list[bytes] = []
    placeless: list[bytes] = []
    totals = dict.fromkeys(TOTALS, 0)
    schema = schema_of(unit.columns)
    with unit.out.here(stated.paths, ctx.folder) as out:
        for path, file in zip(stated.paths, stated.files, strict=True):
            problems += compare_file(out, path, file, unit.folder)
        try:
            reader = open_format(options.format)
            with (
                pq.ParquetWriter(ctx.write(unit.to), CITATIONS) as writer,
                pq.ParquetWriter(ctx.write(unit.about), ABOUT) as about,
            ):
                for rows in reader.read(out / stated.folder, [file.name for file in stated.files]):
                    if not rows.schema.equals(schema):  # and the types: with another the same number is another date
                        raise ExportError("its columns are not those of such an export")
                    if odd := (rows.schema.metadata or {}).keys() - _METADATA:  # by which a library may rename columns
                        raise ExportError(f"its schema has metadata that no export writes ({sorted(odd)[0]!r})")
                    first = unit.first + len(hashes)
                    own, without_place = merkle.both_leaves(rows)
                    hashes += own
                    placeless += without_place
                    problems += _rules(rows, unit.name, options)
                    for name, value in totals_of(rows).items():
                        totals[name] += value or 0
                    about.write_table(_about(rows, first, stated.folder))
                    chosen = _chosen(unit.traced, first, rows.num_rows)
                    traced = rows.take(pa.array([number - first for number in chosen], pa.int64()))
                    writer.write_table(citations(traced, chosen, merkle.payloads(traced)))
                    ctx.progress(rows.num_rows, rows.nbytes)
        except Exception as error:  # whatever is in a file that was damaged or forged
            problems.append(f"{unit.name}: cannot be read ({error_line(error)})")
    if len(hashes) != stated.rows:
        problems.append(f"{unit.name}: {len(hashes)} rows, the manifest says {stated.rows}")
    for name in TOTALS:
        if totals[name] != (getattr(stated, name) or 0):
            problems.append(f"{unit.name}: {name} are {totals[name]}, the manifest says {getattr(stated, name) or 0}")
    root, content_root = merkle.root(hashes), merkle.root(placeless)
    if root != stated.merkle_root:
        problems.append(f"{unit.name}: the rows have another Merkle root")
    if stated.content_root not in {None, content_root}:
        problems.append(f"{unit.name}: the rows have another content root")
    return Checked(root, content_root, len(hashes), problems)


#: What is counted of each row, and its number in the set.
ABOUT = pa.schema(
    [
        *schema_of(("content_id", "domain", "language", "captured_at", "date_source", "grade", "extractor")),
        *schema_of(("token_count", "contaminated", "like_benchmark", "like_cosine")),
        ("number", pa.int64()),
        ("folder", pa.string()),
    ]
)
#: Keys of the metadata of the schema that the formats of tokens write.
_METADATA = frozenset({b"vocab_size", b"tokenizer"})


def _about(rows: pa.Table, first: int, folder: str) -> pa.Table:
    there = set(rows.column_names)
    columns = {
        name: rows[name] if name in there else pa.nulls(len(rows), ABOUT.field(name).type) for name in ABOUT.names
    }
    columns |= {"number": pa.array(range(first, first + len(rows)), pa.int64())}
    columns |= {"folder": pa.array([folder] * len(rows), pa.string())}
    return pa.table(columns, schema=ABOUT)


def _rules(rows: pa.Table, name: str, options: ExportOptions) -> list[str]:
    """Return the rows that break what the options promise."""
    broken: dict[str, list[str]] = {}

    def find(rule: str, wrong: pa.ChunkedArray) -> None:
        ids = rows["content_id"].filter(pc.fill_null(wrong, True))
        if len(ids):
            broken.setdefault(rule, []).extend(ids.to_pylist())

    is_row, is_revisit = pc.equal(rows["record_type"], "row"), pc.equal(rows["record_type"], "revisit")
    for column in _NEEDED:
        find(f"no {column}", pc.is_null(rows[column]))
    find("its content id is no SHA-256", pc.invert(pc.match_substring_regex(rows["content_id"], "^[0-9a-f]{64}$")))
    find("a kind of date that there is not", pc.invert(pc.is_in(rows["date_source"], pa.array(DATE_SOURCES))))
    find("a kind of record that there is not", pc.invert(pc.is_in(rows["record_type"], pa.array(_TYPES))))
    for column in ("offset", "length", "skip", "text_offset", "text_length", "text_skip"):
        find(f"{column} is below 0", pc.fill_null(pc.less(rows[column], 0), False))
    find("no payload digest", pc.and_(pc.is_null(rows["payload_digest"]), pc.invert(is_row)))
    for column in ("text_file", "text_offset", "text_skip"):
        find(f"{column} is for revisits alone", pc.equal(pc.is_null(rows[column]), is_revisit))
    find("text_length is for revisits alone", pc.and_(pc.is_valid(rows["text_length"]), pc.invert(is_revisit)))
    find("MD5 links a revisit to nothing", pc.and_kleene(is_revisit, pc.starts_with(rows["payload_digest"], "md5:")))
    for column in ("payload_digest", "record_id", "record_sha256"):
        if column in rows.column_names:
            find(f"a row of a data set has no {column}", pc.and_(is_row, pc.is_valid(rows[column])))
    find("the extractor has no version", pc.invert(pc.match_substring_regex(rows["extractor"], _EXTRACTOR)))
    if "masked" in rows.column_names:
        find("less than no addresses are masked", pc.less(rows["masked"], 0))
    if "contaminated" in rows.column_names:
        find("contaminated is not a list", pc.is_null(rows["contaminated"]))
    if "like_cosine" in rows.column_names:
        find("like_item without a cosine, or the other way round",
             pc.not_equal(pc.is_null(rows["like_item"]), pc.is_null(rows["like_cosine"])))  # fmt: skip
        find("like_cosine is no cosine", pc.fill_null(pc.invert(pc.less_equal(pc.abs(rows["like_cosine"]), 1)), False))
        files = "|".join(map(re.escape, set_names(options.decontaminate_like)))
        find("like_item is of none of the benchmarks", pc.fill_null(
            pc.invert(pc.match_substring_regex(rows["like_item"], rf"^({files}):[1-9][0-9]*$")), False))  # fmt: skip
        find("like_benchmark without a cosine", pc.and_(pc.is_null(rows["like_cosine"]),
                                                        pc.is_valid(rows["like_benchmark"])))  # fmt: skip
    at = rows["captured_at"]
    find(f"not captured before {options.before}", pc.greater_equal(at, _moment(options.before)))
    if options.after:
        find(f"captured before {options.after}", pc.less(at, _moment(options.after)))
    if options.date_sources:
        find("evidence of another kind", pc.invert(pc.is_in(rows["date_source"], pa.array(options.date_sources))))
    if "grade" in rows.column_names:
        least = "D" if options.grade == "B" else options.grade  # two captures of grade D may be one of B
        find(f"of a lower grade than {options.grade}", pc.greater(pc.fill_null(rows["grade"], "X"), least))
        both = pc.equal(pc.is_null(rows["evidence"]), pc.is_null(rows["record_sha256"]))
        find("it has evidence or the hash of its record, and not both", pc.invert(pc.or_(both, is_row)))
        find("a grade that there is not", pc.invert(pc.is_in(rows["grade"], pa.array([*GRADES]))))
    if options.language:
        find("another language", pc.not_equal(rows["language"], options.language))
    if options.honour_opt_outs:
        find("it opts out", pc.fill_null(pc.match_substring_regex(rows["robots"], OPTED_OUT), False))
    if "text" in rows.column_names and not options.mask:
        hashes = pa.chunked_array([merkle.payloads(rows)], pa.string())
        find("the text is not that of the content id", pc.not_equal(hashes, rows["content_id"]))
    domains = pa.chunked_array([[registered_domain(url) for url in rows["url"].to_pylist()]], pa.string())
    other = pc.not_equal(pc.fill_null(domains, ""), pc.fill_null(rows["domain"], ""))
    find("another domain than that of the URL", other)
    return [f"{name}: row {key}: {rule}" for rule, keys in broken.items() for key in keys[:_SHOWN]]


_TYPES = ("response", "resource", "conversion", "revisit", "row")
#: As `name/version`; what is not extracted here has a name alone.
_EXTRACTOR = r"^[\w.-]+(/[\w.+-]+)?$"
#: The columns that every row must have a value in.
_NEEDED = ("content_id", "captured_at", "date_source", "record_type", "file", "offset", "skip", "extractor")


def _moment(value: str) -> pa.Scalar:
    return pa.scalar(value).cast(pa.timestamp("us", tz="UTC"))


def _chosen(traced: tuple[int, ...] | None, first: int, count: int) -> list[int]:
    """Return the numbers among [first, first + count) that are to be traced."""
    if traced is None:
        return list(range(first, first + count))
    return list(traced[bisect_left(traced, first) : bisect_left(traced, first + count)])
