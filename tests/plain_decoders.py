"""The decoders of the Encoding Standard, byte after byte as it describes them, for comparison."""

from __future__ import annotations

from collections.abc import Callable, Mapping

Index = Mapping[int, str]
BAD = "\ufffd"


class Queue:
    """The standard's I/O queue: bytes are read from its front, and can be restored to it."""

    def __init__(self, data: bytes) -> None:
        self.bytes = list(reversed(data))

    def read(self) -> int | None:
        return self.bytes.pop() if self.bytes else None

    def restore(self, *these: int) -> None:
        self.bytes += reversed(these)


def _two_bytes(
    data: bytes, is_lead: Callable[[int], bool], single: Callable[[int], str], pair: Callable[[int, int], str | None]
) -> str:
    queue, out = Queue(data), []
    while (byte := queue.read()) is not None:
        if not is_lead(byte):
            out.append(single(byte))
            continue
        trail = queue.read()
        found = pair(byte, trail) if trail is not None else None
        if found is None and trail is not None and trail < 0x80:
            queue.restore(trail)
        out.append(found or BAD)
    return "".join(out)


def big5(data: bytes, index: Index) -> str:
    two = {1133: "\u00ca\u0304", 1135: "\u00ca\u030c", 1164: "\u00ea\u0304", 1166: "\u00ea\u030c"}

    def pair(lead: int, byte: int) -> str | None:
        if not (0x40 <= byte <= 0x7E or 0xA1 <= byte <= 0xFE):
            return None
        pointer = (lead - 0x81) * 157 + byte - (0x40 if byte < 0x7F else 0x62)
        return two.get(pointer) or index.get(pointer)

    return _two_bytes(data, lambda b: 0x81 <= b <= 0xFE, lambda b: chr(b) if b < 0x80 else BAD, pair)


def euc_kr(data: bytes, index: Index) -> str:
    def pair(lead: int, byte: int) -> str | None:
        return index.get((lead - 0x81) * 190 + byte - 0x41) if 0x41 <= byte <= 0xFE else None

    return _two_bytes(data, lambda b: 0x81 <= b <= 0xFE, lambda b: chr(b) if b < 0x80 else BAD, pair)


def shift_jis(data: bytes, jis0208: Index) -> str:
    def single(byte: int) -> str:
        if byte <= 0x80:
            return chr(byte)
        return chr(0xFF61 - 0xA1 + byte) if 0xA1 <= byte <= 0xDF else BAD

    def pair(lead: int, byte: int) -> str | None:
        if not (0x40 <= byte <= 0x7E or 0x80 <= byte <= 0xFC):
            return None
        pointer = (lead - (0x81 if lead < 0xA0 else 0xC1)) * 188 + byte - (0x40 if byte < 0x7F else 0x41)
        return chr(0xE000 - 8836 + pointer) if 8836 <= pointer <= 10715 else jis0208.get(pointer)

    return _two_bytes(data, lambda b: 0x81 <= b <= 0x9F or 0xE0 <= b <= 0xFC, single, pair)


def euc_jp(data: bytes, jis0208: Index, jis0212: Index) -> str:
    queue, out, lead, is_jis0212 = Queue(data), [], 0, False
    while True:
        byte = queue.read()
        if byte is None:
            return "".join(out) + (BAD if lead else "")
        if lead == 0x8E and 0xA1 <= byte <= 0xDF:
            out.append(chr(0xFF61 - 0xA1 + byte))
            lead = 0
        elif lead == 0x8F and 0xA1 <= byte <= 0xFE:
            lead, is_jis0212 = byte, True
        elif lead:
            found = None
            if 0xA1 <= lead <= 0xFE and 0xA1 <= byte <= 0xFE:
                found = (jis0212 if is_jis0212 else jis0208).get((lead - 0xA1) * 94 + byte - 0xA1)
            lead, is_jis0212 = 0, False
            if found is None and byte < 0x80:
                queue.restore(byte)
            out.append(found or BAD)
        elif byte < 0x80:
            out.append(chr(byte))
        elif byte in (0x8E, 0x8F) or 0xA1 <= byte <= 0xFE:
            lead = byte
        else:
            out.append(BAD)


def iso_2022_jp(data: bytes, jis0208: Index) -> str:
    queue, out = Queue(data), []
    state = output_state = "ascii"
    lead, output = 0, False
    escapes = {(0x28, 0x42): "ascii", (0x28, 0x4A): "roman", (0x28, 0x49): "katakana"}
    escapes |= {(0x24, 0x40): "lead", (0x24, 0x42): "lead"}
    while True:
        byte = queue.read()
        if state == "escape start":
            if byte in (0x24, 0x28):
                lead, state = byte, "escape"
                continue
            if byte is not None:
                queue.restore(byte)
            output, state = False, output_state
            out.append(BAD)
        elif state == "escape":
            first, lead = lead, 0
            if byte is not None and (new := escapes.get((first, byte))):
                state = output_state = new
                if output:
                    out.append(BAD)
                output = True
                continue
            queue.restore(first, *([] if byte is None else [byte]))
            output, state = False, output_state
            out.append(BAD)
        elif state == "trail":
            if byte is not None and 0x21 <= byte <= 0x7E:
                state = "lead"
                out.append(jis0208.get((lead - 0x21) * 94 + byte - 0x21, BAD))
            else:
                state = "escape start" if byte == 0x1B else "lead"
                out.append(BAD)
        elif byte is None:
            return "".join(out)
        elif byte == 0x1B:
            state = "escape start"
        elif state == "lead":
            output = False
            if 0x21 <= byte <= 0x7E:
                lead, state = byte, "trail"
            else:
                out.append(BAD)
        elif state == "katakana":
            output = False
            out.append(chr(0xFF61 - 0x21 + byte) if 0x21 <= byte <= 0x5F else BAD)
        else:
            output = False
            roman = {0x5C: "\u00a5", 0x7E: "\u203e"} if state == "roman" else {}
            good = byte < 0x80 and byte not in (0x0E, 0x0F)
            out.append(roman.get(byte, chr(byte)) if good else BAD)


def gb18030(data: bytes, index: Index, ranges: Callable[[int], str | None]) -> str:
    queue, out = Queue(data), []
    first = second = third = 0
    while True:
        byte = queue.read()
        if byte is None:
            return "".join(out) + (BAD if first or second or third else "")
        if third:
            if not 0x30 <= byte <= 0x39:
                queue.restore(second, third, byte)
                first = second = third = 0
                out.append(BAD)
                continue
            found = ranges((first - 0x81) * 12600 + (second - 0x30) * 1260 + (third - 0x81) * 10 + byte - 0x30)
            first = second = third = 0
            out.append(found or BAD)
        elif second:
            if 0x81 <= byte <= 0xFE:
                third = byte
                continue
            queue.restore(second, byte)
            first = second = 0
            out.append(BAD)
        elif first:
            if 0x30 <= byte <= 0x39:
                second = byte
                continue
            lead, first, found = first, 0, None
            if 0x40 <= byte <= 0x7E or 0x80 <= byte <= 0xFE:
                found = index.get((lead - 0x81) * 190 + byte - (0x40 if byte < 0x7F else 0x41))
            if found is None and byte < 0x80:
                queue.restore(byte)
            out.append(found or BAD)
        elif byte < 0x80:
            out.append(chr(byte))
        elif byte == 0x80:
            out.append("\u20ac")
        elif byte <= 0xFE:
            first = byte
        else:
            out.append(BAD)


def utf_16(data: bytes, big: bool) -> str:
    queue, out = Queue(data), []
    lead: int | None = None
    high: int | None = None
    while True:
        byte = queue.read()
        if byte is None:
            return "".join(out) + (BAD if lead is not None or high is not None else "")
        if lead is None:
            lead = byte
            continue
        unit = (lead << 8) + byte if big else (byte << 8) + lead
        lead = None
        if high is not None:
            before, high = high, None
            if 0xDC00 <= unit <= 0xDFFF:
                out.append(chr(0x10000 + ((before - 0xD800) << 10) + unit - 0xDC00))
                continue
            queue.restore(*((unit >> 8, unit & 0xFF) if big else (unit & 0xFF, unit >> 8)))
            out.append(BAD)
        elif 0xD800 <= unit <= 0xDBFF:
            high = unit
        else:
            out.append(BAD if 0xDC00 <= unit <= 0xDFFF else chr(unit))


def utf_8(data: bytes) -> str:
    queue, out = Queue(data), []
    code = seen = needed = 0
    lower, upper = 0x80, 0xBF
    while True:
        byte = queue.read()
        if byte is None:
            return "".join(out) + (BAD if needed else "")
        if not needed:
            if byte < 0x80:
                out.append(chr(byte))
            elif 0xC2 <= byte <= 0xDF:
                needed, code = 1, byte & 0x1F
            elif 0xE0 <= byte <= 0xEF:
                lower = 0xA0 if byte == 0xE0 else lower
                upper = 0x9F if byte == 0xED else upper
                needed, code = 2, byte & 0xF
            elif 0xF0 <= byte <= 0xF4:
                lower = 0x90 if byte == 0xF0 else lower
                upper = 0x8F if byte == 0xF4 else upper
                needed, code = 3, byte & 0x7
            else:
                out.append(BAD)
            continue
        if not lower <= byte <= upper:
            code = needed = seen = 0
            lower, upper = 0x80, 0xBF
            queue.restore(byte)
            out.append(BAD)
            continue
        lower, upper = 0x80, 0xBF
        code = (code << 6) | (byte & 0x3F)
        seen += 1
        if seen == needed:
            out.append(chr(code))
            code = needed = seen = 0
