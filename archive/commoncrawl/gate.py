"""The gate of a host: one budget of requests for all processes of a machine.

Common Crawl asks its users for few requests, and shuts out addresses that ask too often. So each request waits for a
moment of its own. The moments are handed out in a small file for each host, under a lock that the system frees when a
process ends, however it ends.

- Requests leave one after the other at the rate; nobody saves up for a burst.
- 429, 503 and the other answers of a busy server slow everybody: all wait for Retry-After, or else for 1 s, which
  doubles up to 60 s, with jitter. Afterwards requests leave at half the rate; a hundred good answers double it again.
- 403 stops everybody. The time is remembered, and nothing is asked for an hour.
"""

from __future__ import annotations

import contextlib
import email.utils
import errno
import fcntl
import math
import os
import random
import re
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path

from archive.commoncrawl.cache import temporary_folder, warn
from archive.errors import SourceError

#: Seconds that all wait after a first refusal, and at most.
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
#: Seconds of Retry-After that are believed.
LONGEST_RETRY_AFTER = 3600.0
#: Seconds for which nothing is asked after a 403.
REFUSED_FOR = 3600.0
#: A busy server halves the rate, down to this part of it; so many good answers in a row double it again.
_SLOWEST, _RECOVERS_IN = 1 / 64, 100
#: Statuses of a server that is busy.
BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
_STATE, _BEFORE = struct.Struct("<10d"), struct.Struct("<9d")  # an older version wrote no `seen`
#: Seconds by which the clocks of machines that share a home may differ: more, and somebody has set this one back.
_CLOCK = 60.0
#: Requests a second, at least: with fewer, none would leave for longer than anybody waits.
_LEAST = 1 / 3600
#: How often a file is opened whose folder somebody deletes.
_OPENED_ANEW = 100
#: Seconds of a wait after which a watch is called again.
_BEAT = 1.0


class Refused(SourceError):
    """Raised where the host has shut this address out. Nothing that was ingested is lost."""

    def __init__(self, host: str, at: float, until: float, path: Path) -> None:
        super().__init__(
            f"{host} answered 403 at {_clock(at)}: it takes no more requests from this address. None is sent before "
            f"{_clock(until)}; nothing is lost, and the same command goes on then, best with a lower --rate. To ask "
            f"sooner, where the host is known to answer again, delete {path}, which remembers this"
        )
        self.host, self.at, self.until = host, at, until


def refusing_host(error: str) -> str | None:
    """Return the host that an error names as one that takes no more requests; None for any other error."""
    match = re.search(r"(\S+) answered 403 at \S+ it takes no more requests", error)
    return match[1] if match else None


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(slots=True)
class _State:
    next: float = 0.0  #: when the next request may leave
    hold: float = 0.0  #: nothing leaves before, not even what has a moment
    wait: float = 0.0  #: seconds of the last wait for a busy server; 0 after a good answer
    held_at: float = 0.0  #: when the last wait began
    pace: float = 1.0  #: part of the rate at which requests leave
    refused: float = 0.0  #: when the host answered 403
    status: float = 0.0  #: of the last answer of a busy server; 0 for none, as after a reset
    requests: float = 0.0  #: that left, ever
    waited: float = 0.0  #: seconds that they waited
    seen: float = 0.0  #: when a process last looked at this

    @classmethod
    def read(cls, number: int) -> _State:
        data = os.pread(number, _STATE.size, 0)
        layout = next((each for each in (_STATE, _BEFORE) if each.size == len(data)), None)
        found = cls(*layout.unpack(data)) if layout else cls()
        # whoever else wrote the file: no wait is for ever, and none is no number
        return found if all(map(math.isfinite, astuple(found))) and 0 < found.pace <= 1 else cls()

    def on_clock(self, now: float) -> None:
        """Move all moments with a clock that was set back since a process last looked."""
        if not self.seen and self.next > now + LONGEST_RETRY_AFTER + LONGEST_WAIT:
            self.next = self.hold = 0.0
        if (back := self.seen - now) > _CLOCK:
            for name in ("next", "hold", "held_at", "refused"):
                if moment := getattr(self, name):
                    setattr(self, name, max(moment - back, 0.0))
        self.seen = now

    def write(self, number: int) -> None:
        os.pwrite(number, _STATE.pack(*astuple(self)), 0)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a gate is at, for all processes of this machine.

    Attributes:
        requests: that left, ever.
        waited: seconds that they waited, all together.
        hold: seconds in which none leaves, since the server is busy.
        status: of its last answer that said so; 0 for no answer.
        at: when that was.
        rate: requests a second that leave otherwise.
        is_slowed: that is less than was asked for, since the server was busy.
    """

    host: str
    requests: int
    waited: float
    hold: float
    status: int
    at: float
    rate: float
    is_slowed: bool


class Watch:
    """Hears what a process does at Common Crawl. `Watch` itself does nothing."""

    def index(self, crawl: str, number: int, of: int) -> None:
        """Begin to read the index of a crawl, the `number`-th of so many."""

    def beat(self, seen: Seen) -> None:
        """Look at the gate: it is called once a second while a request waits, and after each answer."""


class Gate:
    """The budget of one host, as far as this machine has it.

    Args:
        folder: where the files of all gates are, on a disk of this machine.
        host: name and port.
        rate: requests a second.
        streams: how many whole files may be read at once, by all processes.
        now: the seconds of the Unix clock, which all processes share.
        first_wait: seconds that all wait after a first refusal.
        watch: hears what it waits for.

    Attributes:
        requests: that this process has sent.
        waited: seconds that it waited for them.
        held: of these, seconds behind the answer of a busy server.
        refusals: answers of a busy server, and requests without an answer.
    """

    def __init__(
        self,
        folder: Path,
        host: str,
        rate: float,
        streams: int = 2,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        first_wait: float = FIRST_WAIT,
        watch: Watch | None = None,
    ) -> None:
        if not _LEAST <= rate < math.inf:  # nor NaN
            raise SourceError(
                f"a rate of {rate:g} requests a second: write a number, at least {_LEAST:.6f} for one an hour"
            )
        self.host, self.rate, self._streams = host, rate, streams
        self._now, self._sleep, self._first_wait, self._watch = now, sleep, first_wait, watch
        self._path = self._usable(folder, re.sub(r"[^\w.-]", "_", host))
        self.requests, self.waited, self.held, self.refusals = 0, 0.0, 0.0, 0

    def _usable(self, folder: Path, name: str) -> Path:
        """Return the path of the gate's file: in a folder, or in a temporary one where that takes no files.

        Raises:
            SourceError: neither does.
        """
        for each in (folder, temporary_folder() / "gates"):
            path = each / name
            try:
                each.mkdir(parents=True, exist_ok=True, mode=0o700)
                if each != folder and each.stat().st_uid != os.getuid():
                    raise PermissionError(errno.EPERM, "is of another user")
                for file in (path, *(path.with_name(f"{name}.stream-{number}") for number in range(self._streams))):
                    os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644))
                self._path = path
                with self._locked():  # writes it: what is there takes no more room
                    return path
            except OSError as error:
                warn(each, error)
                last = error
        raise SourceError(
            f"{folder}: {last.strerror or last}; the file that keeps the rate of requests must be somewhere: name a "
            "folder with $XDG_CACHE_HOME or $TMPDIR"
        )

    @contextlib.contextmanager
    def _locked(self) -> Iterator[_State]:
        number = self._opened(self._path)
        try:
            fcntl.flock(number, fcntl.LOCK_EX)
            state = _State.read(number)
            state.on_clock(self._now())
            try:
                yield state
            finally:
                state.write(number)
        finally:
            os.close(number)

    @staticmethod
    def _opened(path: Path) -> int:
        """Open a file of the gate. Its folder may have been deleted: whoever waits goes on."""
        for _ in range(_OPENED_ANEW):
            try:
                return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            except FileNotFoundError:
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def check(self) -> None:
        """Raise what `wait` would raise now, without a request.

        Raises:
            Refused: the host answered 403 within the last hour.
        """
        with self._locked() as state:
            self._check(state, self._now())

    def _check(self, state: _State, now: float) -> None:
        if state.refused and state.refused - _CLOCK <= now < state.refused + REFUSED_FOR:
            raise Refused(self.host, state.refused, state.refused + REFUSED_FOR, self._path)

    def look(self) -> Seen:
        """Return what it is at, without a request."""
        with self._locked() as state:
            now = self._now()
            hold = max(state.hold - now, 0.0)
            rate = self.rate * state.pace
            # a pace that is nearly back is nothing that anybody would notice
            slowed, at = state.pace < 0.95, state.held_at
            return Seen(self.host, int(state.requests), state.waited, hold, int(state.status), at, rate, slowed)

    def _pause(self, seconds: float) -> None:
        """Sleep; a watch is called meanwhile."""
        while self._watch is not None and seconds > 0:
            self._watch.beat(self.look())
            self._sleep(min(seconds, _BEAT))
            seconds -= _BEAT
        if seconds > 0:
            self._sleep(seconds)

    def wait(self) -> float:
        """Wait until a request may leave, and return when that is, for `answered`.

        Raises:
            Refused: the host answered 403 within the last hour, to any process.
        """
        began = self._now()
        while True:
            with self._locked() as state:
                now = self._now()
                self._check(state, now)
                moment = max(state.next, state.hold, now)
                state.next = moment + min(1 / (self.rate * state.pace), 1 / _LEAST)
            if moment > now:
                self._pause(moment - now)
            with self._locked() as state:
                self._check(state, self._now())
                if state.hold <= moment:  # nobody was refused meanwhile
                    waited = max(moment - began, 0.0)
                    state.requests += 1
                    state.waited += waited
                    self.held += min(max(state.hold - began, 0.0), waited)
                    break
        self.requests += 1
        self.waited += waited
        return moment

    def answered(self, sent: float, status: int, retry_after: str | None = None) -> None:
        """Report the answer to the request that left at `sent`.

        Args:
            status: of HTTP; 0 for none, as after a reset.

        Raises:
            Refused: it is 403.
        """
        self.refusals += status in BUSY or not status
        with self._locked() as state:
            now = self._now()
            if status == 403:
                state.refused = now
            elif status in BUSY or not status:
                self._hold(state, sent, now, status, _seconds(retry_after, now))
            elif sent > state.held_at:
                state.wait = 0.0
                state.pace = min(state.pace * 2 ** (1 / _RECOVERS_IN), 1.0)
        if status == 403:
            raise Refused(self.host, now, now + REFUSED_FOR, self._path)
        if self._watch is not None:
            self._watch.beat(self.look())

    def _hold(self, state: _State, sent: float, now: float, status: int, asked: float | None) -> None:
        if sent <= state.held_at and asked is None:
            return  # it left before the last wait began, and says nothing new
        if sent > state.held_at:
            state.wait = min(max(2 * state.wait, self._first_wait), LONGEST_WAIT)
            if status:
                state.pace = max(state.pace / 2, _SLOWEST)
            state.held_at, state.status = now, status
        seconds = asked if asked is not None else state.wait * random.uniform(0.75, 1.25)
        state.hold = max(state.hold, now + seconds)
        state.next = max(state.next, state.hold)

    @contextlib.contextmanager
    def stream(self) -> Iterator[None]:
        """Hold one of the streams of the host while a whole file is read; wait until one is free."""
        while True:
            for number in range(self._streams):
                path = self._path.with_name(f"{self._path.name}.stream-{number}")
                with open(self._opened(path), "ab") as file:
                    try:
                        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    except BlockingIOError:
                        continue
                    yield
                    return
            self._sleep(0.1)


def _seconds(retry_after: str | None, now: float) -> float | None:
    """Return the seconds of a field Retry-After, which may be a date.

    >>> _seconds("120", 0.0), _seconds("Thu, 01 Jan 1970 00:01:00 GMT", 20.0), _seconds("soon", 0.0)
    (120.0, 40.0, None)
    """
    if not retry_after:
        return None
    text = retry_after.strip()
    if re.fullmatch(r"\d{1,9}(?:\.\d+)?", text):
        seconds = float(text)
    else:
        try:
            seconds = email.utils.parsedate_to_datetime(text).timestamp() - now
        except ValueError:
            return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)
