"""The decoders of the Encoding Standard: each error is one U+FFFD, and the rest of the text is kept.

Python's own codecs, written in C, do most of it. Against the standard's indexes (https://encoding.spec.whatwg.org, the
files of 2024-09) they differ in few places, and these are corrected here:

- A byte sequence that the codec cannot decode goes to an error handler (`_Repair`), which takes one step as the
  standard's decoder does: it returns the character of the standard's index, or U+FFFD, and the place to go on from.
- A byte sequence that the codec decodes to another character is corrected in the text (`swaps`), where only that
  sequence gives the character, or else in the bytes (`splits`).

`benchmarks/encoding_tables.py` compares all of it with the published indexes, and finds these differences again.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

BAD = "\ufffd"
_Step = Callable[[bytes, int], tuple[str, int]]

#: Encodings of one byte a character -> Python's codec.
_SINGLE = {
    "ibm866": "cp866",
    "koi8-r": "koi8_r",
    "koi8-u": "koi8_u",
    "macintosh": "mac_roman",
    "windows-874": "cp874",
    "x-mac-cyrillic": "mac_cyrillic",
    "iso-8859-8-i": "iso8859_8",
    **{f"iso-8859-{part}": f"iso8859_{part}" for part in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)},
    **{f"windows-{page}": f"cp{page}" for page in range(1250, 1259)},
}
#: What the standard has in them and Python has not. It also has the controls U+0080 to U+009F where no letter is.
_SINGLE_DIFFERENCES = {
    "koi8-u": {0xAE: "\u045e", 0xBE: "\u040e"},
    "windows-1255": {0xCA: "\u05ba"},
}

#: GB 18030 as of 2022, and U+3000 for A3 A0 (index gb18030). Python has private-use characters there.
_GB18030 = (
    "a3a0:3000 a6d9:fe10 a6da:fe12 a6db:fe11 a6dc:fe13 a6dd:fe14 a6de:fe15 a6df:fe16 a6ec:fe17 a6ed:fe18 "
    "a6f3:fe19 a8bc:1e3f fe59:9fb4 fe61:9fb5 fe66:9fb6 fe67:9fb7 fe6d:9fb8 fe7e:9fb9 fe90:9fba fea0:9fbb "
    "8135f437:e7c7"
)
#: Punctuation of Big5 (index Big5). Python has the characters of the table of HKSCS-2004.
_BIG5 = "a145:2027 a14e:fe51 a1c2:00af a1e3:ff5e a1f2:2295 a1f3:2299 a244:ffe5 a246:ffe0 a247:ffe1"
_BIG5_SPLITS = {b"\xa2\x41": "\u2215", b"\xa2\x42": "\ufe68"}
#: JIS X 0208 as Windows reads it (index jis0208).
_EUC_JP = "a1c1:ff5e a1c2:2225 a1dd:ff0d a1f1:ffe0 a1f2:ffe1 a2cc:ffe2"
#: Pointers of index Big5 that Python cannot decode: the first one of a run, and its characters.
_BIG5_MORE = """
1000:㡵𡵓𣚞𦀡㻬𥣞㫵竼龗𤅡𨤍𣇪𠪊𣉞䌊蒄龖鐯䤰蘓墖靊鈘 1023:秐稲晠権袝瑌篅枂稬剏遆㓦珄𥶹瓆鿇垳䤯呌䄱𣚎堘穲
1046:𧭥讏䚮𦺈䆁𥶙箮𢒼鿈𢓁𢓉𢓌鿉蔄𣖻䂴鿊䓡𪷿拁灮鿋 2082:箸 2088:簆 2103:糎 2114:緒 2123:縝 2148:者 2151:耨
2221:菁 2239:蒨 2244:萏 2303:覦覩 2354:起 2400:都 2413:銹 2477:靜 2498:響 2605:鼖 2673:蔃 2746:兙兛兝兞
2771:鍮 2780:瑹 2990:浧 3087:禛 3259:邗 3301:靝 3436:瀞 3451:嬨 4136:爁 4138:矗 4141:纇 4182:駖 4206:釔
4220:惞 4230:澶 4241:輶 4258:侻 4273:營 4279:鄄 4282:鷰 4294:菏 4329:尐秣 4349:婧 4419:輋 4422:筑 4494:拐
4624:恢 4694:痹 4708:汊 4742:鬮 4748:鼗 4815:僭 4828:弌 4902:蠏 4922:拎 4982:瑨 4992:煢 4997:牐
5432:␀␁␂␃␄␅␆␇␈␉␊␋␌␍␎␏␐␑␒␓␔␕␖␗␘␙␚␛␜␝␞␟␡€ 10942:廴 10946:无 10948:癶 10950:隶 10957:〃仝 19028:倩 19035:偽
19088:包 19096:卄 19112:卿 19162:嘅 19240:婷 19299:幵 19305:廐 19326:彘 19355:悤 19398:撐 19439:晴 19454:杞
19553:沜渝 19557:港 19611:煮 19643:猪 19672:瑜 19697:瓩 19748:砉
"""


def decode_as(body: bytes, encoding: str) -> str:
    """Decode bytes with the decoder of an encoding. A byte order mark is decoded as any other character.

    Args:
        encoding: a name in lower case, as `encoding_of` returns it, or `utf-32le`, `utf-32be`, `hz-gb-2312` or
            `iso-2022-kr`, which are not of the standard.

    Raises:
        LookupError: there is no such encoding.
    """
    if encoding == "utf-8":  # CPython replaces errors as the standard says
        return body.decode("utf-8", "replace")
    return _decoder(encoding)(body)


@lru_cache(maxsize=64)
def _decoder(encoding: str) -> Callable[[bytes], str]:
    if encoding in _SINGLE or encoding == "x-user-defined":
        table = _single_table(encoding)
        return lambda body: codecs.charmap_decode(body, "replace", table)[0]
    if encoding in {"utf-16le", "utf-16be"}:
        return partial(_decode_utf16, f"{encoding[:6]}-{encoding[6:]}")
    if encoding in _PLAIN:
        return lambda body: body.decode(_PLAIN[encoding], "replace")
    if encoding == "replacement":
        return lambda body: BAD if body else ""
    if encoding == "iso-2022-jp":
        return _decode_iso_2022_jp
    return _Multi.of(encoding).decode


@lru_cache(maxsize=64)
def sound_bytes(encoding: str) -> bytes:
    """Return the bytes that an encoding of one byte a character has a character for, other than U+0080 to U+009F but
    U+0085; of other encodings all bytes.
    """
    if encoding not in _SINGLE:
        return bytes(range(256))
    odd = {*range(0x80, 0xA0), 0xFFFE} - {0x85}
    return bytes(byte for byte, character in enumerate(_single_table(encoding)) if ord(character) not in odd)


_PLAIN = {"utf-32le": "utf-32-le", "utf-32be": "utf-32-be", "hz-gb-2312": "hz", "iso-2022-kr": "iso2022_kr"}


def _single_table(encoding: str) -> str:
    """Return the 256 characters of an encoding; U+FFFE, which makes the codec replace, where there is none."""
    if encoding == "x-user-defined":
        return "".join(map(chr, [*range(0x80), *range(0xF780, 0xF800)]))
    more = _SINGLE_DIFFERENCES.get(encoding, {})
    return "".join(
        more.get(byte) or _try(bytes((byte,)), _SINGLE[encoding]) or (chr(byte) if byte < 0xA0 else "\ufffe")
        for byte in range(256)
    )


def _try(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec)
    except UnicodeDecodeError:
        return None


def _decode_utf16(codec: str, body: bytes) -> str:
    """A pair that breaks off at the end, with or without half a unit behind it, is one error."""
    end = len(body) & ~1
    text = body[:end].decode(codec, "replace")
    cut = end < len(body)
    return text + BAD if cut and not (end >= 2 and _is_high(body[end - 2 : end], codec)) else text


def _is_high(unit: bytes, codec: str) -> bool:
    return unit[codec.endswith("le")] & 0xFC == 0xD8


# -- of several bytes a character ----------------------------------------------------------------


@dataclass(frozen=True)
class _Multi:
    """A decoder by a codec of Python, and what is corrected in what it returns."""

    codec: str
    errors: str  #: the name of the error handler
    swaps: dict[str, str]  #: what the codec gives -> what the standard has
    splits: dict[bytes, str]  #: byte sequences -> what the standard has
    tokens: re.Pattern[bytes]  #: the byte sequences that the standard's decoder takes together

    @classmethod
    def of(cls, encoding: str) -> _Multi:
        codec, step, differences, splits, tokens = _MULTI[encoding]
        swaps = {}
        for difference in differences.split():
            sequence, code = difference.split(":")
            by_python, character = _try(bytes.fromhex(sequence), codec), chr(int(code, 16))
            if by_python is not None and by_python != character:
                swaps[by_python] = character
        name = f"lowbackground.{encoding}"
        codecs.register_error(name, _Repair(step))
        return cls(codec, name, swaps, splits, re.compile(tokens, re.S))

    def decode(self, body: bytes) -> str:
        for sequence in self.splits:
            if sequence in body:
                return self._decode_in_parts(body)
        return self._decode_part(body)

    def _decode_part(self, body: bytes) -> str:
        text = body.decode(self.codec, self.errors)
        found = {each: new for each, new in self.swaps.items() if each in text}
        if found.keys() & found.values():  # one would undo the other
            return text.translate({ord(each): new for each, new in found.items()})
        for each, new in found.items():
            text = text.replace(each, new)
        return text

    def _decode_in_parts(self, body: bytes) -> str:
        parts, at = [], 0
        for token in self.tokens.finditer(body):
            if (character := self.splits.get(token[0])) is not None:
                parts += [self._decode_part(body[at : token.start()]), character]
                at = token.end()
        return "".join((*parts, self._decode_part(body[at:])))


@dataclass(frozen=True)
class _Repair:
    """An error handler for Python's codecs that does what the standard's decoder does at that place."""

    step: _Step

    def __call__(self, error: UnicodeError) -> tuple[str, int]:
        assert isinstance(error, UnicodeDecodeError)
        return self.step(error.object, error.start)


def _bad_pair(data: bytes, at: int) -> tuple[str, int]:
    """Return an error for two bytes; for the first one alone, if the second one is ASCII and so read again."""
    return BAD, at + (2 if data[at + 1 : at + 2] >= b"\x80" else 1)


def _step_gb18030(data: bytes, at: int) -> tuple[str, int]:
    first = data[at]
    if first == 0x80:
        return "\u20ac", at + 1
    if first == 0xFF:
        return BAD, at + 1
    rest = data[at + 1 : at + 4]
    if not b"0" <= rest[:1] <= b"9":
        return _bad_pair(data, at)
    if len(rest) == 3 and 0x81 <= rest[1] <= 0xFE and 0x30 <= rest[2] <= 0x39:
        return BAD, at + 4
    if len(rest) == 1 or (len(rest) == 2 and 0x81 <= rest[1] <= 0xFE):  # the text ends inside of it
        return BAD, len(data)
    return BAD, at + 1


def _step_big5(data: bytes, at: int) -> tuple[str, int]:
    if data[at] in {0x80, 0xFF}:
        return BAD, at + 1
    found = _big5_more().get(data[at : at + 2])
    return (found, at + 2) if found else _bad_pair(data, at)


def _step_pair(data: bytes, at: int) -> tuple[str, int]:
    """Of EUC-KR and Shift_JIS, whose indexes Python has complete."""
    return (BAD, at + 1) if data[at] in {0x80, 0xFF} else _bad_pair(data, at)


def _step_euc_jp(data: bytes, at: int) -> tuple[str, int]:
    first, second = data[at], data[at + 1 : at + 2]
    if not (first in {0x8E, 0x8F} or 0xA1 <= first <= 0xFE):
        return BAD, at + 1
    if first == 0x8F and b"\xa1" <= second <= b"\xfe":  # JIS X 0212
        third = data[at + 2 : at + 3]
        return BAD, at + (3 if third >= b"\x80" else 2)
    if 0xA1 <= first <= 0xFE and b"\xa1" <= second <= b"\xfe" and (found := _jis0208(first, second[0])):
        return found, at + 2
    return _bad_pair(data, at)


def _jis0208(first: int, second: int) -> str | None:
    """Return the character of a pair of EUC-JP, by the codec of Shift_JIS, which has the rows of NEC and IBM."""
    lead, trail = divmod((first - 0xA1) * 94 + second - 0xA1, 188)
    return _try(bytes((lead + (0x81 if lead < 0x1F else 0xC1), trail + (0x40 if trail < 0x3F else 0x41))), "cp932")


@lru_cache(maxsize=1)
def _big5_more() -> dict[bytes, str]:
    more = {}
    for run in _BIG5_MORE.split():
        start, characters = run.split(":")
        for pointer, character in enumerate(characters, int(start)):
            lead, trail = divmod(pointer, 157)
            more[bytes((lead + 0x81, trail + (0x40 if trail < 0x3F else 0x62)))] = character
    return more


_PAIRS = rb"[\x81-\xfe].|."
#: Encoding -> codec, step, differences (`bytes:code point`), splits, tokens.
_MULTI: dict[str, tuple[str, _Step, str, dict[bytes, str], bytes]] = {
    "gbk": ("gb18030", _step_gb18030, _GB18030, {}, _PAIRS),
    "gb18030": ("gb18030", _step_gb18030, _GB18030, {}, _PAIRS),
    "big5": ("big5hkscs", _step_big5, _BIG5, _BIG5_SPLITS, _PAIRS),
    "euc-kr": ("cp949", _step_pair, "", {}, _PAIRS),
    "shift_jis": ("cp932", _step_pair, "a0:fffd fd:fffd fe:fffd ff:fffd", {}, _PAIRS),
    "euc-jp": (
        "euc_jp",
        _step_euc_jp,
        _EUC_JP,
        {b"\x8f\xa2\xb7": "\uff5e"},
        rb"\x8f[\xa1-\xfe].|[\x8e\x8f\xa1-\xfe].|.",
    ),
}


# -- ISO-2022-JP ---------------------------------------------------------------------------------

_ESCAPE = re.compile(rb"\x1b(?:(\([BJI]|\$[@B])|)")
_JIS_PAIRS = re.compile(rb"((?:[\x21-\x7e]{2})+)|[\x21-\x7e]?[^\x21-\x7e]|[\x21-\x7e]", re.S)
_HIGH = bytes(byte | 0x80 for byte in range(256))


@lru_cache(maxsize=4)
def _jis_table(state: bytes) -> str:
    table = [chr(byte) if byte < 0x80 and byte not in (0x0E, 0x0F) else BAD for byte in range(256)]
    if state == b"(J":
        table[0x5C], table[0x7E] = "\u00a5", "\u203e"
    if state == b"(I":
        table = [chr(0xFF40 + byte) if 0x21 <= byte <= 0x5F else BAD for byte in range(256)]
    return "".join(table)


def _decode_iso_2022_jp(body: bytes) -> str:
    out: list[str] = []
    state, at, empty = b"(B", 0, False  # `empty`: an escape sequence was read, and nothing behind it
    while at < len(body):
        escape = body.find(b"\x1b", at)
        end = escape if escape >= 0 else len(body)
        if end > at:
            out.append(_decode_jis_run(body[at:end], state))
            empty = False
        if escape < 0:
            break
        match = _ESCAPE.match(body, escape)
        assert match
        at = match.end()
        if match[1] is None:
            out.append(BAD)
            empty = False
        else:
            out += [BAD] if empty else []
            state, empty = match[1], True
    return "".join(out)


def _decode_jis_run(run: bytes, state: bytes) -> str:
    if not state.startswith(b"$"):
        return codecs.charmap_decode(run, "strict", _jis_table(state))[0]
    euc_jp = _decoder("euc-jp")
    return "".join(euc_jp(match[1].translate(_HIGH)) if match[1] else BAD for match in _JIS_PAIRS.finditer(run))
