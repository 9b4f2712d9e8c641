"""What the lake has of each site: the rows of its views, in the order of domain, host and URL, kept outside the lake.

A page about a site, a host or a URL reads only the rows of that site, and a search for words a few columns of all of
them. The rows come out of the views of `query.sql` once for each version of the lake: dates and texts of revisits are
as they are everywhere.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from archive.damage import naming_damage
from archive.errors import ArchiveError
from archive.files import sql_literal
from archive.lake import Lake
from archive.program import program_version
from archive.proofs import View, attach
from archive.tables import DOCUMENTS
from query import domain, opt_outs
from query.explorer.behind import step_back
from query.explorer.kept import drop_others, folder_of, is_whole, write
from query.sql import connect

_log = logging.getLogger(__name__)

_SITE_OF_RULES = "domain_of(host_of(origin))"
#: What is kept: the columns that pages ask for, of the views of the lake. `is_held`: the lake has the text, and not
#: only the capture.
_KEPT: Mapping[str, str] = {
    "captures": """
        SELECT c.domain, c.host, c.url, c.title, c.content_id, c.captured_at, c.grade, c.date_problem, c.date_source,
               c.record_type, c.robots, c.month, c.file, c."offset", c.skip,
               d.language, d.content_id IS NOT NULL AS is_held
        FROM captures AS c LEFT JOIN stored_documents AS d USING (content_id)
        ORDER BY domain, host, url, captured_at, file, "offset", skip, content_id
    """,
    "rejects": """
        SELECT domain, host, url, reason, detail, date, record_type, file, "offset", skip
        FROM rejects ORDER BY domain, host, url, date, file, "offset", skip
    """,
    "rules": f"""
        SELECT {_SITE_OF_RULES} AS domain, * FROM ({opt_outs.RULES})
        ORDER BY domain, origin, kind, captured_at, file, "offset", skip
    """,
}
#: To be raised when these files are written in another way.
_FORMAT = 1
#: What DuckDB may use to make them; the rest is sorted on the disk.
_MEMORY = "500MB"
#: Rows that are read for one that is looked for.
_GROUP = 16384


@dataclass(frozen=True, slots=True)
class Of:
    """The sites that a question is about: those of these URLs, hosts and domains. None of them: all of the lake."""

    urls: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()


class Sites:
    """What a lake has by site. Any number of threads may ask. It is made by a thread of its own."""

    def __init__(self, lake: Lake, marks: Mapping[str, str | None], spill: str) -> None:
        self._lake, self._spill = lake, spill
        self.paths = {name: _path(lake.location, marks, name) for name in _KEPT}
        self._is_ready = threading.Event()
        self._maker = threading.Thread(target=self._make, name="sites", daemon=True)
        self._making: duckdb.DuckDBPyConnection | None = None
        self._is_ended = False
        self._maker.start()

    def wait(self, seconds: float) -> bool:
        """Wait until it is made, or cannot be. Returns whether that is so."""
        self._maker.join(seconds)
        return not self._maker.is_alive()

    @property
    def is_ready(self) -> bool:
        """Whether it can be asked."""
        return self._is_ready.is_set()

    def end(self) -> None:
        """End what is going on."""
        self._is_ended = True
        if (making := self._making) is not None:
            with contextlib.suppress(duckdb.Error):  # it has just been closed
                making.interrupt()

    def _make(self) -> None:
        step_back()
        try:
            if missing := [name for name, path in self.paths.items() if not is_whole(path)]:
                with naming_damage(self._lake):
                    self._write(missing)
            self._is_ready.set()
        except (ArchiveError, OSError, duckdb.Error) as error:  # pages ask the lake itself then
            if not self._is_ended:
                _log.warning("%s: its rows cannot be kept by site: %s", self._lake.location, error)

    def _write(self, names: Iterable[str]) -> None:
        with contextlib.closing(connect(self._lake, memory=_MEMORY, spill=self._spill)) as db:
            self._making = db
            try:
                for name in names:
                    if self._is_ended:
                        return
                    path = self.paths[name]
                    drop_others(path, f"sites-{name}-*")
                    write(path, self._lake.location, lambda part, name=name: _write(db, _KEPT[name], part))  # type: ignore[misc]
            finally:
                self._making = None


class SiteViews:
    """A connection that sees some sites: `captures`, `rejects`, `site_rules` and `opt_outs` of them, in the columns
    that are kept, and the language of their texts in `documents`. Ask for nothing else.

    Of all sites, `documents` has the texts themselves.
    """

    def __init__(self, lake: Lake, sites: Sites, memory: str, spill: str) -> None:
        self._paths = sites.paths
        also = [str(path) for path in self._paths.values()]
        self.db, (texts,), _ = attach(lake, [DOCUMENTS], also=also, memory_limit=memory, temp_directory=spill)
        self._texts = texts.select
        domain.add_functions(self.db)
        opt_outs.add_functions(self.db)
        self._seen: Of | None = None

    def close(self) -> None:
        self.db.close()

    def interrupt(self) -> None:
        self.db.interrupt()

    def see(self, of: Of) -> None:
        """See these sites from now on.

        Raises:
            duckdb.Error: a file is lost or broken, or the time is over.
        """
        if of == self._seen:
            return
        self._seen = None
        where = self._condition(of)
        documents = "SELECT DISTINCT content_id, language FROM captures WHERE is_held"
        kept = {name: f"SELECT * FROM read_parquet({sql_literal(path)}){where}" for name, path in self._paths.items()}
        views = (
            View("captures", kept["captures"]),
            View("rejects", kept["rejects"]),
            View("documents", documents if where else self._texts),
            *opt_outs.views(kept["rules"]),
        )
        for view in views:
            self.db.execute(f"CREATE OR REPLACE TEMP VIEW {view.name} AS {view.select}")
        self._seen = of

    def _condition(self, of: Of) -> str:
        names = [f"domain_of(host_of({sql_literal(url)}))" for url in of.urls]
        names += [f"domain_of(host_of(origin_of({sql_literal(url)})))" for url in of.urls]  # by which rules are found
        names += [f"domain_of({sql_literal(host)})" for host in of.hosts]
        names += [sql_literal(name) for name in of.domains]
        if not names:
            return ""
        found = self.db.execute(f"SELECT DISTINCT unnest([{', '.join(names)}])").fetchall()
        listed = ", ".join(sql_literal(name) for (name,) in found if name is not None)
        conditions = [f"domain IN ({listed})"] * bool(listed) + ["domain IS NULL"] * ((None,) in found)
        return f" WHERE {' OR '.join(conditions)}"


def _write(db: duckdb.DuckDBPyConnection, sql: str, path: Path) -> None:
    rows = db.sql(sql).to_arrow_reader(_GROUP)
    with pq.ParquetWriter(path, rows.schema, compression="zstd") as writer:
        for batch in rows:
            writer.write_batch(batch, _GROUP)


def _path(location: str, marks: Mapping[str, str | None], name: str) -> Path:
    of = [location, dict(sorted(marks.items())), _KEPT[name], _FORMAT, program_version(), version("duckdb")]
    key = hashlib.sha256(json.dumps(of).encode()).hexdigest()[:32]
    return folder_of(location) / f"sites-{name}-{key}.parquet"
