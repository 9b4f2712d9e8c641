"""How many bits a character of a text takes, with a dictionary that zstd has learned from set A, and without."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import zstandard

_LEVEL = 3
#: Bytes of a dictionary, at most and at least; otherwise this part of what it is learned from.
_MOST, _LEAST, _PART = 112_640, 1_024, 10
#: Of a frame, what does not depend on the text.
_BARE = {"write_checksum": 0, "write_content_size": 0, "write_dict_id": 0}

Texts = Sequence[bytes]


def fit(texts: Texts) -> Callable[[Texts], dict[str, float]]:
    """Learn a dictionary; return a function that measures texts.

    A set of which zstd learns nothing (it is too small, or has nothing that recurs) gives NaN.
    """
    size = min(max(sum(map(len, texts)) // _PART, _LEAST), _MOST)
    try:
        learned = zstandard.train_dictionary(size, list(texts), level=_LEVEL)
    except (zstandard.ZstdError, ValueError):
        return lambda _: {"zstd-bits": np.nan, "zstd-saved": np.nan}
    learned.precompute_compress(level=_LEVEL)
    helped, alone = _compressor(learned), _compressor(None)

    def measure(texts: Texts) -> dict[str, float]:
        characters = sum(len(text.decode()) for text in texts)
        with_it, without = (sum(len(each.compress(text)) for text in texts) for each in (helped, alone))
        return {"zstd-bits": 8 * with_it / characters, "zstd-saved": 1 - with_it / without}

    return measure


def _compressor(learned: zstandard.ZstdCompressionDict | None) -> zstandard.ZstdCompressor:
    parameters = zstandard.ZstdCompressionParameters.from_level(
        _LEVEL, format=zstandard.FORMAT_ZSTD1_MAGICLESS, **_BARE
    )
    return zstandard.ZstdCompressor(dict_data=learned, compression_params=parameters)
