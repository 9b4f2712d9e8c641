"""The folder of a result: share.json, report.html and the picture share.svg.

share.json is written last, and goes first where a result is replaced: where it is, the others are of the same result.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from archive.atomic import disk_error_line
from archive.errors import CollapseError
from archive.owned import Owned
from archive.show import json_text
from archive.storage import is_s3
from collapse.share.report import page
from collapse.share.results import ShareResult
from query.explorer.reports.shared import RESULT

PAGE, PICTURE = "report.html", "share.svg"


@contextlib.contextmanager
def entered(out: str | os.PathLike[str], question: Mapping[str, str]) -> Iterator[Callable[[ShareResult], None]]:
    """Enter the folder of a result, before the work begins; yield what writes the result to it.

    Args:
        question: what the result answers, by the names of its fields: a result of another question is not replaced. The
            lake may have grown since.

    Raises:
        CollapseError: it holds something else, is in the lake or the set, or cannot be written; or the result of
            another question is in it.
    """
    source = question["source"]
    if not is_s3(source) and f"{os.path.realpath(out)}/".startswith(f"{os.path.realpath(source)}/"):
        raise CollapseError(f"{os.fspath(out)}: is inside {source}; name a folder outside of it")
    own = Owned(os.fspath(out), "share", error=CollapseError)
    try:
        with own.entered():
            stated = _stated(own.out / RESULT)
            differing = [name for name in question if stated is not None and stated.get(name) != question[name]]
            if differing:
                raise CollapseError(
                    f"{own.out} holds a result with another {', '.join(differing)}; name another folder"
                )
            yield lambda result: _write(own, result)
    except OSError as error:
        raise CollapseError(disk_error_line(error, own.out)) from None


def _write(own: Owned, result: ShareResult) -> None:
    own.remove(own.out / RESULT)
    html, svg = page(result)
    own.write_file(own.out / PICTURE, svg.encode("utf-8", "replace"))
    own.write_file(own.out / PAGE, html.encode("utf-8", "replace"))
    own.write_file(own.out / RESULT, json_text(result).encode())


def _stated(path: Path) -> dict[str, Any] | None:
    try:
        stated = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return stated if isinstance(stated, dict) else None
