"""The web from before, in Python: a function for each command of `archive`, with the same options.

>>> import lowbackground as lb
>>> lb.ingest("lake", "crawl.warc.gz")                                        # doctest: +SKIP
>>> lb.index("lake")                                                          # doctest: +SKIP
>>> lb.export("lake", "set", before="2022-01-01", near=True)                  # doctest: +SKIP
>>> for row in lb.load("set"):                                                # doctest: +SKIP
...     print(row["captured_at"], row["url"])

Every `lake` is a folder, an `s3://` prefix, or a `Lake` that is open. Names are imported when they are used, so that
`import lowbackground` needs no more than Python.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archive import ForgetResult, IngestResult, Lake, forget, ingest, open
    from archive.attestations.attest import AttestResult, attest
    from archive.attestations.audit import AuditResult, audit
    from archive.attestations.retract import RetractResult, retract
    from archive.attestations.seal import SealResult, seal
    from archive.capacity import PlanResult, plan
    from archive.demo.command import demo
    from archive.errors import ArchiveError
    from archive.intake.preview import Preview, preview
    from archive.intake.result import MaintainResult
    from archive.progress import Reporter, RichReporter
    from archive.witness.run import WitnessResult, witness
    from collapse import CollapseResult, collapse
    from collapse.probe import ProbeResult, probe
    from collapse.share.results import ShareResult
    from collapse.share.run import share
    from crawler.result import CrawlResult
    from crawler.run import crawl
    from index.certify import CertifyResult, certify
    from index.maintain.run import maintain
    from index.neardup import IndexResult, index
    from index.passages.find import PassageIndex, TextPassages, passages
    from index.quality import QualityResult, quality
    from index.vectors import EmbedResult, Hit, Vectors, embed, open_vectors
    from query import History, Stats, connect, query, show, stats
    from query.dataset import Dataset, load
    from query.explorer.serve import explore
    from query.export.run import ExportResult, export
    from query.lookup import Lookup, LookupResult, PageChanges, lookup
    from query.topics import TopicsResult, topics
    from query.verify.run import VerifyResult, verify

#: name -> the module that it is imported from
_FROM = {
    # one for each command
    "demo": "archive.demo.command",
    "crawl": "crawler.run",
    "ingest": "archive",
    "preview": "archive.intake.preview",
    "forget": "archive",
    "index": "index.neardup",
    "quality": "index.quality",
    "embed": "index.vectors",
    "topics": "query.topics",
    "certify": "index.certify",
    "query": "query",
    "export": "query.export.run",
    "verify": "query.verify.run",
    "collapse": "collapse",
    "share": "collapse.share.run",
    "probe": "collapse.probe",
    "stats": "query",
    "show": "query",
    "lookup": "query.lookup",
    "explore": "query.explorer.serve",
    "attest": "archive.attestations.attest",
    "audit": "archive.attestations.audit",
    "seal": "archive.attestations.seal",
    "retract": "archive.attestations.retract",
    "witness": "archive.witness.run",
    "plan": "archive.capacity",
    "maintain": "index.maintain.run",
    # what they return
    "CrawlResult": "crawler.result",
    "IngestResult": "archive",
    "Preview": "archive.intake.preview",
    "ForgetResult": "archive",
    "IndexResult": "index.neardup",
    "QualityResult": "index.quality",
    "EmbedResult": "index.vectors",
    "TopicsResult": "query.topics",
    "CertifyResult": "index.certify",
    "ExportResult": "query.export.run",
    "VerifyResult": "query.verify.run",
    "CollapseResult": "collapse",
    "ShareResult": "collapse.share.results",
    "ProbeResult": "collapse.probe",
    "Stats": "query",
    "History": "query",
    "LookupResult": "query.lookup",
    "PageChanges": "query.lookup",
    "AttestResult": "archive.attestations.attest",
    "AuditResult": "archive.attestations.audit",
    "SealResult": "archive.attestations.seal",
    "RetractResult": "archive.attestations.retract",
    "WitnessResult": "archive.witness.run",
    "PlanResult": "archive.capacity",
    "MaintainResult": "archive.intake.result",
    # lakes, sets and progress
    "open": "archive",
    "Lake": "archive",
    "connect": "query",
    "load": "query.dataset",
    "passages": "index.passages.find",
    "PassageIndex": "index.passages.find",
    "TextPassages": "index.passages.find",
    "Lookup": "query.lookup",
    "open_vectors": "index.vectors",
    "Vectors": "index.vectors",
    "Hit": "index.vectors",
    "Dataset": "query.dataset",
    "Reporter": "archive.progress",
    "RichReporter": "archive.progress",
    "ArchiveError": "archive.errors",
}

__all__ = [
    "ArchiveError",
    "AttestResult",
    "AuditResult",
    "CertifyResult",
    "CollapseResult",
    "CrawlResult",
    "Dataset",
    "EmbedResult",
    "ExportResult",
    "ForgetResult",
    "History",
    "Hit",
    "IndexResult",
    "IngestResult",
    "Lake",
    "Lookup",
    "LookupResult",
    "MaintainResult",
    "PageChanges",
    "PassageIndex",
    "PlanResult",
    "Preview",
    "ProbeResult",
    "QualityResult",
    "Reporter",
    "RetractResult",
    "RichReporter",
    "SealResult",
    "ShareResult",
    "Stats",
    "TextPassages",
    "TopicsResult",
    "Vectors",
    "VerifyResult",
    "WitnessResult",
    "attest",
    "audit",
    "certify",
    "collapse",
    "connect",
    "crawl",
    "demo",
    "embed",
    "explore",
    "export",
    "forget",
    "index",
    "ingest",
    "load",
    "lookup",
    "maintain",
    "open",
    "open_vectors",
    "passages",
    "plan",
    "preview",
    "probe",
    "quality",
    "query",
    "retract",
    "seal",
    "share",
    "show",
    "stats",
    "topics",
    "verify",
    "witness",
]


def __getattr__(name: str) -> Any:
    if name not in _FROM:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_FROM[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
