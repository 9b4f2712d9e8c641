"""The kernel for a GPU: the steps of `index.minhash.kernel.sign` in PyTorch, with the same bits.

Each step is a pass over all characters, words or shingles of a chunk, and costs what it reads and writes. Counted by
hand, a byte of English text (a word is six) takes 130 bytes of memory traffic for the characters, 120 for words and
shingles, 150 for 112 permutations.

PyTorch's integers of 64 and 32 bits are signed and wrap around, so sums and products have the bits of the procedure.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from archive.errors import ArchiveError
from archive.extras import missing
from index.minhash import characters, kernel, procedure
from index.minhash.procedure import Parameters

try:
    import torch
except ImportError:  # an extra, which only a GPU needs
    torch = None

if TYPE_CHECKING:  # `sign_utf8` needs no Arrow
    import pyarrow as pa

#: UTF-8 in a chunk, if it is not one longer text. The device needs up to 50 times as much memory.
_CHUNK = 32 << 20
#: Texts in a chunk, which bound the signatures on the device.
_TEXTS = 1 << 18
#: Permuted shingles at a time: 64 MiB. More would cost memory, fewer would cost launches of kernels.
_VALUES = 1 << 24
#: Zero bytes after a chunk: so the longest character can be read at each position, and each character has a next.
_PADDING = 3
_MARK = int(characters.MARK)  # ALONE is the sign
_POINT = 0x1FFFFF


def sign(
    texts: pa.Array, parameters: Parameters = Parameters(), device: str = "cuda"
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.int32]]:
    """Compute what `index.minhash.kernel.sign` returns, on a device.

    Args:
        device: a device of PyTorch, such as cuda or cuda:1.

    Raises:
        ArchiveError: PyTorch or the device is missing.
    """
    return sign_utf8(*kernel.utf8(texts), parameters, device)


def sign_utf8(
    data: npt.NDArray[np.uint8],
    offsets: npt.NDArray[np.int64],
    parameters: Parameters = Parameters(),
    device: str = "cuda",
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.int32]]:
    """Compute what `sign` returns, of texts as `index.minhash.kernel.utf8` returns them.

    Raises:
        ArchiveError: PyTorch or the device is missing.
    """
    on = open_device(device)
    signatures = np.empty((len(offsets) - 1, parameters.hashes), np.uint16)
    counts = np.empty(len(offsets) - 1, np.int32)
    chunks = list(_chunks(offsets))
    longest = max((int(offsets[last] - offsets[first]) for first, last in chunks), default=0) + _PADDING
    powers = _powers(procedure.LETTER, longest, on), _powers(pow(procedure.LETTER, -1, 1 << 64), longest, on)
    for first, last in chunks:
        ends = torch.from_numpy(offsets[first : last + 1] - offsets[first]).to(on)
        chunk = _upload(data[offsets[first] : offsets[last]], on)
        least, sizes = _sign(chunk, ends, powers, parameters)
        signatures[first:last] = least.cpu().numpy().view(np.uint16)
        counts[first:last] = sizes.cpu().numpy()
    return signatures, counts


def _sign(
    data: torch.Tensor, ends: torch.Tensor, powers: tuple[torch.Tensor, torch.Tensor], parameters: Parameters
) -> tuple[torch.Tensor, torch.Tensor]:
    flagged, ends = _characters(data, ends)
    words, ends = _words(flagged, ends, *powers)
    del flagged  # here and below: the next step needs the memory
    shingles, counts = _shingles(words, ends, parameters.words)
    del words
    return _least(shingles, ends[:-1], counts, parameters.hashes), counts


def open_device(device: str) -> torch.device:
    """Return the device of a name.

    Raises:
        ArchiveError: PyTorch or the device is missing.
    """
    if torch is None:
        raise missing(f"archive index --device {device}", "gpu", "torch")
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError):  # the latter from a PyTorch built without CUDA
        raise ArchiveError(f"PyTorch finds no device {device!r} here: name another one, or --device cpu") from None


def _chunks(offsets: npt.NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Yield the first text of each chunk, and the one after its last."""
    first, texts = 0, len(offsets) - 1
    while first < texts:
        fit = int(np.searchsorted(offsets, offsets[first] + _CHUNK, "right")) - 1
        last = min(max(fit, first + 1), first + _TEXTS)
        yield first, last
        first = last


def _upload(data: npt.NDArray[np.uint8], on: torch.device) -> torch.Tensor:
    # through pinned memory: from Arrow's memory the driver would copy in small pieces
    padded = torch.empty(data.size + _PADDING, dtype=torch.uint8, pin_memory=on.type == "cuda")
    view = padded.numpy()
    view[: data.size] = data
    view[data.size :] = 0
    return padded.to(on, non_blocking=True)


@lru_cache(maxsize=4)
def _fold(on: torch.device) -> torch.Tensor:
    return torch.from_numpy(kernel.fold().view(np.int32)).to(on)


def _signed(value: int) -> int:
    """Return the signed integer with the same 64 bits."""
    return value - (1 << 64) if value >> 63 else value


def _powers(base: int, size: int, on: torch.device) -> torch.Tensor:
    """Return the powers 0 to size - 1 of a number."""
    powers = torch.full((size,), _signed(base), dtype=torch.int64, device=on)
    powers[0] = 1
    return powers.cumprod(0)


def _shifted(value: torch.Tensor, by: int) -> torch.Tensor:
    return (value >> by) & ((1 << (64 - by)) - 1)  # since >> repeats the sign


def _mix(value: torch.Tensor) -> torch.Tensor:
    value = value ^ _shifted(value, 33)
    value *= _signed(0xFF51AFD7ED558CCD)
    value ^= _shifted(value, 33)
    value *= _signed(0xC4CEB9FE1A85EC53)
    value ^= _shifted(value, 33)
    return value


def _nonzero(flags: torch.Tensor) -> torch.Tensor:
    return flags.nonzero().squeeze(1)


def _characters(data: torch.Tensor, ends: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the entry of each character in the table, and where texts end, counted in characters."""
    starts = _nonzero(data.view(torch.int8) >= -64)  # all bytes but 80 to BF
    letters = data[starts].int()
    # Most of most texts is ASCII, so the characters of several bytes are a sparse pass.
    long = _nonzero(letters >= 0xC0)
    lead, at = letters[long], starts[long]
    letter = lead
    for position in range(1, 4):
        letter = letter << 6 | data[at + position] & 0x3F
    more = (lead >= 0xE0).int() + (lead >= 0xF0).int()
    letter = letter >> (12 - 6 * more) & ((1 << (11 + 5 * more)) - 1)
    letters[long] = torch.where(letter < 0x110000, letter, 0)
    return _fold(data.device).index_select(0, letters), torch.searchsorted(starts, ends)


def _words(
    flagged: torch.Tensor, ends: torch.Tensor, powers: torch.Tensor, inverses: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the hash of each word, and where texts end, counted in words."""
    lasts = _nonzero(_ends_word(flagged, ends))
    # A word from s to e is Σ letter·LETTER^(e-i), so LETTER^e times the growth of Σ letter·LETTER^-i from its s to its
    # e. The sum does not grow between words: that of a word's s is that of the last word's e.
    sums = ((flagged & _POINT) * inverses[: len(flagged)]).cumsum(0)
    hashes = sums[lasts].diff(prepend=sums.new_zeros(1)) * powers[lasts]
    if (hashes == 0).any():  # the procedure drops such a word, unless it is a letter alone
        alone = (flagged < 0).cumsum(0)[lasts].diff(prepend=lasts.new_zeros(1)) > 0
        kept = alone | (hashes != 0)
        lasts, hashes = lasts[kept], hashes[kept]
    return _mix(hashes), torch.searchsorted(lasts, ends)


def _ends_word(flagged: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
    """Return, for each character but the last, whether it ends a word."""
    here, after = flagged[:-1], flagged[1:]
    cuts = torch.zeros_like(flagged, dtype=torch.bool)
    cuts[ends] = True
    ending = after <= 0  # a separator or a letter alone
    ending |= cuts[1:]
    ending |= (here < 0) & (after < _MARK)
    # A letter also ends the word of marks that follow a letter alone, which is the character before their run.
    marks = _nonzero(here >= _MARK)
    heads = (marks.diff(prepend=marks.new_full((1,), -2)) != 1) | cuts[marks]
    first = marks[heads][heads.cumsum(0) - 1]
    alone = (flagged[first - 1] < 0) & ~cuts[first]
    ending[marks] |= alone & (after[marks] < _MARK)
    ending &= here != 0
    return ending


def _shingles(words: torch.Tensor, ends: torch.Tensor, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the upper half of the shingle that begins at each word, and how many shingles each text has.

    No shingle begins at the last words of a text; their values are not used.
    """
    starts, sizes = ends[:-1], ends.diff()
    factor = _signed(procedure.WORD)
    padded = torch.cat([words, words.new_zeros(width)])
    shingles = torch.full_like(words, width)
    for position in range(width):
        shingles = torch.add(padded[position : position + len(words)], shingles, alpha=factor)
    short = _nonzero((sizes > 0) & (sizes < width))
    shingle, first = sizes[short], starts[short]
    for position in range(width - 1):
        longer = shingle * factor + padded[first + position]
        shingle = torch.where(sizes[short] > position, longer, shingle)
    shingles[first] = shingle
    counts = torch.maximum(sizes - width + 1, sizes.clamp(max=1))
    return (_mix(shingles) >> 32).int(), counts


def _least(shingles: torch.Tensor, starts: torch.Tensor, counts: torch.Tensor, hashes: int) -> torch.Tensor:
    """Return the low 16 bits of the least value of each permutation over the shingles of each text."""
    on = shingles.device
    texts = len(counts)
    drawn = (np.array(numbers, np.uint32) for numbers in procedure.permutations(hashes))
    factors, summands = (torch.from_numpy(numbers.view(np.int32)).to(on) for numbers in drawn)
    summands ^= -(1 << 31)  # adds 2^31, after which the signed order is the unsigned one; the low bits stay
    # Each text is filled up to complete rows with its last shingle, which changes no minimum. So most minima are those
    # of a plain tensor. The rest are atomic; of integers, their order changes nothing.
    mean = int(counts.sum()) // max(int((counts > 0).sum()), 1)
    row = min(1 << max((mean // 4).bit_length() - 1, 0), 64)
    rows = (counts + (row - 1)) // row
    text = torch.repeat_interleave(torch.arange(texts, device=on), rows)
    first = (torch.arange(len(text), device=on) - (rows.cumsum(0) - rows)[text]) * row
    positions = first[:, None] + torch.arange(row, device=on)
    positions = torch.minimum(positions, counts[text, None] - 1) + starts[text, None]
    filled = shingles[positions][:, :, None]
    least = torch.full((texts, hashes), (1 << 31) - 1, dtype=torch.int32, device=on)
    some = max(_VALUES // (row * hashes), 1)
    for at in range(0, len(text), some):
        values = torch.addcmul(summands, filled[at : at + some], factors).amin(1)
        least.scatter_reduce_(0, text[at : at + some, None].expand_as(values), values, "amin")
    least[counts == 0] = 0
    return least.short()
