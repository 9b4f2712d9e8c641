"""Answers from the cube: the counts of a clean set, and what another position of each control would give."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb
import pyarrow as pa

from archive.errors import ExportError
from index.quality.presets import PRESETS
from query.explorer.cube.build import ASKED, About
from query.explorer.cube.controls import Controls
from query.explorer.cube.counts import Counts, OfLanguage, counts_of
from query.explorer.cube.exact import EXAMPLES

_LOAD = """
CREATE TABLE cells AS
SELECT * EXCLUDE (example), (12 * year(first_seen) + month(first_seen) - 1)::SMALLINT AS month, example FROM read
"""

#: The conditions of the controls on a cell, each true where its control is not set. All dates are midnights in UTC, so
#: that what is before one is so by its day.
_DATES = "enters < $before AND ($after IS NULL OR first_seen >= $after)"
_STAYS = "(leaves IS NULL OR leaves >= $before)"
_LANGUAGE = "($language IS NULL OR language = $language)"
_PRESET = "CASE $preset {cases} ELSE true END".format(cases=" ".join(f"WHEN {p!r} THEN {p}" for p in PRESETS))
_NEAR = "(stays OR NOT $near)"
_OPT_OUTS = "NOT (opted_out AND $honour_opt_outs)"

#: The cells of a set and of its neighbours: all that one control more or less asks for, under one grade.
_NEIGHBOURS = f"""
CREATE TEMP TABLE neighbours AS
SELECT month, language, {_STAYS} AS stays, opted_out, {", ".join(PRESETS)}, sum(texts) AS texts,
       sum(captures) AS captures, sum(chars) AS chars, sum(words) AS words
FROM cells WHERE grade = $grade AND {_DATES} GROUP BY ALL
"""
_MONTHS = f"""
SELECT month, sum(texts)::BIGINT
FROM neighbours WHERE {_LANGUAGE} AND {_PRESET} AND {_NEAR} AND {_OPT_OUTS} GROUP BY month
"""
_LANGUAGES = f"""
SELECT language, sum(texts)::BIGINT, sum(captures)::BIGINT, sum(chars)::BIGINT, sum(words)::BIGINT
FROM neighbours WHERE {_PRESET} AND {_NEAR} AND {_OPT_OUTS} GROUP BY language
"""
_OTHERS = f"""
SELECT {
    ", ".join(
        f"coalesce(sum(texts) FILTER ({condition}), 0)::BIGINT"
        for condition in (
            *(f"{_NEAR} AND {_OPT_OUTS} AND {preset}" for preset in ("true", *PRESETS)),
            *(f"{_PRESET} AND {_OPT_OUTS} AND {stays}" for stays in ("true", "stays")),
            *(f"{_PRESET} AND {_NEAR} AND {heeded}" for heeded in ("true", "NOT opted_out")),
        )
    )
} FROM neighbours WHERE {_LANGUAGE}
"""
_CHOSEN = f"""{_DATES} AND {_LANGUAGE} AND {_PRESET} AND {_NEAR.replace("stays", _STAYS)} AND {_OPT_OUTS}"""
_GRADES = f"SELECT grade, sum(texts)::BIGINT FROM cells WHERE {_CHOSEN} GROUP BY grade"
_EXAMPLES = f"""
SELECT lower(hex(example)) FROM cells WHERE grade = $grade AND {_CHOSEN} ORDER BY example LIMIT {EXAMPLES}
"""


@dataclass(frozen=True, slots=True)
class Choices:
    """How many texts the set would have if one control had another position, and the others stayed."""

    grades: dict[str, int]
    languages: dict[str, int]  #: those that there are, "" where it is not known; the most frequent first
    every_language: int
    presets: dict[str, int]  #: "" is none
    near: tuple[int, int]  #: without it, and with it
    honour_opt_outs: tuple[int, int]  #: the same


class Cube:
    """The cube of a lake, in memory. Several threads may ask it at once.

    Args:
        cells: rows of `build.CELLS`.
    """

    def __init__(self, cells: pa.Table, about: About) -> None:
        self.about = about
        self.first: date | None
        self.last: date | None
        self._db = duckdb.connect(":memory:")
        self._db.execute("SET TimeZone = 'UTC'; SET python_enable_replacements = false")
        self._db.register("read", cells)
        self._db.execute(_LOAD)
        self._db.unregister("read")
        row = self._db.execute("SELECT min(first_seen), max(enters) FROM cells").fetchone() or (None, None)
        #: the days on which the first text was seen, and the last one entered a set; None of a lake without any
        self.first, self.last = row

    def close(self) -> None:
        self._db.close()

    def check(self, controls: Controls) -> None:
        """Check that the lake can be asked for a clean set.

        Raises:
            ExportError: it cannot.
        """
        for asked, problem in ((controls.near, self.about.near_problem), (controls.preset, self.about.preset_problem)):
            if asked and problem:
                raise ExportError(problem)

    def counts(self, controls: Controls) -> tuple[Counts, Choices]:
        """Count a clean set. The counts are exact, but for those that are estimates anyway.

        Raises:
            ExportError: the lake cannot be asked for this set.
        """
        self.check(controls)
        asked = {name: getattr(controls, name) for name in Controls.__dataclass_fields__}

        def ask(sql: str) -> list[Any]:
            named = {name: value for name, value in asked.items() if f"${name}" in sql}
            return db.execute(sql, named).fetchall()

        with self._db.cursor() as db:
            ask(_NEIGHBOURS)
            months = [(f"{month // 12}-{month % 12 + 1:02}", texts) for month, texts in ask(_MONTHS)]
            every = [OfLanguage(*row) for row in ask(_LANGUAGES)]
            (others,) = ask(_OTHERS)
            grades, examples = dict(ask(_GRADES)), [id_ for (id_,) in ask(_EXAMPLES)]
        chosen = [each for each in every if controls.language in (None, each.language)]
        presets, (near, opt_outs) = others[: len(PRESETS) + 1], (others[-4:-2], others[-2:])
        choices = Choices(
            grades={grade: grades.get(grade, 0) for grade in ASKED},
            languages=counts_of([], every, [], self.about.bytes_a_character).languages,
            every_language=sum(each.texts for each in every),
            presets=dict(zip(("", *PRESETS), presets, strict=True)),
            near=near,
            honour_opt_outs=opt_outs,
        )
        return counts_of(months, chosen, examples, self.about.bytes_a_character), choices
