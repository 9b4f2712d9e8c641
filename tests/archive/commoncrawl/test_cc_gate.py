"""All processes of a machine share one budget for each host, and obey what it answers."""

from __future__ import annotations

import multiprocessing
import random
import struct
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archive.commoncrawl.gate import LONGEST_WAIT, REFUSED_FOR, Gate, Refused
from archive.errors import SourceError


class Clock:
    """A clock that goes on only while somebody sleeps."""

    def __init__(self) -> None:
        self.now, self.slept = 1_000_000.0, 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gate(tmp_path: Path, clock: Clock) -> Callable[..., Gate]:
    def make(rate: float = 1.0, streams: int = 2) -> Gate:
        return Gate(tmp_path / "gates", "data.example:80", rate, streams, clock, clock.sleep)

    return make


def test_requests_leave_one_after_the_other_at_the_rate(gate: Callable[..., Gate], clock: Clock) -> None:
    one, two = gate(2.0), gate(2.0)
    sent = [each.wait() for _ in range(10) for each in (one, two)]
    gaps = [b - a for a, b in pairwise(sent)]
    assert gaps == pytest.approx([0.5] * 19)
    assert one.requests == two.requests == 10
    assert one.waited + two.waited == pytest.approx(9.5)


def test_time_without_requests_is_not_saved_up(gate: Callable[..., Gate], clock: Clock) -> None:
    one = gate(1.0)
    one.wait()
    clock.now += 100
    first, second = one.wait(), one.wait()
    assert second - first == pytest.approx(1.0)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_server_slows_everybody_and_longer_each_time(
    gate: Callable[..., Gate], clock: Clock, status: int
) -> None:
    one, other = gate(1000.0), gate(1000.0)
    waits = []
    for _ in range(9):
        sent = one.wait()
        one.answered(sent, status)
        before = clock.now
        waits.append(other.wait() - before)
    for number, wait in enumerate(waits):
        expected = min(2.0**number, LONGEST_WAIT)
        assert 0.75 * expected - 0.01 <= wait <= 1.25 * expected + 1, waits


def test_retry_after_counts_more_than_the_doubling(gate: Callable[..., Gate], clock: Clock) -> None:
    one = gate(1000.0)
    one.answered(one.wait(), 429, "17")
    before = clock.now
    assert gate(1000.0).wait() - before == pytest.approx(17, abs=0.1)


def test_requests_that_were_already_on_their_way_do_not_double_the_wait(
    gate: Callable[..., Gate], clock: Clock
) -> None:
    one = gate(1000.0)
    sent = [one.wait() for _ in range(8)]
    for each in sent:
        one.answered(each, 503)
    before = clock.now
    assert one.wait() - before < 1.5


def test_good_answers_bring_the_rate_back(gate: Callable[..., Gate], clock: Clock) -> None:
    one = gate(10.0)
    one.answered(one.wait(), 503)
    one.answered(one.wait(), 200)
    first, second = one.wait(), one.wait()
    assert second - first == pytest.approx(0.2, rel=0.05), "half the rate"
    for _ in range(120):
        one.answered(one.wait(), 200)
    first, second = one.wait(), one.wait()
    assert second - first == pytest.approx(0.1)


def test_a_server_with_a_lower_limit_gets_few_requests_too_many(gate: Callable[..., Gate], clock: Clock) -> None:
    one, allowed, recent, busy = gate(20.0), 5, list[float](), 0
    for _ in range(2000):
        sent = one.wait()
        recent = [at for at in recent if at > sent - 1] + [sent]
        busy += len(recent) > allowed
        one.answered(sent, 503 if len(recent) > allowed else 200)
    assert busy <= 0.02 * 2000


def test_a_reset_makes_everybody_wait_but_does_not_slow_the_rate(gate: Callable[..., Gate], clock: Clock) -> None:
    one = gate(10.0)
    one.answered(one.wait(), 0)
    before = clock.now
    assert 0.7 < one.wait() - before < 1.3
    first, second = one.wait(), one.wait()
    assert second - first == pytest.approx(0.1)


def test_403_stops_everybody_and_is_remembered(gate: Callable[..., Gate], clock: Clock) -> None:
    one = gate(1.0)
    with pytest.raises(Refused, match=r"403.*nothing is lost"):
        one.answered(one.wait(), 403)
    clock.now += REFUSED_FOR - 10
    other = gate(1.0)
    for ask in (other.wait, other.check, one.wait):
        with pytest.raises(Refused, match=r"data\.example:80 answered 403 at 1970-01-12"):
            ask()
    clock.now += 11
    other.wait()


def test_a_clock_that_is_set_back_does_not_stop_requests(gate: Callable[..., Gate], clock: Clock) -> None:
    one = gate(1.0)
    one.wait()
    clock.now -= 10 * 86_400
    one.wait()
    assert clock.slept < 2


def test_a_rate_that_sends_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="requests a second"):
        Gate(tmp_path, "x", 0.0)


@given(text=st.text())
def test_whatever_retry_after_says_the_wait_has_an_end(text: str) -> None:
    from archive.commoncrawl.gate import LONGEST_RETRY_AFTER, _seconds

    seconds = _seconds(text, time.time())
    assert seconds is None or 0 <= seconds <= LONGEST_RETRY_AFTER


def test_no_more_streams_than_allowed_are_open_at_once(tmp_path: Path) -> None:
    open_now, most, lock = 0, 0, threading.Lock()

    def read() -> None:
        nonlocal open_now, most
        with Gate(tmp_path, "host", 1e6, streams=2, sleep=lambda _: time.sleep(0.002)).stream():
            with lock:
                open_now += 1
                most = max(most, open_now)
            time.sleep(0.01)
            with lock:
                open_now -= 1

    threads = [threading.Thread(target=read) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 2


def _send(folder: Path, count: int, sent: multiprocessing.Queue[float]) -> None:
    gate = Gate(folder, "host", 200.0)
    for _ in range(count):
        gate.wait()
        sent.put(time.time())
        time.sleep(random.uniform(0, 0.002))


def test_four_processes_keep_one_rate(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    sent: multiprocessing.Queue[float] = context.Queue()
    workers = [context.Process(target=_send, args=(tmp_path, 25, sent)) for _ in range(4)]
    for worker in workers:
        worker.start()
    times = sorted(sent.get(timeout=20) for _ in range(100))
    for worker in workers:
        worker.join()
    assert times[-1] - times[0] >= 99 / 200 * 0.95


@pytest.mark.parametrize("rate", [float("nan"), float("inf"), -1.0, 1e-9])
def test_a_rate_that_is_none_is_refused_and_leaves_no_trace_for_others(gate: Callable[..., Gate], rate: float) -> None:
    with pytest.raises(SourceError, match="requests a second"):
        gate(rate)
    one = gate(1.0)
    assert [b - a for a, b in pairwise([one.wait() for _ in range(4)])] == pytest.approx([1.0] * 3)


def test_a_file_of_a_gate_with_numbers_that_are_none_counts_as_none(gate: Callable[..., Gate]) -> None:
    one = gate(1.0)
    one._path.write_bytes(struct.pack("<10d", *[float("nan")] * 10))
    assert [b - a for a, b in pairwise([one.wait() for _ in range(4)])] == pytest.approx([1.0] * 3)


def test_long_waits_are_kept_however_long(gate: Callable[..., Gate]) -> None:
    """Sixty workers at a rate of one in 100 s wait for more than an hour, and no clock was set back."""
    slow = gate(0.01)
    with slow._locked() as state:
        state.next = slow._now() + 6000.0
    slow.wait()
    assert slow.waited == pytest.approx(6000.0)


def test_a_clock_that_is_set_back_sets_the_waits_back_too(gate: Callable[..., Gate], clock: Clock) -> None:
    one = gate(1.0)
    sent = one.wait()
    with pytest.raises(Refused):
        one.answered(sent, 403)
    clock.now -= 7200.0
    with pytest.raises(Refused):
        one.wait()
    clock.now += REFUSED_FOR + 1
    assert one.wait() <= clock.now + 2
