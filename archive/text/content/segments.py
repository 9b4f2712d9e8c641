"""A page as a list of segments: pieces of text between the edges of blocks, with what the tree says of them.

The tree is read from its serialised form, which the HTML standard fixes: every element has its end tag, and no
attribute has `<` or `>` in it. That takes a tenth of the time of a walk from node to node in Python.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from archive.text.content.words import BIT, bits_of, listed

#: What is in front of a segment.
NOTHING, SPACE, LINE, BLANK = range(4)

#: Elements whose text is raw, so that a `<` in it is no tag.
_RAW = frozenset(listed("script style iframe noembed noframes xmp plaintext"))
#: Elements whose text no browser shows, or that have none of the page's own.
_SKIPPED = _RAW | frozenset(
    listed("template svg object video audio canvas select textarea button datalist rp map applet")
)
#: Elements that change nothing for the text in or behind them.
_PLAIN = frozenset(
    listed(
        "area base basefont bgsound col embed frame img input keygen link meta param "
        "source track wbr u font big tt code var "
        "kbd samp sub sup abbr q s html"
    )
)
#: The break around each element that is a block.
_BREAKS = dict.fromkeys(
    listed(
        "address article aside body center dd details dialog dir div dt fieldset figcaption footer form hgroup header "
        "legend li listing main menu nav noscript optgroup option search section summary tbody thead tfoot tr caption"
    ),
    LINE,
)
_BREAKS.update(dict.fromkeys(listed("p h1 h2 h3 h4 h5 h6 ul ol dl blockquote pre table figure"), BLANK))
_BREAKS.update({"td": SPACE, "th": SPACE})
_OF_TAG = {
    "nav": BIT["navigation"],
    "aside": BIT["side"],
    "footer": BIT["foot"],
    "header": BIT["head"],
    "figcaption": BIT["captions"],
    "figure": BIT["gallery"],
    "article": BIT["article"],
    "main": BIT["content"],
    "menu": BIT["navigation"],
    "form": BIT["form"],
    "dialog": BIT["notices"],
    "time": BIT["meta"],
    "blockquote": BIT["embed"],
    "noscript": BIT["noscript"],
}
#: Bits of an inline element that make its text a segment of its own.
_APART = BIT["captions"] | BIT["credits"] | BIT["share"] | BIT["hidden"] | BIT["comments"]
#: Text in a cell up to which the next cell belongs to the same segment.
_CELL = 80

#: What a tag does.
_NOTHING, _OPEN, _CLOSE, _OPEN_INLINE, _CLOSE_INLINE, _OPEN_LINK, _CLOSE_LINK = range(7)
_OPEN_STRONG, _CLOSE_STRONG, _LINE_END, _RULE, _SKIP, _COMMENT = range(7, 13)
_Tag = tuple[int, int, int, str]  #: what it does, the break, its bits, its name
_OF_NAME: dict[str, _Tag] = {name: (_NOTHING, 0, 0, name) for name in _PLAIN}
_OF_NAME |= {"/" + name: (_NOTHING, 0, 0, name) for name in _PLAIN}
_OF_NAME |= {name: (_SKIP, 0, 0, name) for name in _SKIPPED}
_OF_NAME |= {"/" + name: (_CLOSE, wanted, 0, name) for name, wanted in _BREAKS.items()}
_OF_NAME |= {name: (_OPEN_STRONG, 0, 0, name) for name in ("b", "strong", "i", "em")}
_OF_NAME |= {"/" + name: (_CLOSE_STRONG, 0, 0, name) for name in ("b", "strong", "i", "em")}
_OF_NAME |= {"a": (_OPEN_LINK, 0, 0, "a"), "/a": (_CLOSE_LINK, 0, 0, "a"), "br": (_LINE_END, 0, 0, "br")}
_OF_NAME |= {"hr": (_RULE, 0, 0, "hr"), "body": (_OPEN, LINE, 0, "body")}
#: How many different tags are remembered.
_REMEMBERED = 50_000
_known: dict[str, _Tag] = dict(_OF_NAME)


def _read(head: str) -> _Tag:
    """Return what a tag does, by what is in front of its `>`."""
    name = head.partition(" ")[0]
    if (tag := _OF_NAME.get(name)) is not None:
        return tag
    if name.startswith("!--"):
        return _COMMENT, 0, 0, ""
    if name.startswith("/"):
        tag = (_CLOSE_INLINE, 0, 0, name)
    else:
        bits = _OF_TAG.get(name, 0)
        if len(name) != len(head) and name != "tbody":
            bits |= bits_of(head)
        tag = (_OPEN if name in _BREAKS else _OPEN_INLINE, _BREAKS.get(name, 0), bits, name)
    if len(_known) >= _REMEMBERED:
        _known.clear()
        _known.update(_OF_NAME)
    if len(head) < 300:
        _known[head] = tag
    return tag


@dataclass(slots=True)
class Segments:
    """The segments of a page, in its order, and the elements that hold them. An element comes after its parent."""

    texts: list[str] = field(default_factory=list)
    breaks: list[int] = field(default_factory=list)  #: what is in front of each
    owners: list[int] = field(default_factory=list)  #: the innermost element of each, as an index of the lists below
    links: list[int] = field(default_factory=list)  #: characters in links
    anchors: list[int] = field(default_factory=list)  #: how many links
    strong: list[int] = field(default_factory=list)  #: characters in bold or italic type
    tags: list[str] = field(default_factory=lambda: ["html"])
    parents: list[int] = field(default_factory=lambda: [0])
    bits: list[int] = field(default_factory=lambda: [0])  #: of the element alone


def segments_of(html: str) -> Segments:
    """Cut a page into segments.

    Args:
        html: the serialised body.
    """
    found = Segments()
    texts, breaks, owners, links = found.texts, found.breaks, found.owners, found.links
    anchors, strongs, tags, parents, bits = found.anchors, found.strong, found.tags, found.parents, found.bits
    at = 0  # the innermost element
    apart: list[int] = []  # of the open inline elements, whether they are elements here
    buffer: list[str] = []
    linked = counted = strong = in_link = in_strong = in_pre = 0
    gap = BLANK
    skip = ""  # the element that is skipped; `-` in a comment
    skipped = 0  # how many of its name are open
    raw = ""  # the end of raw text or of a comment
    known = _known.get

    def flush() -> None:
        nonlocal linked, counted, strong, gap
        text = "".join(buffer)
        buffer.clear()
        if "&" in text:
            text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", " ").replace("&amp;", "&")
        if in_pre:
            clean = text.replace("\r", "\n").strip()
        elif "\r" in text:
            clean = "\n".join([" ".join(line.split()) for line in text.split("\r")]).strip("\n")
        else:
            clean = " ".join(text.split())
        if clean:
            texts.append(clean)
            breaks.append(gap or (SPACE if text[0].isspace() else NOTHING))
            owners.append(at)
            links.append(linked)
            anchors.append(counted)
            strongs.append(strong)
            gap = SPACE if text[-1].isspace() else NOTHING
        elif not gap:
            gap = SPACE
        linked = counted = strong = 0

    for part in html.split("<"):
        if skip:
            if raw:
                if raw not in part if raw == "-->" else not part.startswith(raw):
                    continue
                text = part.partition(raw)[2] if raw == "-->" else part.partition(">")[2]
                raw = ""
                if skip != "-":
                    if part[1:].startswith(skip):
                        skip = ""
                    else:
                        continue
                skip = ""
            elif part.startswith("/" + skip):
                skipped -= 1
                if skipped:
                    continue
                skip, text = "", part.partition(">")[2]
            else:
                if part.startswith(skip):
                    skipped += 1
                elif part.startswith(("script", "style")):
                    raw = "/s"
                continue
        else:
            head, _, text = part.partition(">")
            does, wanted, own, name = known(head) or _read(head)
            if does == _CLOSE:
                if buffer:
                    flush()
                if gap < wanted:
                    gap = wanted
                at = parents[at]
                if name == "pre":
                    in_pre -= 1
            elif does == _OPEN:
                if buffer:
                    if wanted == SPACE and linked * 2 < sum(map(len, buffer)) < _CELL:
                        buffer.append(" ")
                    else:
                        flush()
                if gap < wanted:
                    gap = wanted
                parents.append(at)
                at = len(tags)
                tags.append(name)
                bits.append(own)
                if name == "pre":
                    in_pre += 1
            elif does == _OPEN_LINK:
                in_link += 1
                counted += 1
            elif does == _CLOSE_LINK:
                in_link -= 1
            elif does == _OPEN_INLINE:
                apart.append(own & _APART)
                if own & _APART:
                    if buffer:
                        flush()
                    parents.append(at)
                    at = len(tags)
                    tags.append(name)
                    bits.append(own)
            elif does == _CLOSE_INLINE:
                if apart and apart.pop():
                    if buffer:
                        flush()
                    at = parents[at]
            elif does == _OPEN_STRONG:
                in_strong += 1
            elif does == _CLOSE_STRONG:
                in_strong -= 1
            elif does == _LINE_END:
                if buffer and buffer[-1] == "\r" and not in_pre:
                    flush()
                    gap = BLANK
                else:
                    buffer.append("\r")
            elif does == _SKIP:
                skip, skipped = name, 1
                if name in _RAW:
                    raw = "/" + name
                continue
            elif does == _COMMENT:
                if "-->" not in part:
                    skip, raw = "-", "-->"
                    continue
                text = part.partition("-->")[2]
            elif does == _RULE and buffer:
                flush()
                gap = max(gap, LINE)
        if text:
            if not buffer and text.isspace():
                gap = gap or SPACE
                continue
            buffer.append(text if in_pre or "\r" not in text else text.replace("\r", " "))
            if in_link:
                linked += len(text)
            if in_strong:
                strong += len(text)
    if buffer:
        flush()
    return found
