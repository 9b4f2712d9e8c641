"""An object of S3 as a raw file: the same bytes wherever somebody seeks, and few requests where nobody does."""

from __future__ import annotations

import io
import random

import pyarrow as pa
import pytest

from archive.sources import s3

DATA = random.Random(1).randbytes(300_000)


class Counted(pa.PythonFile):
    """An Arrow file that counts the requests and their bytes."""

    asked: list[int]

    def read(self, size: int) -> bytes:
        self.asked.append(size)
        return super().read(size)


def opened(buffer: int = 1000) -> tuple[io.BufferedReader, Counted]:
    file = Counted(io.BytesIO(DATA), mode="r")
    file.asked = []
    return io.BufferedReader(s3._ReadAhead(file), buffer), file


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "_FIRST", 1000)
    monkeypatch.setattr(s3, "_LARGEST", 16_000)


def test_each_request_asks_for_twice_as_much_until_somebody_seeks() -> None:
    reader, file = opened()
    while reader.read(700):
        pass
    assert file.asked[:7] == [1000, 2000, 4000, 8000, 16_000, 16_000, 16_000]
    reader.seek(5)
    reader.read(10)
    assert file.asked[-1] == 1000


def test_bytes_and_positions_are_those_of_the_object() -> None:
    reader, _ = opened()
    plain = io.BytesIO(DATA)
    noise = random.Random(2)
    for _ in range(2000):
        if noise.random() < 0.3:
            whence = noise.choice([io.SEEK_SET, io.SEEK_CUR, io.SEEK_END])
            offset = {io.SEEK_SET: noise.randrange(len(DATA)), io.SEEK_END: -noise.randrange(len(DATA))}.get(
                whence, noise.randrange(5000)
            )
            assert reader.seek(offset, whence) == plain.seek(offset, whence)
        size = noise.choice([1, 10, 999, 1000, 1001, 5000])
        assert reader.read(size) == plain.read(size)
        assert reader.tell() == plain.tell()
