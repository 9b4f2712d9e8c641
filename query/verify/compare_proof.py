"""Compare a proof of `archive certify` with the record that it cites."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from archive.capture import Capture
from archive.evidence.grade import CONTRADICTED
from query.verify.result import Finding

#: A similarity that was estimated from signatures may be off by five of its standard errors.
_OFF = 0.2


def compare_proof(citation: Mapping[str, Any], outcome: Capture, texts: Iterator[str]) -> Finding:
    """Compare a proof with a record.

    Args:
        outcome: what the record is now.
        texts: the texts that the extractors take from it; which one the lake had is not stated.
    """
    row = citation["row"]

    def differs(why: str) -> Finding:
        return Finding(row, "differs", why)

    if outcome.integrity == CONTRADICTED:
        return differs("the record is altered: it is not what its digests say")
    if outcome.dated.problem:
        return differs(f"the date of the record proves nothing: {outcome.dated.problem}")
    compared = {
        "url": (citation["url"], outcome.url),
        "date": (citation["captured_at"], outcome.dated.captured_at),
        "digest": (citation["payload_digest"], outcome.payload_digest),
    }
    if citation["grade"] is not None:
        compared["kind of date"] = (citation["date_source"], outcome.dated.source)
    for name, (claimed, there) in compared.items():
        if claimed != there:
            return differs(f"{name}: the row says {claimed}, the record {there}")
    if (grade := citation["grade"]) not in {None, outcome.grade}:
        if grade in {"A", "B"} and outcome.grade in {"C", "D"}:
            return Finding(row, "unchecked", f"grade: {grade} rests on more than the record, which has {outcome.grade}")
        return differs(f"grade: the row says {grade}, the record {outcome.grade}")
    if outcome.record_type == "revisit":
        return Finding(row, "unchecked", "the proof is a revisit: which record has its text is not stated")
    return compare_texts(citation, texts)


def compare_texts(citation: Mapping[str, Any], texts: Iterator[str]) -> Finding:
    """Compare the text of a row, or a paragraph of it, with the texts that a record may give."""
    from index.minhash.kernel import jaccard, shared, shingle_set
    from index.minhash.procedure import Parameters

    claim = json.loads(citation["claim"])
    own, stated = claim["text"], claim["similarity"]
    parameters = Parameters(words=claim["words"], threshold=claim["threshold"])
    found = []
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
            if is_near and isinstance(stated, float) and abs(similarity - stated) < 1e-9:
                return Finding(citation["row"], "agrees")
            found.append(similarity)
    if claim["kind"] == "exact":
        return Finding(citation["row"], "differs", "text: the record gives another, by any extractor that is here")
    best = max(found, default=0.0)
    why = f"similarity: the row says {stated}, the text of the record has at most {best:.4f}"
    return Finding(citation["row"], "differs", why)
