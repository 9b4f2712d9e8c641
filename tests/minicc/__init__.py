"""A small Common Crawl, for tests and benchmarks: `make` writes its files, `serve` hands them out as the real hosts do.

    python -m minicc FOLDER --port 8000 --log requests.jsonl

makes one from the real captures of the shared data and serves it until it is stopped.
"""

from __future__ import annotations

from minicc.make import Capture, captured, page, write_arc_crawl, write_collinfo, write_crawl, write_news
from minicc.serve import Fault, Limits, Server, serve

__all__ = [
    "Capture",
    "Fault",
    "Limits",
    "Server",
    "captured",
    "page",
    "serve",
    "write_arc_crawl",
    "write_collinfo",
    "write_crawl",
    "write_news",
]
