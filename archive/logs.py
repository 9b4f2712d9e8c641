"""Logging of the commands, to standard error, in this process and in its workers.

The rooms log to `logging.getLogger(__name__)`. A program that uses them as a library sets logging up as it likes; its
workers, which are other processes, log what `$ARCHIVE_LOG` asks for.
"""

from __future__ import annotations

import logging
import os
import sys

#: The variable that holds the level: `info` or `debug`. Workers get it with the other variables of their parent.
VARIABLE = "ARCHIVE_LOG"
#: The top-level loggers.
ROOMS = ("archive", "crawler", "index", "query", "collapse", "lowbackground")
_FORMAT = "%(asctime)s %(levelname)s %(name)s [%(process)d] %(message)s"


class _StandardError(logging.Handler):
    """Writes lines to `sys.stderr` as it is at that moment: a progress bar puts itself in its place."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(f"{self.format(record)}\n")
        except Exception:
            self.handleError(record)


_handler = _StandardError()
_handler.setFormatter(logging.Formatter(_FORMAT))
_silence = logging.NullHandler()


def set_up(level: str | None = None) -> None:
    """Log the rooms at a level, or at that of `$ARCHIVE_LOG`; or nothing, where neither names one.

    Args:
        level: `info` or `debug`; it is put into `$ARCHIVE_LOG`, where workers find it.
    """
    if level is not None:
        os.environ[VARIABLE] = level
    number = getattr(logging, os.environ.get(VARIABLE, "").upper(), None)
    number = number if isinstance(number, int) else None
    for room in ROOMS:
        logger = logging.getLogger(room)
        logger.removeHandler(_handler)
        logger.addHandler(_silence if number is None else _handler)
        logger.setLevel(logging.NOTSET if number is None else number)
