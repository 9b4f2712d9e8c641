"""What the grades do to a clean set: texts by grade, and each text that leaves it, with the reason.

    python benchmarks/grades.py LAKE [--before 2022-01-01] [--older LAKE] [--list] [--json OUT]

"Leaves" means: some capture before the date has no problem by the rules of the time before there were grades, and the
text is not clean at the default grade. Without `--older` these are the texts that only grade E holds. With it, they are
taken from a lake that an earlier version made of the same files: its captures without a `date_problem`.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

from query import sql

#: The best capture of each text: of the least grade, and of these the first.
_BEST = """
SELECT content_id, min({'grade': grade, 'problem': coalesce(date_problem, ''), 'at': captured_at, 'source': date_source,
            'type': record_type, 'via': via IS NOT NULL, 'file': file, 'offset': "offset", 'url': url}) AS best
FROM captures WHERE content_id IS NOT NULL GROUP BY content_id
"""


def texts_by_grade(lake: str, before: str) -> dict[str, int]:
    """Return the texts of `clean` by the best grade of a capture before the date, best grade first."""
    db = sql.connect(lake)
    found = {}
    known: set[str] = set()
    for grade in "ABCDE":
        rows = db.execute(f"SELECT content_id FROM clean('{before}', grade := '{grade}')").fetchall()
        ids = {row[0] for row in rows}
        found[grade] = len(ids - known)
        known |= ids
    return found


def leaving(lake: str, before: str, older: str | None) -> list[dict[str, Any]]:
    """Return for each text that leaves its best capture, and why that is not enough."""
    db = sql.connect(lake)
    now = {row[0] for row in db.execute(f"SELECT content_id FROM clean('{before}')").fetchall()}
    if older:
        question = (
            "SELECT DISTINCT content_id FROM captures WHERE date_problem IS NULL AND captured_at < ?::TIMESTAMPTZ"
        )
        was = {row[0] for row in sql.connect(older).execute(question, [before]).fetchall() if row[0]}
    else:
        was = {row[0] for row in db.execute(f"SELECT content_id FROM clean('{before}', grade := 'E')").fetchall()}
    best_of = dict(db.execute(_BEST).fetchall())
    gone = []
    for content_id in sorted(was - now):
        best = best_of.get(content_id)
        gone.append({"content_id": content_id, "reason": _reason(best, before), **(best or {})})
    return gone


def _reason(best: dict[str, Any] | None, before: str) -> str:
    if best is None:
        return "the text reads otherwise, or not at all"
    if best["grade"] == "X":
        return f"X: {best['problem']}"
    if best["grade"] <= "D":
        return "dated later" if str(best["at"]) >= before else "clean"
    if best["problem"]:
        return f"E: {best['problem']}"
    if best["source"] == "dataset":
        return "E: the column of a data set"
    if best["type"] == "resource":
        return "E: a resource record"
    return "E: a replay that was rewritten, or dated by its address only" if best["via"] else "E: other"


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("lake")
    parser.add_argument("--before", default="2022-01-01")
    parser.add_argument("--older", help="a lake that an earlier version made of the same files")
    parser.add_argument("--list", action="store_true", help="print each text that leaves but for those of data sets")
    parser.add_argument("--json", type=Path, metavar="OUT")
    args = parser.parse_args()
    grades = texts_by_grade(args.lake, args.before)
    gone = leaving(args.lake, args.before, args.older)
    print(f"texts in clean('{args.before}') by their best grade")
    for grade, count in grades.items():
        print(f"  {grade}  {count:6,}")
    print(f"{len(gone):,} texts leave the set at the default grade")
    for reason, count in Counter(each["reason"] for each in gone).most_common():
        print(f"  {count:6,}  {reason}")
    if args.list:
        for each in gone:
            if each.get("source") != "dataset":
                print("\t".join(str(each.get(key)) for key in ("reason", "at", "url", "file", "offset")))
    if args.json:
        args.json.write_text(json.dumps({"grades": grades, "leaving": gone}, default=str, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
