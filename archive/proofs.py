"""Since when each text is known: the views of DuckDB that derive it from the captures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import duckdb
import pyarrow as pa

from archive import bounds, storage, versions
from archive.evidence.grade import DEFAULT, GRADES, UNKNOWN_SQL
from archive.evidence.operators import same_operator_sql
from archive.files import sql_literal
from archive.lake import Lake
from archive.tables import CAPTURES, EVIDENCE, INDEX, SOURCES, TABLES, Table

#: Captures of an older lake have no grade; what their columns support is known.
#: (A macro puts its parameters in place of all names without a table in front, also in macros that it calls: `grade`.)
_STORED = f"""stored_captures.* EXCLUDE (content_id)
    REPLACE (coalesce(stored_captures.grade, {UNKNOWN_SQL}) AS grade)"""
#: Of several records of one text and payload, the one that is cited for a revisit.
_EARLIEST = """{'problem': date_problem IS NOT NULL, 'at': captured_at, 'record': {'content_id': content_id,
    'file': file, 'offset': "offset", 'skip': skip, 'length': length, 'extractor': extractor}}"""

#: A revisit has no text: it proves the texts of the records with the same payload digest. One payload may give several
#: texts (other headers, another extractor). A revisit proves those that its own header gives, too: `readings` are the
#: ways to read a payload (plain text or not, charset; `*` is the one without a header) that give one text. A revisit
#: without a charset also proves what was seen before it. So whether it proves a text does not depend on the others:
#: what is ingested later takes nothing away. One of a robots.txt proves no text, though somebody else kept those bytes
#: as a page (older versions did). Captures that are no revisits are a plain scan. For revisits the content id is
#: selected apart from the record, which contains it: DuckDB leaves out what nobody selects. `cited` are the
#: digests of the revisits that get their texts.
_CITED = """SELECT payload_digest FROM stored_captures
    WHERE record_type = 'revisit' AND payload_digest NOT LIKE 'md5:%'"""  # by MD5 anybody can make two alike


def _texts(cited: str = _CITED, text: str = "ways.content_id") -> str:
    """Return the SQL of the texts of payloads, with what says which revisits prove each of them.

    Args:
        cited: SQL of payload digests; those of others have no rows.
        text: SQL of the content id in its group. Of an aggregate, conditions on it are not handed down to the files: a
            reader with such a condition takes the row groups without a digest that is wanted, too (DuckDB 2.0).
    """
    return f"""
SELECT payload_digest, {text} AS content_id, min(known) AS known, min(whole) AS whole,
       list_distinct(flatten(list([kind || coalesce(charset_stated, '*'), kind || coalesce(charset, '*'),
                                   kind || CASE WHEN own THEN '*' ELSE charset END]))) AS readings
FROM (
    SELECT payload_digest, content_id, CASE WHEN extractor = 'plain' THEN 'plain ' ELSE 'html ' END AS kind,
           charset_stated, charset, coalesce(charset_own, charset IS NULL OR charset = 'utf-8') AS own,
           min({_EARLIEST}) AS whole,
           min(captured_at) FILTER (date_problem IS NULL
                                    AND coalesce(lender.grade, {UNKNOWN_SQL}) <= '{DEFAULT}') AS known
    FROM (
        SELECT * FROM stored_captures
        UNION ALL SELECT * REPLACE (transfer_digest AS payload_digest) FROM stored_captures
        WHERE transfer_digest IS NOT NULL
    ) AS lender
    SEMI JOIN ({cited}) USING (payload_digest)
    GROUP BY ALL HAVING count(content_id) > 0
) AS ways
GROUP BY payload_digest, ways.content_id
"""


def _captures(texts: str) -> str:
    """Return the SQL of the captures, revisits with the texts that they prove.

    Args:
        texts: SQL as of `_texts`, in brackets, or a table of that. Revisits of other payloads have no text.
    """
    return f"""
SELECT stored_captures.content_id, {_STORED}, NULL AS text_record
FROM stored_captures WHERE record_type IS DISTINCT FROM 'revisit'
UNION ALL
SELECT texts.content_id, r.*, texts.whole.record
FROM (SELECT {_STORED} FROM stored_captures WHERE record_type = 'revisit') AS r
LEFT JOIN {texts} AS texts ON r.rules IS NULL AND r.payload_digest = texts.payload_digest AND (
    (r.mime IS DISTINCT FROM 'text/plain' AND list_contains(readings, 'html ' || coalesce(r.charset_stated, '*')))
    OR ((r.mime IS NULL OR r.mime = 'text/plain')
        AND list_contains(readings, 'plain ' || coalesce(r.charset_stated, '*')))
    OR (r.charset_stated IS NULL AND texts.known <= r.captured_at)
)
"""


#: The condition on a capture that can be proof, of any grade but X …
ACCEPTABLE = "date_problem IS NULL AND content_id IS NOT NULL AND captures.grade < 'X'"


def graded(grade: str) -> str:
    """Return the SQL condition on one capture that may count for a text of a grade, or of a better one.

    A grade of `B` may come of two captures of grade D, see `enough`. A question for a grade that there is not fails.

    Args:
        grade: an SQL expression.
    """
    known = " ".join(f"WHEN '{name}' THEN '{'D' if name == 'B' else name}'" for name in GRADES if name != "X")
    wrong = f"error('no grade ' || coalesce({grade}, 'NULL') || '; there are A, B, C, D and E')::VARCHAR"
    return f"captures.grade <= CASE upper({grade}) {known} ELSE {wrong} END"


def enough(grade: str, archives: str) -> str:
    """Return the SQL condition on the captures of one text: whether they are good enough together.

    All captures whose operator is not known count as one archive.

    Args:
        grade, archives: SQL expressions.
    """
    operator = same_operator_sql("captures.operator")
    archive = f"coalesce({operator}, '')"
    # DuckDB counts distinct values by a join, also where the condition turns out to be true whatever their number
    several = f"len(list_distinct(list(CASE WHEN {archives} > 2 THEN {archive} END))) >= {archives}"
    return f"""(upper({grade}) <> 'B' OR min(captures.grade) <= 'B' OR min({operator}) <> max({operator}))
           AND CASE WHEN {archives} < 2 THEN true WHEN {archives} = 2 THEN min({archive}) <> max({archive})
                    ELSE {several} END"""


def shown(asked: str, grade: str) -> str:
    """Return the SQL of the grade of a text that was found good enough, from that of the capture that it cites.

    Where somebody asks for B, the captures are that together, though the one that is cited may have C or D by itself.

    Args:
        asked, grade: SQL expressions.
    """
    return f"CASE WHEN upper({asked}) = 'B' AND {grade} IN ('C', 'D') THEN 'B' ELSE {grade} END"


#: … and of a grade that counts where nobody asks for another.
PROVES = f"{ACCEPTABLE} AND captures.grade <= '{DEFAULT}'"

#: Each text with its first acceptable capture, by date; of several at one time the one with the least file and offset.
_PROOFS = f"""
SELECT content_id, min(captured_at) AS first_seen, max(captured_at) AS last_seen,
       min({{'at': captured_at, 'file': file, 'offset': "offset", 'skip': skip, 'url': url, 'title': title,
            'extractor': coalesce(extractor, text_record.extractor), 'source': date_source, 'length': length,
            'digest': payload_digest}}) AS first
FROM moments AS captures WHERE {PROVES}
GROUP BY content_id
"""


#: The types of the tables' columns, as DuckDB reads them from Parquet.
_TYPES = {
    pa.string(): "VARCHAR",
    pa.binary(): "BLOB",
    pa.bool_(): "BOOLEAN",
    pa.int16(): "SMALLINT",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.float32(): "FLOAT",
    pa.float64(): "DOUBLE",
    pa.timestamp("us", tz="UTC"): "TIMESTAMPTZ",
    pa.list_(pa.int64()): "BIGINT[]",
    pa.list_(pa.float32()): "FLOAT[]",
    pa.list_(pa.string()): "VARCHAR[]",
    pa.map_(pa.string(), pa.int64()): "MAP(VARCHAR, BIGINT)",
    EVIDENCE: 'STRUCT(kind VARCHAR, "at" TIMESTAMPTZ, agrees BOOLEAN)[]',
}


@dataclass(frozen=True, slots=True)
class View:
    """A view: its name, the SELECT that it is, and its columns, where other views read it (name -> DuckDB's type)."""

    name: str
    select: str
    columns: Mapping[str, str] | None = None


def captures_view(more: str = "", **columns: str) -> View:
    """Return the view `captures`, with more columns.

    Args:
        more: SQL behind `SELECT *` (`, url AS address`).
        columns: their types.
    """
    record = 'STRUCT(content_id VARCHAR, file VARCHAR, "offset" BIGINT, skip BIGINT, length BIGINT, extractor VARCHAR)'
    select = f"SELECT *{more} FROM ({_captures(f'({_texts()})')})"
    return View("captures", select, {**_types(CAPTURES), "text_record": record, **columns})


#: A moment of a capture that is not its own date: by when others knew its file. The date of the record is not asked, so
#: what contradicts it does not count.
_MOMENT = """
SELECT captures.* REPLACE ({at} AS captured_at, NULL::TIMESTAMPTZ AS captured_from, '{kind}' AS date_source,
       NULL::VARCHAR AS date_problem, {grade} AS grade, strftime({at}, '%Y-%m') AS month,
       list_append(coalesce(evidence, []), {{'kind': '{kind}', 'at': {at}, 'agrees': true}}) AS evidence)
"""
_ATTESTED = _MOMENT.format(at="existed_by", kind="attested", grade="'A'") + "FROM captures WHERE existed_by IS NOT NULL"
_PUBLISHED = (
    _MOMENT.format(at='published_units."at"', kind="published", grade="published_units.grade")
    + "FROM captures JOIN published_units USING (unit)"
)


def moments_view(captures: View, selects: Sequence[str]) -> View:
    """Return the view `moments`: each capture once for each moment by which it may show that its text existed.

    The columns are those of `captures`. For its own date they are the same; for a bound `captured_at`, `date_source`,
    `grade` and `evidence` are those of the bound. A lake without bounds has `captures` itself.

    Args:
        selects: the bounds of the lake, as `attach` returns them.
    """
    return View("moments", " UNION ALL ".join(["SELECT * FROM captures", *selects]), captures.columns)


#: The digests of the revisits that have a moment before `bound`: by its own date, and by the bounds of the lake. The
#: condition on the month skips files; `unproven` sorts behind all digits.
_CITED_BEFORE = f"""{_CITED}
    AND captured_at < bound::TIMESTAMPTZ AND month <= strftime(bound::TIMESTAMPTZ, '%Y-%m')"""
_CITED_BY_BOUND = {
    _ATTESTED: f"{_CITED} AND existed_by < bound::TIMESTAMPTZ",
    _PUBLISHED: f"""{_CITED}
    AND unit IN (SELECT published_units.unit FROM published_units WHERE published_units."at" < bound::TIMESTAMPTZ)""",
}


def moments_before(selects: Sequence[str]) -> tuple[str, str, str]:
    """Return SQL of the macro `moments_before(bound)`, for questions about the moments before a date.

    Its rows with `captured_at < bound` and `month <= strftime(bound, '%Y-%m')` are those of the view `moments`. Others
    may be missing, or have no text: ask for no others. A revisit counts at its own moments only, so that of all
    revisits those with a moment before the date are asked for their texts. The records that hold these texts may have
    any date.

    Args:
        selects: the bounds of the lake, as `attach` returns them.

    Returns:
        the two macros that it calls, and the macro. `texts_before` costs most: `hold_texts` computes it once.
    """
    cited = " UNION ALL ".join([_CITED_BEFORE, *(_CITED_BY_BOUND[select] for select in selects)])
    moments = " UNION ALL ".join(
        [
            "SELECT * FROM captures_before(bound)",
            *(_over(select, "captures_before(bound) AS captures") for select in selects),
        ]
    )
    return (
        f"CREATE TEMP MACRO texts_before(bound) AS TABLE {_texts(cited, 'min(ways.content_id)')}",
        f"CREATE TEMP MACRO captures_before(bound) AS TABLE {_captures('texts_before(bound)')}",
        f"CREATE TEMP MACRO moments_before(bound) AS TABLE {moments}",
    )


def hold_texts(db: duckdb.DuckDBPyConnection, bound: str) -> None:
    """Compute the texts that revisits may prove once, for all later questions about moments before a date.

    Args:
        bound: the latest date that is asked about.
    """
    db.execute(f"CREATE TEMP TABLE held_texts AS FROM texts_before({sql_literal(bound)})")
    db.execute("CREATE OR REPLACE TEMP MACRO texts_before(bound) AS TABLE FROM held_texts")


def _over(select: str, source: str) -> str:
    return select.replace("FROM captures", f"FROM {source}")


PROOFS = View(
    "proofs",
    _PROOFS,
    {
        "content_id": "VARCHAR",
        "first_seen": "TIMESTAMPTZ",
        "last_seen": "TIMESTAMPTZ",
        "first": 'STRUCT("at" TIMESTAMPTZ, file VARCHAR, "offset" BIGINT, skip BIGINT, url VARCHAR, title VARCHAR, '
        "extractor VARCHAR, source VARCHAR, length BIGINT, digest VARCHAR)",
    },
)


def connect(lake: Lake, tables: Iterable[Table] = (CAPTURES,), **config: str | int) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB connection that sees a lake as it is now, and nothing else.

    Each table is the view `stored_<name>`. The view `captures` has the captures, revisits with the text that they
    prove; `proofs` has each text with its first acceptable capture.

    Raises:
        LakeError: there is no lake.
        duckdb.Error: a file is missing or damaged.
    """
    db, stored, selects = attach(lake, tables, None, False, (), **config)
    captures = captures_view()
    define(db, [*stored, captures, moments_view(captures, selects), PROOFS])
    return db


#: So many values are few.
_FEW = 1000
#: Bytes between columns that are rather read from a store than asked around.
_GAP = 256 << 10


def attach(
    lake: Lake,
    tables: Iterable[Table],
    opened: Callable[[list[str]], None] | None = None,
    held: bool = False,
    also: Iterable[str] = (),
    **config: str | int,
) -> tuple[duckdb.DuckDBPyConnection, list[View], list[str]]:
    """Return a DuckDB connection that can read a lake's tables and nothing else.

    Returns:
        the connection, the views `stored_<name>` of the tables, and the bounds that the lake has, for `moments_view`.

    Args:
        opened: called with the paths of all files, after the lake's log is read and before DuckDB starts.
        held: the views show no file, but what is put into the tables `held_<name>`, which are empty: see `Stored.take`.
        also: files of this machine that the connection can read as well.
        config: settings of DuckDB.

    Raises:
        LakeError: there is no lake.
    """
    retracted, bounded = retracted_units(lake), bounds.of_units(lake)
    has_lines = lake.delta(SOURCES.name).transaction_version(INDEX) is not None
    stored = [stored_table(lake, table) for table in tables]
    files = [file for table in stored for file in table.files]
    if opened:
        opened(files)
    db = duckdb.connect(":memory:", config=dict(config))
    db.execute(
        "SET enable_progress_bar = false;"  # it would write to standard output in an interactive Python
        "SET TimeZone = 'UTC';"
        "SET parquet_metadata_cache = true"  # most questions read the captures several times
    )
    if storage.is_s3(lake.location):
        from archive.store_files import StoreFiles  # fsspec, which nobody else needs

        db.register_filesystem(StoreFiles(lake.filesystem))
        # a join with few digests then reads only row groups whose Bloom filter may have one of them
        # near columns of a row group come in one request, which costs more than the bytes between
        db.execute(f"SET dynamic_or_filter_threshold = {_FEW}; SET parquet_prefetch_column_gap = {_GAP}")
    db.execute("SET python_enable_replacements = false")  # or SQL could name the variables of this program
    # not the whole folder, which also has the log and files of no table
    allowed = [*(name for table in stored for name in table.names), *also]
    db.execute(f"SET allowed_paths = [{', '.join(map(sql_literal, allowed))}]")
    db.execute("SET autoload_known_extensions = false; SET enable_external_access = false")
    if retracted:
        db.execute("CREATE TEMP TABLE retracted_units AS SELECT unnest(?::VARCHAR[]) AS unit", [retracted])
    for table in stored if held else ():
        db.execute(f"CREATE TEMP TABLE held_{table.table.name} AS {_no_rows(_types(table.table))}")
    views = [
        View(f"stored_{name}", f"SELECT * FROM held_{name}" if held else table.select(), _types(table.table))
        for table in stored
        for name in [table.table.name]
    ]
    select = next((view.select for view in views if view.name == "stored_captures"), "")
    if bounded.attested:
        _units_table(db, "bounded_units", bounded.attested)
        select = f"SELECT {_BOUNDED} FROM ({select}) AS captures LEFT JOIN bounded_units USING (unit)"
    if bounded.published:
        _units_table(db, "published_units", bounded.published)
    if retracted:
        select = f"SELECT {_RETRACTED} FROM ({select})"
    if has_lines:
        select = _CORROBORATED.format(captures=select)
    views = [replace(view, select=select) if view.name == "stored_captures" else view for view in views]
    selects = [_ATTESTED] * (bounded.stored or bool(bounded.attested)) + [_PUBLISHED] * bool(bounded.published)
    return db, views, selects


def _units_table(db: duckdb.DuckDBPyConnection, name: str, found: Iterable[bounds.UnitBound]) -> None:
    """Create a table of bounds, with a row for each unit, and for each grade of it."""
    rows = pa.Table.from_pylist([{"unit": unit, "at": at, "by": by, "grade": grade} for unit, at, by, grade in found])
    db.register("rows_of_units", rows)
    db.execute(f"CREATE TEMP TABLE {name} AS FROM rows_of_units")
    db.unregister("rows_of_units")


#: The earliest bound counts: that of the capture itself, or one of its file.
_BOUNDED = """
captures.* REPLACE (
    least(existed_by, bounded_units."at") AS existed_by,
    CASE WHEN bounded_units."at" <= coalesce(existed_by, bounded_units."at") THEN bounded_units."by"
         ELSE attested_by END AS attested_by)
"""
#: A capture that a retracted file brought proves nothing.
_RETRACTED = """
* REPLACE (CASE WHEN unit IN (FROM retracted_units) THEN coalesce(date_problem, 'retracted') ELSE date_problem END
           AS date_problem,
           CASE WHEN unit IN (FROM retracted_units) THEN NULL ELSE existed_by END AS existed_by,
           CASE WHEN unit IN (FROM retracted_units) THEN NULL ELSE attested_by END AS attested_by,
           CASE WHEN unit IN (FROM retracted_units) THEN 'X' ELSE grade END AS grade)
"""


#: The lines of indexes, by the digest that they state.
_LINES = f"""
    SELECT payload_digest, list(DISTINCT {{{{'operator': {same_operator_sql("operator")}, 'since': captured_from,
                                            'at': captured_at, 'name': parse_filename(via)}}}}) AS lines
    FROM ({{captures}})
    WHERE record_type = '{INDEX}' AND date_problem IS NULL AND operator IS NOT NULL
    GROUP BY payload_digest
"""
#: A capture of grade C or D is of grade B where a line of another holder's index has its digest within a day of it. A
#: line that names the capture's own file is no other's. Of an operator that is not known, nobody can be another.
_CORROBORATED = f"""
SELECT own.* REPLACE (
    CASE WHEN coalesce(own.grade, {UNKNOWN_SQL}) IN ('C', 'D') AND own.date_problem IS NULL
              AND len(list_filter(list_concat(others.lines, chunked.lines), lambda line:
                    line.operator <> {same_operator_sql("own.operator")}
                    AND line.since >= own.captured_at - INTERVAL 1 DAY AND line."at" <= own.captured_at + INTERVAL 1 DAY
                    AND line.name IS DISTINCT FROM parse_filename(own.file))) > 0
         THEN 'B' ELSE own.grade END AS grade)
FROM ({{captures}}) AS own
LEFT JOIN ({_LINES}) AS others ON own.payload_digest = others.payload_digest
LEFT JOIN ({_LINES}) AS chunked ON own.transfer_digest = chunked.payload_digest
"""


def retracted_units(lake: Lake) -> list[str]:
    """Return the units of the files that were retracted."""
    if not (files := bounds.retracted(lake)):
        return []
    ledger = lake.read(SOURCES.name, ["unit", "file"]).to_pydict()
    return [unit for unit, file in zip(ledger["unit"], ledger["file"], strict=True) if file in files]


def define(db: duckdb.DuckDBPyConnection, views: Sequence[View], macros: Iterable[str] = ()) -> None:
    """Create views, and macros over them.

    DuckDB binds all that a view reads when the view is created, down to the files, and again when it is used. So the
    views are created from the last to the first, while those that they read are empty ones of the same columns.

    Args:
        views: each after those that it reads.
        macros: SQL that creates them, each after those that it calls.
    """
    for view in views:
        if view.columns is not None:
            db.execute(f"CREATE TEMP VIEW {view.name} AS {_no_rows(view.columns)}")
    for macro in macros:
        db.execute(macro)
    for view in reversed(views):
        db.execute(f"CREATE OR REPLACE TEMP VIEW {view.name} AS {view.select}")


@dataclass(frozen=True, slots=True)
class Stored:
    """A table in its newest version, according to its log."""

    table: Table
    files: list[str]  #: as `Lake.filesystem` names them, sorted; empty where the lake does not have the table
    columns: list[str]  #: those that the table has in this lake
    widened: bool  #: whether some files may lack some columns
    scheme: str  #: in front of the paths: empty on a disk

    @property
    def names(self) -> list[str]:
        """The files as DuckDB names them."""
        return [self.scheme + file for file in self.files]

    def select(self, where: str = "") -> str:
        """Return SQL that reads the files, with the columns that this version knows.

        Args:
            where: a condition, which may name `file_row_number` too.
        """
        types = _types(self.table)
        if not self.files:
            return _no_rows(types)
        columns = ", ".join(
            f'"{name}"' if name in self.columns else f'NULL::{type_} AS "{name}"' for name, type_ in types.items()
        )
        rows = self.scan() + (f" WHERE {where}" if where else "")
        if self.widened:  # perhaps no file has a column that was added
            rows = f"({_no_rows(types)} UNION ALL BY NAME SELECT * FROM {rows})"
        return f"SELECT {columns} FROM {rows}"

    def scan(self) -> str:
        """Return SQL of the files as a table, as they are."""
        names = ", ".join(f"'{name}': VARCHAR" for name in self.table.partition_by)
        by = f", hive_types = {{{names}}}" if names else ""
        listed = ", ".join(map(sql_literal, self.names))
        # by name only where files may lack columns, since DuckDB then reads the footer of every file first
        options = f"hive_partitioning = {bool(self.table.partition_by)}{by}, union_by_name = {self.widened}"
        return f"read_parquet([{listed}], {options})"

    def take(self, db: duckdb.DuckDBPyConnection, at: Iterable[tuple[int, int]], condition: str) -> None:
        """Add rows to the table `held_<name>` of a connection of `attach` with `held`.

        Args:
            at: where they are: the number of the file among `names`, and that of the row in it.
            condition: that they must satisfy; a position alone says nothing.
        """
        listed = list(at)
        if not listed:
            return
        files = [self.files[number] for number in sorted({file for file, _ in listed})]
        rows = ", ".join(map(str, sorted({row for _, row in listed})))
        select = replace(self, files=files).select(f"file_row_number IN ({rows})")
        db.execute(f"INSERT INTO held_{self.table.name} SELECT * FROM ({select}) WHERE {condition}")


def stored_table(lake: Lake, table: Table) -> Stored:
    """Return the files of a table in its newest version."""
    if table.name not in TABLES and not lake.has(table):
        return Stored(table, [], [], False, "")
    delta = lake.delta(table.name)
    versions.refuse_newer(delta, lake.table_uri(table.name), table)
    files = sorted(f"{lake.table_path(table.name)}/{path}" for path in lake.files_of(delta))
    scheme = f"{storage.SCHEME}://" if storage.is_s3(lake.location) else ""
    return Stored(table, files, versions.columns(delta), versions.is_widened(delta), scheme)


def _types(table: Table) -> dict[str, str]:
    return {column.name: _TYPES[column.type] for column in table.schema}


def _no_rows(columns: Mapping[str, str]) -> str:
    listed = ", ".join(f'NULL::{type_} AS "{name}"' for name, type_ in columns.items())
    return f"SELECT {listed} WHERE false"
