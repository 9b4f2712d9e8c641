"""Compare a proof of `archive certify` with the record that it cites."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import numpy as np

from archive.capture import Capture
from archive.evidence.grade import CONTRADICTED
from query.verify.bounds import KINDS, FileBounds, compare_moment
from query.verify.result import Finding

#: A similarity that was estimated from signatures may be off by five of its standard errors.
_OFF = 0.2


def compare_proof(
    citation: Mapping[str, Any], outcome: Capture, texts: Iterator[str], bounds: FileBounds | None = None
) -> Finding:
    """Compare a proof with a record.

    Args:
        outcome: what the record is now.
        texts: the texts that the extractors take from it; which one the lake had is not stated.
        bounds: by when the file existed, for a proof whose date is such a bound.
    """
    row = citation["row"]
    is_bound = rests_on_bound(citation, outcome.dated.captured_at)

    def differs(why: str) -> Finding:
        return Finding(row, "differs", why)

    if outcome.integrity == CONTRADICTED:
        return differs("the record is altered: it is not what its digests say")
    if outcome.dated.problem and not is_bound:
        return differs(f"the date of the record proves nothing: {outcome.dated.problem}")
    compared: dict[str, tuple[Any, Any]] = {
        "url": (citation["url"], outcome.url),
        "digest": digests(citation, outcome),
    }
    if not is_bound:
        compared["date"] = (citation["captured_at"], outcome.dated.captured_at)
    if citation["grade"] is not None and not is_bound:
        compared["kind of date"] = (citation["date_source"], outcome.dated.source)
    if wrong := compare_values(row, compared):
        return wrong
    if is_bound:
        if late := compare_moment_of_proof(citation, bounds):
            return late
    elif (grade := citation["grade"]) not in {None, outcome.grade}:
        if grade in {"A", "B"} and outcome.grade in {"C", "D"}:
            return Finding(row, "unchecked", f"grade: {grade} rests on more than the record, which has {outcome.grade}")
        return differs(f"grade: the row says {grade}, the record {outcome.grade}")
    elif wrong := compare_needs(citation, outcome.grade, outcome.dated.source, bounds):
        return wrong
    if outcome.record_type == "revisit":
        return Finding(row, "unchecked", "the proof is a revisit: which record has its text is not stated")
    return compare_texts(citation, texts)


def digests(citation: Mapping[str, Any], outcome: Capture) -> tuple[str | None, str | None]:
    """Return the digest that is cited, and the record's: of a body in chunks the one with them, where that is cited."""
    cited = citation["payload_digest"]
    return cited, cited if cited is not None and cited == outcome.transfer_digest else outcome.payload_digest


def compare_values(row: int, compared: Mapping[str, tuple[Any, Any]]) -> Finding | None:
    """Compare what a row says with what its record says, by name; None where all of it is the same."""
    for name, (claimed, there) in compared.items():
        if claimed != there:
            return Finding(row, "differs", f"{name}: the row says {claimed}, the record {there}")
    return None


def compare_needs(
    citation: Mapping[str, Any], grade: str, source: str | None, bounds: FileBounds | None
) -> Finding | None:
    """Compare what a record proves with what was asked for; None where it is enough.

    Paragraphs and passages state neither their grade nor the kind of their date. So the record, or a bound of its file,
    must have what the arguments ask of each proof.
    """
    row, claim = citation["row"], json.loads(citation["claim"])
    least, sources = claim["grade"], claim["date_sources"]
    if citation["grade"] is not None or (grade <= least and source in (sources or [source])):
        return None
    late = compare_moment_of_proof(citation, bounds)
    if late is None or late.kind == "unchecked":
        return late
    if sources and source not in sources:
        return Finding(row, "differs", f"kind of date: {', '.join(sources)} count, the record has {source}")
    if grade in {"C", "D"}:  # the lines of an index may give it a better one
        return Finding(row, "unchecked", f"grade: {least} rests on more than the record, which has {grade}")
    return Finding(row, "differs", f"grade: proofs have {least} or better, the record {grade}")


def compare_moment_of_proof(citation: Mapping[str, Any], bounds: FileBounds | None) -> Finding | None:
    """Compare a proof that rests on a bound of its file with these bounds; None where one of them proves it."""
    row, kind, grade = citation["row"], citation["date_source"], citation["grade"]
    if kind in KINDS and grade not in ({"A"} if kind == "attested" else {"B", "D", "E"}):
        return Finding(row, "differs", f"grade: the row says {grade}, and its date is {kind}")
    if grade is None:  # that of a paragraph or a passage, see `compare_needs`
        claim = json.loads(citation["claim"])
        if claim["date_sources"] and not KINDS.intersection(claim["date_sources"]):
            return Finding(row, "differs", f"kind of date: only {', '.join(claim['date_sources'])} count")
        return compare_moment({**citation, "grade": claim["grade"]}, bounds)
    own = {**citation, "grade": "D"} if grade == "B" else citation
    if (wrong := compare_moment(own, bounds)) or grade != "B":
        return wrong
    return Finding(row, "unchecked", "grade: B rests on more than the file, which has D")


def rests_on_bound(citation: Mapping[str, Any], own: datetime | None) -> bool:
    """Return whether the date of a proof is a bound of its file. A paragraph does not state its kind: then it is one
    where the record itself has another date, `own`."""
    kind = citation["date_source"]
    return kind in KINDS or (kind is None and citation["captured_at"] != own)


def compare_texts(citation: Mapping[str, Any], texts: Iterator[str]) -> Finding:
    """Compare the text of a row, or a paragraph of it, with the texts that a record may give.

    What is near must be so by its words and by its characters, and each similarity must be the one that is stated. A
    paragraph states only that of its words, and an estimate rests on no characters.
    """
    from index.certify.characters import compare_texts as compare_characters
    from index.minhash.kernel import jaccard, shared, shingle_set
    from index.minhash.procedure import Parameters

    claim = json.loads(citation["claim"])
    own, stated = claim["text"], claim["similarity"]
    if claim["passage"]:
        start, end = claim["passage"]
        return _compare_passage(citation["row"], own, start, end, texts)
    parameters = Parameters(words=claim["words"], threshold=claim["threshold"])
    found: list[float] = []
    by_characters: list[float] = []  # where the words are as alike as stated
    for text in texts:
        for part in text.split("\n") if claim["is_paragraph"] else [text]:
            if claim["kind"] == "exact":
                if part == own:
                    return Finding(citation["row"], "agrees")
                continue
            one, other = shingle_set(own, parameters), shingle_set(part, parameters)
            similarity, common = jaccard(one, other), int(shared(one, other))
            is_near = bool(parameters.near(common, len(one) + len(other) - common))
            if claim["estimated"] and isinstance(stated, float) and abs(similarity - stated) <= _OFF:
                return Finding(citation["row"], "agrees")
            if is_near and not claim["estimated"] and _is(stated, similarity):
                common, total = compare_characters(own, part)
                by_characters.append(common / total if total else 0.0)
                as_stated = claim["is_paragraph"] or _is(claim["characters"], by_characters[-1])
                if parameters.near(common, total) and as_stated:
                    return Finding(citation["row"], "agrees")
            found.append(similarity)
    if claim["kind"] == "exact":
        return Finding(citation["row"], "differs", "text: the record gives another, by any extractor that is here")
    if by_characters:
        says = f"{claim['characters']}" if not claim["is_paragraph"] else f"at least {claim['threshold']}"
        why = f"characters: the row says {says}, those of the record's text are alike by {max(by_characters):.4f}"
        return Finding(citation["row"], "differs", why)
    best = max(found, default=0.0)
    why = f"similarity: the row says {stated}, the text of the record has at most {best:.4f}"
    return Finding(citation["row"], "differs", why)


def _compare_passage(row: int, own: str, start: int, end: int, texts: Iterator[str]) -> Finding:
    """Compare a passage with the texts that a record may give: one must have each of its words in a run of words."""
    from index.passages.kernel import Question, words_of

    question = Question(own)
    words = question.words
    first = np.searchsorted(words.starts, len(own[:start].encode("utf-8", "replace")))
    behind = np.searchsorted(words.ends, len(own[:end].encode("utf-8", "replace")), "right")
    for text in texts:
        shared = np.zeros(len(words), bool)
        for begin, after, _ in question.shared(words_of(np.frombuffer(text.encode("utf-8", "replace"), np.uint8))):
            shared[begin:after] = True
        if first < behind and shared[first:behind].all():
            return Finding(row, "agrees")
    return Finding(row, "differs", "a passage: the text of the record does not have its words")


def _is(stated: Any, similarity: float) -> bool:
    return isinstance(stated, float) and abs(similarity - stated) < 1e-9
