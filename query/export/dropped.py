"""How many texts each condition of an export left out."""

from __future__ import annotations

import duckdb

from index.quality import presets
from query.dataset import Dropped
from query.export.wanted import clean, where
from query.options import ExportOptions, date_text


def count_dropped(
    db: duckdb.DuckDBPyConnection, options: ExportOptions, texts: int, chosen: int
) -> tuple[Dropped, ...]:
    """Count the texts that each condition left out, in the order in which they are asked.

    Args:
        db: a connection to the lake.
        texts: in the lake.
        chosen: texts of the export.
    """
    left = texts
    dropped: list[Dropped] = []
    conditions = (
        ("after", options.after, f"captured before {date_text(options.after or '')} already"),
        ("language", options.language, f"another language than {options.language}"),
        ("honour_opt_outs", options.honour_opt_outs, "a capture of it opts out"),
        ("near", options.near, "an earlier near-duplicate is in the lake"),
    )
    later = [name for name, given, _ in conditions if given]

    def ask(name: str, call: str) -> None:
        nonlocal left
        if later or options.where or options.preset:
            (count,) = db.execute(f"SELECT count(*) FROM {call}").fetchall()[0]
        else:  # nothing is asked behind it: what it leaves is the export
            count = chosen
        dropped.append(Dropped(name, left - count))
        left = count

    ask(f"no acceptable capture before {date_text(options.before)}", clean(options, later))
    for name, given, why in conditions:
        if given:
            later.remove(name)
            ask(why, clean(options, later))
    if options.where and options.preset:
        ask(f"not where {options.where}", where(options, options.where) + " AS c")
    elif options.where:
        dropped.append(Dropped(f"not where {options.where}", left - chosen))
    if options.preset:
        dropped += _by_rule(db, options, options.preset)
    return tuple(dropped)


def _by_rule(db: duckdb.DuckDBPyConnection, options: ExportOptions, preset: str) -> list[Dropped]:
    """Count the texts that each rule of the preset left out, as the first rule that did."""
    conditions = [each for each in (options.where, f"NOT {preset}") if each]
    rules = db.execute(f"""
        SELECT {presets.reason_sql(preset)} AS rule, count(*)
        FROM {where(options, *conditions)} AS c GROUP BY rule ORDER BY 2 DESC, 1
    """)
    return [Dropped(f"preset {preset}: {rule}", count) for rule, count in rules.fetchall()]
