"""Keeps maps in the folder of caches, outside the lake. They can be deleted at any time, and are made again then."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
from dataclasses import asdict
from pathlib import Path

from archive.atomic import atomic_file
from archive.commoncrawl.cache import cache_folder, of_lake
from archive.program import program_version
from archive.tables import CAPTURES, DOCUMENTS
from index.embeddings.table import EMBEDDINGS
from index.tables import TEXT_TOPICS, TOPICS
from query.explorer.context import Context
from query.explorer.map.grid import Field, Grid, grid
from query.typed_json import build

_log = logging.getLogger(__name__)
#: To be raised when the same lake gives another map, or the map is written in another way.
_FORMAT = 1


def kept_grid(context: Context, encoder: str) -> Grid:
    """Return the map of a lake, which is computed once for a version of its tables.

    Raises:
        QueryError, Busy: as `grid` does.
    """
    path = _path(context, encoder)
    try:
        return _read(path)
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        _log.info("%s: %s; it is made again", path, error)
    found = grid(context, encoder)
    with contextlib.suppress(OSError):  # a machine without room for it computes it again
        of_lake(path.parent, context.lake.location)
        with atomic_file(path) as part:
            part.write_text(json.dumps(asdict(found)))
        for other in path.parent.glob(f"{path.name[:22]}*.json"):
            if other != path:
                other.unlink(missing_ok=True)
    return found


def _path(context: Context, encoder: str) -> Path:
    """Return where the map is: a file for an encoder and the versions of the tables."""
    tables = (CAPTURES, DOCUMENTS, EMBEDDINGS, TEXT_TOPICS, TOPICS)
    location, marks = context.lake.location, {table.name: context.marks.get(table.name) for table in tables}
    of = json.dumps([location, marks, encoder, _FORMAT, program_version()], sort_keys=True)
    folder = hashlib.sha256(location.encode()).hexdigest()[:32]
    name = f"grid-{hashlib.sha256(encoder.encode()).hexdigest()[:16]}-{hashlib.sha256(of.encode()).hexdigest()[:32]}"
    return cache_folder() / "maps" / folder / f"{name}.json"


def _read(path: Path) -> Grid:
    stored = json.loads(path.read_bytes())
    fields = tuple(build(Field, {**each, "content_ids": tuple(each["content_ids"])}) for each in stored["fields"])
    return build(Grid, {**stored, "fields": fields})
