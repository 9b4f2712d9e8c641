"""The registered domain of a URL, by which pages belong to one site."""

from __future__ import annotations

import atexit
import re
import weakref
from functools import lru_cache
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from publicsuffixlist import PublicSuffixList

_HOST = re.compile(r"^[a-z][a-z0-9+.-]*://(?:[^/?#@]*@)?(?P<host>\[[^]]*\]|[^/?#:]*)", re.IGNORECASE)
_ADDRESS = re.compile(r"[\d.]+|\[.*\]")


def registered_domain(url: str | None) -> str | None:
    """Return the domain that somebody registered, by the ICANN part of the Public Suffix List; an IP address as it is.

    >>> registered_domain("http://user@news.bbc.co.uk:80/world")
    'bbc.co.uk'
    """
    host = _HOST.match(url or "")
    return _domain_of(host["host"].lower().rstrip(".")) if host else None


def registered_domains(urls: pa.Array) -> pa.Array:
    """Return the registered domain of each URL, as `registered_domain` does; each different host is looked up once.

    >>> registered_domains(pa.array(["http://news.bbc.co.uk/1", "http://bbc.co.uk/", "/a", None])).to_pylist()
    ['bbc.co.uk', 'bbc.co.uk', None, None]
    """
    # `re` takes a few more letters for an a to z of any case than this does
    hosts = pc.struct_field(pc.extract_regex(urls, f"(?i){_HOST.pattern}"), "host")
    coded = hosts.dictionary_encode()
    names = [None if host is None else _domain_of(host.lower().rstrip(".")) for host in coded.dictionary.to_pylist()]
    domains = pa.array(names, pa.string()).take(coded.indices)
    missed = pc.and_(hosts.is_null(), urls.is_valid())
    if not pc.any(missed).as_py():
        return domains
    return pc.replace_with_mask(
        domains, missed, pa.array([registered_domain(url) for url in urls.filter(missed).to_pylist()], pa.string())
    )


@lru_cache(maxsize=1 << 16)
def _domain_of(host: str) -> str | None:
    if not host or _ADDRESS.fullmatch(host):
        return host or None
    return _suffixes().privatesuffix(host) or host


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList(only_icann=True)  # not on import: it takes a while


#: The host of a URL in SQL, as `_HOST` finds it; null where there is none.
HOST = r"""
CREATE TEMP MACRO host_of(url) AS nullif(rtrim(lower(
    regexp_extract(url, '^[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#@]*@)?(\[[^]]*\]|[^/?#:]*)', 1)), '.'), '')
"""

_CONNECTIONS: weakref.WeakSet[duckdb.DuckDBPyConnection] = weakref.WeakSet()


def add_functions(db: duckdb.DuckDBPyConnection) -> None:
    """Add `host_of(url)` and `domain_of(host)` to a connection. They cost nothing where they are not called."""
    db.execute(HOST)
    make: Any = db.create_function  # its stub does not know a function over Arrow arrays by name
    make("domain_of", _domains, ["VARCHAR"], "VARCHAR", type="arrow", null_handling="special")
    _CONNECTIONS.add(db)


@atexit.register
def _close() -> None:
    """Close the connections with such a function, of which DuckDB's client complains when Python ends."""
    for db in list(_CONNECTIONS):
        db.close()


def _domains(hosts: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Return the registered domains of hosts; each different host is looked up once."""
    array = hosts.combine_chunks() if isinstance(hosts, pa.ChunkedArray) else hosts
    coded = array.dictionary_encode()
    domains = [None if host is None else _domain_of(host) for host in coded.dictionary.to_pylist()]
    return pa.array(domains, pa.string()).take(coded.indices)
