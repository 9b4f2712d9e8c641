"""The texts of an export as SQL: a call of `clean`, and the conditions on it."""

from __future__ import annotations

from collections.abc import Collection

from archive.files import sql_literal
from query.options import ExportOptions

#: `words` is a column of `documents` too.
_QUALITY = "SELECT * EXCLUDE (words) FROM quality"


def clean(options: ExportOptions, without: Collection[str] = ()) -> str:
    """Return the call of `clean` for these options, except some of them."""
    return _call("clean", options, without)


def _call(macro: str, options: ExportOptions, without: Collection[str] = ()) -> str:
    parts = [sql_literal(options.before), *_captures_that_count(options)]
    if options.after and "after" not in without:
        parts.append(f"after := {sql_literal(options.after)}")
    if options.language and "language" not in without:
        parts.append(f"language := {sql_literal(options.language)}")
    if options.near and "near" not in without:
        parts.append("near := true")
    if options.honour_opt_outs and "honour_opt_outs" not in without:
        parts.append("honour_opt_outs := true")
    if options.archives > 1:
        parts.append(f"archives := {options.archives}")
    return f"{macro}({', '.join(parts)})"


def _captures_that_count(options: ExportOptions) -> list[str]:
    listed = ", ".join(map(sql_literal, options.date_sources))
    return [f"grade := {sql_literal(options.grade)}", *([f"date_sources := [{listed}]"] if listed else [])]


def citable(options: ExportOptions) -> str:
    """Return the captures among which each text of the export has the one that proves it."""
    return f"citable({', '.join([sql_literal(options.before), *_captures_that_count(options)])})"


def where(options: ExportOptions, *conditions: str) -> str:
    """Return the texts of `clean` for which the conditions hold; they may ask for the columns of `quality`."""
    call = clean(options)
    if not conditions:
        return call
    # line ends around a condition, so that a comment in it ends with it
    asked = " AND ".join(f"(\n{each}\n)" for each in conditions)
    return f"(SELECT * FROM {call} LEFT JOIN ({_QUALITY}) AS quality USING (content_id) WHERE {asked})"


def wanted(options: ExportOptions) -> str:
    """Return the texts of the export: their ids, dates, and what `documents` has of them."""
    given = [each for each in (options.where, options.preset) if each]  # a preset is a column that is true or false
    return where(options, *given) if given else _call("proven", options)
