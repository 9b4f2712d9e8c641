"""Engines run work: a function and its tasks go in, results come out in the order in which the tasks end.

`base` says what every engine offers. `local` runs tasks in processes of this machine, `ray` on all machines of a
cluster. `sandbox` runs native code in a child that may hang or crash.
"""

from __future__ import annotations

from collections.abc import Callable

from archive.engine.base import Context, Done, Engine, Failed, Progress, Tasks, Work, gpus_of, succeed
from archive.engine.local import preload
from archive.errors import ArchiveError
from archive.registry import Registry

__all__ = [
    "ENGINES", "Context", "Done", "Engine", "Failed", "Progress", "Tasks", "Work", "Workers", "gpus_of",
    "open_engine", "preload", "succeed",
]  # fmt: skip

#: What a caller may give for `workers`: a number of processes (None: one for each core), the name of an engine with
#: what it is opened with (`"local:8"`, `"ray://host:10001"`), or an engine that is open.
Workers = int | str | Engine | None

#: The function that opens each engine from what follows the colon in its name, which may be empty.
ENGINES = Registry("engines", {"local": "archive.engine.local:open_local", "ray": "archive.engine.ray:open_ray"})


def open_engine(workers: Workers = None) -> Engine:
    """Open the engine that is asked for.

    Raises:
        ArchiveError: there is no such engine, or it cannot be opened with these words.
    """
    if workers is None or isinstance(workers, int):
        workers = f"local:{'' if workers is None else workers}"
    if not isinstance(workers, str):
        return workers
    name, _, rest = workers.partition(":")
    if not ENGINES.has(name):
        raise ArchiveError(f"no engine {name!r}; there are {', '.join(ENGINES.names())}")
    opener: Callable[[str], Engine] = ENGINES.load(name)
    return opener(rest)
