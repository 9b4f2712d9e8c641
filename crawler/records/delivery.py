"""What happens to closed files, in a thread: they are stamped by an authority, and uploaded to a store.

Each upload is noted in the database before it begins, and when it is confirmed; only then the local file is removed.
So after a kill at any moment the next run knows which objects are its own, and uploads what is missing.
"""

from __future__ import annotations

import hashlib
import json
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from archive.errors import ArchiveError, store_line
from crawler.frontier.rows import File
from crawler.frontier.uploads import Uploads
from crawler.records.files import BY_ORIGINAL, INDEX, MANIFEST, TOKEN, next_to
from crawler.records.store import AnotherCrawlError, Store

if TYPE_CHECKING:
    from crawler.records.stamps import Authority

_log = logging.getLogger(__name__)

#: Objects that are written anew as the crawl grows.
SHARED = (MANIFEST, INDEX, BY_ORIGINAL)
#: Seconds until a second try, and at most between two.
_PAUSE, _LONGEST_PAUSE = 1.0, 300.0
#: Seconds that an upload on its way has after an error.
_GRACE = 10.0


@dataclass
class _Lane:
    """Files that wait for one thing, in their order."""

    what: str
    work: Callable[[File, Uploads], None]
    pause: float
    tries: int  #: at the end of a run, until it is left to the next run
    waiting: deque[File] = field(default_factory=deque)
    failures: int = 0  #: one after the other
    last_tries: int = 0
    at: float = 0.0
    reasons: dict[str, str] = field(default_factory=dict)  #: why it was not done, by the name of the file

    def is_over(self, ending: bool, stopping: bool) -> bool:
        return not self.waiting or stopping or (ending and self.last_tries >= self.tries)

    def try_one(self, uploads: Uploads, ending: bool) -> None:
        file = self.waiting[0]
        try:
            self.work(file, uploads)
        except AnotherCrawlError:
            raise
        except (OSError, ArchiveError) as error:
            self.failures += 1
            self.last_tries += ending
            self.at = time.monotonic() + min(self.pause * 2 ** min(self.failures - 1, 20), _LONGEST_PAUSE)
            reason = self.reasons[file.name] = _line(error)
            _log.warning("%s is not %s: %s; it is tried again", file.name, self.what, reason)
            self.waiting.rotate(-1)  # one that cannot be read keeps no other from its turn
            return
        self.waiting.popleft()
        self.failures = 0
        self.reasons.pop(file.name, None)

    @property
    def problems(self) -> list[str]:
        """A line for each reason, which names the first file."""
        found: dict[str, list[str]] = {}
        for name, reason in self.reasons.items():
            found.setdefault(reason, []).append(name)
        more = {reason: f" ({len(names) - 1:,} more are not)" if names[1:] else "" for reason, names in found.items()}
        return [f"{names[0]} is not {self.what}: {reason}{more[reason]}" for reason, names in found.items()]


class Delivery:
    """Stamps and uploads files while a crawl goes on.

    Args:
        folder: of the files.
        database: of the frontier.
        store: where the files go; None: they stay.
        crawl: the id of the crawl in the store.
        authority: that stamps them; None: nobody does.
    """

    def __init__(
        self,
        folder: Path,
        database: Path,
        store: Store | None,
        crawl: str,
        authority: Authority | None,
    ) -> None:
        self._folder, self._database, self._store, self._crawl, self._authority = (
            folder, database, store, crawl, authority
        )  # fmt: skip
        self._stamps = _Lane("stamped", self._stamp, 60 * _PAUSE, 1)
        self._files = _Lane("uploaded", self._upload, _PAUSE, 5)
        self._tokens = _Lane("uploaded with its time stamp", self._upload_token, _PAUSE, 5)
        self._new: queue.SimpleQueue[File] = queue.SimpleQueue()
        self._look = threading.Event()
        self._shared_problem = ""
        self._ending = self._stopping = False
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="crawl-delivery", daemon=True)
        self._thread.start()

    def add(self, file: File) -> None:
        """Take a file that is closed.

        Raises:
            CrawlError: the store belongs to another crawl by now.
            Exception: what else ended the thread.
        """
        if self._failure is not None:
            raise self._failure
        self._new.put(file)
        self._look.set()

    def read(self, file: File, offset: int, size: int) -> bytes:
        """Return bytes of a file in the store.

        Raises:
            OSError: it cannot be read.
        """
        if self._store is None:
            raise FileNotFoundError(2, "No such file or directory", str(self._folder / file.name))
        return self._store.range(file.name, offset, size)

    def end(self, wait: bool) -> None:
        """Do what is left, and end the thread.

        Args:
            wait: try what fails some times more; else only what was begun is ended.

        Raises:
            Exception: what ended the thread.
        """
        self._ending, self._stopping = True, not wait
        self._look.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def abandon(self) -> None:
        """Begin nothing more, and wait some seconds for what is on its way; the next run does it again."""
        self._stopping = self._ending = True
        self._look.set()
        self._thread.join(_GRACE)

    @property
    def problems(self) -> list[str]:
        """Why files are not stamped or uploaded."""
        lanes = self._stamps, self._files, self._tokens
        return [*(problem for lane in lanes for problem in lane.problems), *filter(None, [self._shared_problem])]

    def _run(self) -> None:
        try:
            uploads = Uploads(self._database)
            try:
                self._work(uploads)
                if self._store is not None and not self._stopping:
                    self._upload_shared(self._store, uploads)
            finally:
                uploads.close()
        except Exception as error:
            self._failure = error

    def _work(self, uploads: Uploads) -> None:
        """Work until the end."""
        lanes = self._stamps, self._files, self._tokens
        was_ending = False
        while True:
            self._look.clear()
            ending = self._ending
            while not self._new.empty():
                self._take(self._new.get())
            if ending and not was_ending:
                was_ending = True
                for lane in lanes:
                    lane.at, lane.failures = 0.0, 0
            if ending and self._new.empty() and all(lane.is_over(True, self._stopping) for lane in lanes):
                return
            now = time.monotonic()
            due = [lane for lane in lanes if lane.at <= now and not lane.is_over(ending, self._stopping)]
            for lane in due:
                lane.try_one(uploads, ending)
            if not due:
                ready = [lane.at for lane in lanes if not lane.is_over(ending, self._stopping)]
                self._look.wait(max(min(ready) - now, 0.01) if ready else None)

    def _take(self, file: File) -> None:
        if self._authority is not None:
            self._stamps.waiting.append(file)
            self._stamps.at = 0.0  # it is tried again whenever a file is closed
        if self._store is not None:
            self._files.waiting.append(file)
            self._tokens.waiting.append(file)

    def _stamp(self, file: File, uploads: Uploads) -> None:
        token = self._folder / (file.name + TOKEN)
        if not token.exists():
            assert self._authority is not None
            assert file.sha256 is not None
            self._authority.stamp(file.sha256, token)
            if self._store is not None and file not in self._tokens.waiting:
                self._tokens.waiting.append(file)

    # the store

    def _upload(self, file: File, uploads: Uploads) -> None:
        """Upload a file and its indexes; remove it here when it is confirmed."""
        store = self._store
        assert store is not None
        assert file.sha256 is not None
        path = self._folder / file.name
        if uploads.is_confirmed(file.name) and path.exists() and store.size(file.name) != file.length:
            uploads.begin_again(file.name)  # a run ended before it was removed here, and it is no longer there
        if not uploads.is_confirmed(file.name):
            store.check(self._crawl)
            for each in next_to(path):
                self._put(store, each, _sha256(each), uploads)
            self._put(store, path, file.sha256, uploads)
            store.write(MANIFEST, self._manifest(uploads))
            _log.info("uploaded %s to %s", file.name, store.location)
        path.unlink(missing_ok=True)

    def _manifest(self, uploads: Uploads) -> bytes:
        """Return the lines of the manifest of the files that are in the store."""
        names = uploads.confirmed()
        with (self._folder / MANIFEST).open("rb") as lines:
            return b"".join(line for line in lines if json.loads(line)["name"] in names)

    def _upload_token(self, file: File, uploads: Uploads) -> None:
        assert self._store is not None
        path = self._folder / (file.name + TOKEN)
        if path.exists() and not uploads.is_confirmed(path.name):
            self._store.check(self._crawl)
            self._put(self._store, path, _sha256(path), uploads)

    @staticmethod
    def _put(store: Store, path: Path, sha256: str, uploads: Uploads) -> None:
        """Bring a file into the store once. What is there under its name is ours only where that was begun."""
        was_begun = uploads.is_confirmed(path.name)
        if was_begun:
            return
        if store.size(path.name) is not None:
            if store.sha256(path.name) == sha256:
                uploads.confirm(path.name)
                return
            if was_begun is None:
                raise AnotherCrawlError(f"{store.location}/{path.name}: is there already, and is no file of this crawl")
        uploads.begin(path.name)
        store.upload(path, path.name, sha256)
        uploads.confirm(path.name)

    def _upload_shared(self, store: Store, uploads: Uploads) -> None:
        """Write the joint indexes anew, and the manifest where an earlier run ended before it had."""
        try:
            store.check(self._crawl)
            if (self._folder / MANIFEST).exists():
                manifest = self._manifest(uploads)
                sha256 = hashlib.sha256(manifest).hexdigest()
                if manifest and (store.size(MANIFEST) != len(manifest) or store.sha256(MANIFEST) != sha256):
                    store.write(MANIFEST, manifest)
            for name in (INDEX, BY_ORIGINAL):
                path = self._folder / name
                if path.exists() and not self._files.waiting:
                    sha256 = _sha256(path)
                    if store.size(name) != path.stat().st_size or store.sha256(name) != sha256:
                        store.upload(path, name, sha256)
        except AnotherCrawlError:
            raise
        except OSError as error:
            self._shared_problem = f"{MANIFEST} or {INDEX} is not uploaded: {store_line(error)}"


def _line(error: OSError | ArchiveError) -> str:
    """Return what went wrong in one line."""
    return str(error) if isinstance(error, ArchiveError) else store_line(error)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
