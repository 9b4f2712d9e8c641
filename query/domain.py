"""The registered domain of a URL: what one site is."""

from __future__ import annotations

import atexit
import re
import weakref
from functools import lru_cache
from typing import Any

import duckdb
import pyarrow as pa
from publicsuffixlist import PublicSuffixList

_HOST = re.compile(r"^[a-z][a-z0-9+.-]*://(?:[^/?#@]*@)?(\[[^]]*\]|[^/?#:]*)", re.IGNORECASE)
_ADDRESS = re.compile(r"[\d.]+|\[.*\]")


def registered_domain(url: str | None) -> str | None:
    """The domain that somebody registered, by the ICANN part of the Public Suffix List; an IP address is its own.

    >>> registered_domain("http://user@news.bbc.co.uk:80/world")
    'bbc.co.uk'
    """
    found = _HOST.match(url or "")
    return _domain_of(found[1].lower().rstrip(".")) if found else None


@lru_cache(maxsize=1 << 16)
def _domain_of(host: str) -> str | None:
    if not host or _ADDRESS.fullmatch(host):
        return host or None
    return _suffixes().privatesuffix(host) or host


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList(only_icann=True)  # when first asked: it takes a while


#: Of a URL, in SQL; what `_HOST` finds. Null where there is none.
HOST = r"""
CREATE TEMP MACRO host_of(url) AS nullif(rtrim(lower(
    regexp_extract(url, '^[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#@]*@)?(\[[^]]*\]|[^/?#:]*)', 1)), '.'), '')
"""

_CONNECTIONS: weakref.WeakSet[duckdb.DuckDBPyConnection] = weakref.WeakSet()


def add_functions(db: duckdb.DuckDBPyConnection) -> None:
    """Give a connection `host_of(url)` and `domain_of(host)`. They cost nothing where nobody calls them."""
    db.execute(HOST)
    make: Any = db.create_function  # its stub does not know a function over Arrow arrays by name
    make("domain_of", _domains, ["VARCHAR"], "VARCHAR", type="arrow", null_handling="special")
    _CONNECTIONS.add(db)


@atexit.register
def _close() -> None:
    """DuckDB's client complains at the end of Python of a connection with such a function that is still open."""
    for db in list(_CONNECTIONS):
        db.close()


def _domains(hosts: pa.ChunkedArray | pa.Array) -> pa.Array:
    """The registered domains of hosts, each different host looked up once."""
    array = hosts.combine_chunks() if isinstance(hosts, pa.ChunkedArray) else hosts
    coded = array.dictionary_encode()
    found = [None if host is None else _domain_of(host) for host in coded.dictionary.to_pylist()]
    return pa.array(found, pa.string()).take(coded.indices)
