"""Counts files and the arrows between them, one row for each room.

    python docs/house.py                   this checkout
    python docs/house.py OLD NEW           two checkouts, side by side

An arrow is a file that imports another one; imports inside functions and for types count. `circles` counts the groups
of files or folders that import each other. Needs grimp, which comes with import-linter.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOMS = ("archive", "crawler", "index", "query", "collapse", "lowbackground")
HEAD = ("room", "files", "lines", "arrows inside", "arrows to other rooms", "most from one file", "circles")


def room_rows(checkout: Path) -> list[tuple[str, ...]]:
    """Return a row for each room of a checkout, and their sum."""
    import grimp

    sys.path.insert(0, str(checkout))
    rooms = [room for room in ROOMS if (checkout / room).is_dir()]
    graph = grimp.build_graph(*rooms, exclude_type_checking_imports=False, cache_dir=None)
    rows = []
    for room in rooms:
        modules = sorted({room} | graph.find_descendants(room))
        arrows = {(module, to) for module in modules for to in graph.find_modules_directly_imported_by(module)}
        inside = sum(_room(to) == room for _, to in arrows)
        from_one = max(sum(start == module for start, _ in arrows) for module in modules)
        circles = sum(len(graph.nominate_cycle_breakers(module)) for module in modules)
        lines = sum(_lines(checkout, module) for module in modules)
        rows.append((room, len(modules), lines, inside, len(arrows) - inside, from_one, circles))
    sums = ["all", *(sum(column) for column in list(zip(*rows, strict=True))[1:])]
    sums[5] = max(row[5] for row in rows)
    return [tuple(str(cell) for cell in row) for row in [*rows, sums]]


def _room(module: str) -> str:
    return module.partition(".")[0]


def _lines(checkout: Path, module: str) -> int:
    path = checkout / module.replace(".", "/")
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return len(file.read_text().splitlines())


def main() -> None:
    checkouts = [Path(name).resolve() for name in sys.argv[1:]] or [Path(__file__).parents[1]]
    if len(checkouts) == 1:
        print(_line(HEAD), _line(["---"] * len(HEAD)), *map(_line, room_rows(checkouts[0])), sep="\n")
        return
    for checkout in checkouts:  # in processes of their own: the packages have the same names
        print(f"\n{checkout}\n", flush=True)
        subprocess.run([sys.executable, __file__, str(checkout)], check=True, cwd=checkout, env={})


def _line(cells: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
