"""The program `archive`, also as `python -m archive`."""

from __future__ import annotations

import os
import signal
import sys


def main() -> None:
    """Run the command line. Ctrl-C ends it without a traceback, even while modules are being imported."""
    signal.signal(signal.SIGINT, _stop)
    _open_streams()
    from archive.cli import main

    main(prog_name="archive")


def _open_streams() -> None:
    """Open `/dev/null` for each standard stream that the shell closed (`>&-`); else the next file gets its number."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number
        if getattr(sys, name) is None:
            stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)


def _stop(number: int, frame: object) -> None:
    os.write(2, b"archive: stopped\n")
    os._exit(130)


if __name__ == "__main__":
    main()
