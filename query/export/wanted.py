"""The texts of an export as SQL: a call of `clean`, and the conditions on it."""

from __future__ import annotations

from collections.abc import Collection

from archive.files import sql_literal
from query.options import ExportOptions

#: `words` is a column of `documents` too.
_QUALITY = "SELECT * EXCLUDE (words) FROM quality"


def clean(options: ExportOptions, without: Collection[str] = ()) -> str:
    """Return the call of `clean` for these options, except some of them."""
    parts = [sql_literal(options.before)]
    if options.after and "after" not in without:
        parts.append(f"after := {sql_literal(options.after)}")
    if options.language and "language" not in without:
        parts.append(f"language := {sql_literal(options.language)}")
    if options.date_sources:
        parts.append(f"date_sources := [{', '.join(map(sql_literal, options.date_sources))}]")
    if options.near and "near" not in without:
        parts.append("near := true")
    if options.honour_opt_outs and "honour_opt_outs" not in without:
        parts.append("honour_opt_outs := true")
    return f"clean({', '.join(parts)})"


def where(options: ExportOptions, *conditions: str) -> str:
    """Return the texts of `clean` for which the conditions hold; they may ask for the columns of `quality`."""
    call = clean(options)
    if not conditions:
        return call
    # line ends around a condition, so that a comment in it ends with it
    asked = " AND ".join(f"(\n{each}\n)" for each in conditions)
    return f"(SELECT * FROM {call} LEFT JOIN ({_QUALITY}) AS quality USING (content_id) WHERE {asked})"


def wanted(options: ExportOptions) -> str:
    """Return the texts of the export."""
    given = [options.where, options.preset]  # a preset is a column of `quality` that is true or false
    return where(options, *[each for each in given if each])
