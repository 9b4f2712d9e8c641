"""Time stamps of closed files: the token of an authority (RFC 3161) over the SHA-256 of a file, next to it."""

from __future__ import annotations

import os
from pathlib import Path

from archive.attestations.seal import ask
from archive.attestations.timestamps import require_libraries


class Authority:
    """A time-stamp authority.

    Args:
        url: http or https.

    Raises:
        ArchiveError: a library is missing.
    """

    def __init__(self, url: str) -> None:
        require_libraries("--tsa")
        self._url = url

    def stamp(self, sha256: str, path: Path) -> None:
        """Have a SHA-256 stamped, and write the token to a file.

        Raises:
            ArchiveError: the authority does not answer, or with something else than a token for this hash.
            OSError: the file cannot be written.
        """
        token, _ = ask(self._url, bytes.fromhex(sha256))
        part = path.with_name(path.name + ".part")
        with part.open("wb") as stream:
            stream.write(token)
            stream.flush()
            os.fsync(stream.fileno())
        part.rename(path)
