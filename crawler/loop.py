"""The reactor of Twisted on a loop of asyncio, which runs one crawl after the other in one process.

`reactor.run()` can be called once only. So the reactor is started once and never stopped, and the loop below it runs
until a crawl is over.
"""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet import asyncioreactor, error

_T = TypeVar("_T")
_loops: list[asyncio.AbstractEventLoop] = []


def loop() -> asyncio.AbstractEventLoop:
    """Return the loop; the first call installs and starts the reactor.

    Raises:
        RuntimeError: the process has another reactor already.
    """
    if not _loops:
        new = asyncio.new_event_loop()
        asyncio.set_event_loop(new)
        try:
            asyncioreactor.install(new)
        except error.ReactorAlreadyInstalledError:
            new.close()
            raise RuntimeError("this process runs another Twisted reactor; crawl in a process of its own") from None
        from twisted.internet import reactor

        threads: Any = reactor
        threads.startRunning(installSignalHandlers=False)
        atexit.register(lambda: threads.getThreadPool().stop())
        _loops.append(new)
    asyncio.set_event_loop(_loops[0])
    return _loops[0]


def run(work: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine until it is over."""
    return loop().run_until_complete(work)
