"""Locations: local paths, and stores of objects with the Arrow file system that reads and writes them.

`archive.sources` lists and opens source files; a lake is written through `filesystem`.
"""

from __future__ import annotations

import os
import re
import urllib.parse
from functools import lru_cache

from pyarrow import fs as pafs

from archive.errors import SourceError

#: Seconds before a silent server counts as gone.
TIMEOUT = 60.0
#: The scheme by which DuckDB finds the files of a lake in a store, which no extension of DuckDB reads.
SCHEME = "lakefile"
#: The scheme of a location: `gs://`, `hdfs://`. (One letter is a Windows drive.)
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)


def is_s3(uri: str) -> bool:
    """Return whether a location is in an S3 bucket."""
    return uri.startswith("s3://")


def is_http(uri: str) -> bool:
    """Return whether a location is on a web server."""
    return uri.startswith(("http://", "https://"))


def local_or_store(location: str) -> str:
    """Return a location without `file://`, and with `s3://` in lower case.

    Raises:
        SourceError: the scheme is unknown, or the bucket is missing.
    """
    match = _SCHEME.match(location)
    if not match or is_http(location):
        return location
    scheme = match[1].lower()
    if scheme == "file":
        return urllib.parse.unquote(location[match.end() :])
    if scheme != "s3":
        raise SourceError(f"{location}: {scheme}:// is not known; a location is a path, s3://bucket/… or https://…")
    if not location[match.end() :].strip("/"):
        raise SourceError(f"{location}: names no bucket; write it as s3://bucket/prefix")
    return "s3://" + location[match.end() :]


@lru_cache(maxsize=8)
def _s3(
    endpoint: str | None, region: str | None, _key: str | None, anonymous: bool, attempts: int
) -> pafs.S3FileSystem:
    scheme, _, host = (endpoint or "").rpartition("://")
    return pafs.S3FileSystem(
        region=region,
        scheme=scheme or "https",
        endpoint_override=host or None,
        anonymous=anonymous,
        retry_strategy=pafs.AwsStandardS3RetryStrategy(max_attempts=attempts),
        connect_timeout=20,
        request_timeout=TIMEOUT,
    )


def s3_filesystem(attempts: int = 10) -> pafs.S3FileSystem:
    """Return the S3 client that the usual environment variables describe (AWS_ENDPOINT_URL, AWS_REGION, …).

    Args:
        attempts: for each request. Ten take more than a minute where no server answers.
    """
    env = os.environ
    return _s3(
        env.get("AWS_ENDPOINT_URL_S3") or env.get("AWS_ENDPOINT_URL"),
        env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or "us-east-1",
        env.get("AWS_ACCESS_KEY_ID"),
        env.get("AWS_SKIP_SIGNATURE", "").lower() in {"1", "true"},
        attempts,
    )


def filesystem(uri: str) -> tuple[pafs.FileSystem, str]:
    """Return the Arrow file system of a local path or S3 URI, and the path in it."""
    if is_s3(uri):
        return s3_filesystem(), uri.removeprefix("s3://").rstrip("/")
    return pafs.LocalFileSystem(), uri


def is_text(name: str) -> bool:
    """Return whether a file name is text, and not bytes that happen to be one."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
