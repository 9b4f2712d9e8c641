"""The program `archive`, also as `python -m archive`."""

from __future__ import annotations

import os
import signal


def main() -> None:
    """Run the command line. Ctrl-C ends it without a traceback, also while it is being loaded."""
    signal.signal(signal.SIGINT, _stop)
    from archive.cli import main

    main(prog_name="archive")


def _stop(number: int, frame: object) -> None:
    os.write(2, b"archive: stopped\n")
    os._exit(130)


if __name__ == "__main__":
    main()
