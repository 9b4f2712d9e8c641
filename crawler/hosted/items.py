"""The file of the items that a spider yields: `items.jsonl`. Like the WARC files it has only what was committed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from itemadapter import ItemAdapter
from scrapy.utils.serialize import ScrapyJSONEncoder

NAME = "items.jsonl"


class Items:
    """Appends items, and syncs them with each batch.

    Args:
        length: bytes that were committed; what a kill left behind them is cut.

    Raises:
        OSError: the file is shorter, or cannot be written.
    """

    def __init__(self, folder: Path, length: int) -> None:
        self._path = folder / NAME
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        if os.fstat(self._descriptor).st_size < length:
            os.close(self._descriptor)
            raise OSError(0, f"is shorter than the {length} bytes that were written to it", str(self._path))
        os.ftruncate(self._descriptor, length)
        self._length, self._synced = length, True
        self._encoder = ScrapyJSONEncoder(ensure_ascii=False)

    def encoded(self, item: Any) -> str:
        """Return an item as JSON.

        Raises:
            TypeError: it has a value that JSON has not.
        """
        return self._encoder.encode(ItemAdapter(item).asdict() if ItemAdapter.is_item(item) else item)

    def append(self, item: str, about: dict[str, Any]) -> None:
        """Append an item with what it is from."""
        line = f'{self._encoder.encode(about)[:-1]}, "item": {item}}}\n'.encode()
        rest = memoryview(line)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
        self._length += len(line)
        self._synced = False

    def sync(self) -> int:
        """Bring the items to the disk; return the length to commit."""
        if not self._synced:
            os.fsync(self._descriptor)
            self._synced = True
        return self._length

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)
