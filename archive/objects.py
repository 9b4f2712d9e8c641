"""Objects below a prefix of an S3 bucket, which are there whole or not at all.

Arrow's file system, which reads lakes and sources, can neither refuse to replace an object nor end an upload that a
killed process began. What a command publishes goes through `Prefix`, which can.

>>> Prefix("s3://bucket/set").put("a.json", b"{}")      # doctest: +SKIP
True
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archive.errors import ArchiveError, store_line
from archive.storage import TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Callable

#: Bytes from which on an object is sent in parts, and of a part; a store takes 10,000 parts at most.
_LARGE, _PART, _PARTS = 32 << 20, 16 << 20, 9_000
#: Bytes that are read at once.
_READ = 1 << 20
#: Tries of each request, of a read that breaks off, and of a write that another one crosses.
_TRIES, _AGAIN = 8, 5
#: What a store answers where an object is already there, or where another write of it is on its way.
_THERE, _CROSSED = {"PreconditionFailed", "412"}, {"ConditionalRequestConflict", "OperationAborted", "409"}
#: What stores answer that know no conditional writes.
_UNCONDITIONAL = {"NotImplemented", "501"}
_GONE = {"NoSuchKey", "404", "NotFound"}


class StoreError(ArchiveError):
    """The store does not do what it is asked for, after all tries."""


class MissingObjectError(StoreError):
    """There is no such object."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a store says of an object."""

    size: int  #: bytes
    metadata: Mapping[str, str] = field(default_factory=dict)


class Prefix:
    """The objects below `s3://bucket/prefix`, by their names below it.

    The usual environment variables describe the store, as for a lake. Each request is tried several times.
    """

    def __init__(self, location: str) -> None:
        self.location = location.rstrip("/")
        self.bucket, _, path = self.location.removeprefix("s3://").partition("/")
        self._prefix = f"{path}/" if path else ""

    def names(self) -> Iterator[tuple[str, int]]:
        """Yield the name and the bytes of each object, in the order of the names. Marks of folders are left out.

        Raises:
            StoreError: the store cannot be read.
        """
        with self._errors(""):
            pages = _client().get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self._prefix)
            for each in (each for page in pages for each in page.get("Contents", ())):
                name = each["Key"][len(self._prefix) :]
                if name and not (name.endswith("/") and not each["Size"]):
                    yield name, int(each["Size"])

    def head(self, name: str) -> Head | None:
        """Return what the store says of an object; None where there is none.

        Raises:
            StoreError: the store cannot be read.
        """
        with self._errors(name):
            try:
                answer = _client().head_object(**self._named(name))
            except _client().exceptions.ClientError as error:
                if _code(error) in _GONE:
                    return None
                raise
            return Head(int(answer["ContentLength"]), answer.get("Metadata", {}))

    def read(self, name: str, most: int = 1 << 30) -> bytes | None:
        """Return the content of a small object; None where there is none.

        Raises:
            StoreError: the store cannot be read, or the object has more than `most` bytes.
        """
        parts: list[bytes] = []
        try:
            for part in self.stream(name):
                parts.append(part)
                if (most := most - len(part)) < 0:
                    raise StoreError(f"{self._shown(name)}: is larger than such a file is")
        except MissingObjectError:
            return None
        return b"".join(parts)

    def stream(self, name: str, first: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield the bytes of an object. Where a connection breaks, reading goes on at the same byte.

        Args:
            first, stop: the first byte, and the one behind the last.

        Raises:
            MissingObjectError: there is none.
            StoreError: the store cannot be read, or the object was replaced meanwhile.
        """
        from botocore.exceptions import HTTPClientError, IncompleteReadError

        at, etag, tries = first, None, 0
        while stop is None or at < stop:
            asked = self._named(name)
            if at or stop is not None:
                asked["Range"] = f"bytes={at}-{'' if stop is None else stop - 1}"
            if etag:
                asked["IfMatch"] = etag
            with self._errors(name):
                try:
                    answer = _client().get_object(**asked)
                    body, etag = answer["Body"], answer.get("ETag")
                    with contextlib.closing(body):
                        while part := body.read(_READ):  # raises where the body ends before it should
                            at, tries = at + len(part), 0
                            yield part
                    return
                except _client().exceptions.ClientError as error:
                    if _code(error) in _GONE:
                        raise MissingObjectError(f"{self._shown(name)}: there is no such object") from None
                    if _code(error) in {"InvalidRange", "416"}:
                        return
                    if _code(error) in _THERE:
                        raise StoreError(f"{self._shown(name)}: was replaced while it was read") from None
                    raise
                except (HTTPClientError, IncompleteReadError):
                    if (tries := tries + 1) > _AGAIN:
                        raise
                    time.sleep(0.1 * 2**tries)

    def fetch(self, name: str, path: Path) -> None:
        """Write an object to a file of this machine.

        Raises:
            MissingObjectError: there is none.
            StoreError: the store cannot be read.
            OSError: the file cannot be written.
        """
        with open(path, "wb") as file:
            for part in self.stream(name):
                file.write(part)

    def put(
        self, name: str, content: bytes | Path, metadata: Mapping[str, str] | None = None, replace: bool = False
    ) -> bool:
        """Write an object. It is there when all of it has arrived, with the MD5 that it had here, or not at all.

        Args:
            content: bytes, or a file, of which 16 MiB at a time are held.
            replace: an object of this name. Else the store refuses it (`If-None-Match`), where it knows how.

        Returns:
            False if there is an object of this name, which stays. (One that a request of this call wrote whose answer
            was lost counts as there.)

        Raises:
            StoreError: it cannot be written.
        """
        size = len(content) if isinstance(content, bytes) else content.stat().st_size
        write = self._put_parts if size > _LARGE else self._put_whole
        about = {"Metadata": dict(metadata or {})}
        for attempt in range(_AGAIN + 1):
            with self._errors(name, "cannot be written: "):
                try:
                    write(name, content, size, about, {} if replace else {"IfNoneMatch": "*"})
                    return True
                except _client().exceptions.ClientError as error:
                    code = _code(error)
                    if code in _THERE:
                        return False
                    if code in _UNCONDITIONAL and not replace:
                        if self.head(name) is not None:
                            return False
                        replace = True
                    # `NoSuchUpload`: another process of the same command took it for one of a killed run
                    elif code not in _CROSSED | {"NoSuchUpload"} or attempt == _AGAIN:
                        raise
                    time.sleep(0.05 * 2**attempt)
        raise AssertionError

    def _put_whole(self, name: str, content: bytes | Path, size: int, about: Any, condition: Any) -> None:
        with io.BytesIO(content) if isinstance(content, bytes) else open(content, "rb") as file:
            digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).digest()
            file.seek(0)
            md5 = b64encode(digest).decode()
            _client().put_object(**self._named(name), Body=file, ContentMD5=md5, **about, **condition)

    def _put_parts(self, name: str, content: bytes | Path, size: int, about: Any, condition: Any) -> None:
        client, step = _client(), max(_PART, size // _PARTS + 1)
        begun = client.create_multipart_upload(**self._named(name), **about)
        upload = self._named(name) | {"UploadId": begun["UploadId"]}
        try:
            if begun["ResponseMetadata"].get("RetryAttempts"):  # a request whose answer was lost began one too
                self.end_uploads(lambda other: other == name, but=begun["UploadId"])
            parts = []
            for number, data in enumerate(_pieces(content, step), 1):
                md5 = b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
                sent = client.upload_part(**upload, PartNumber=number, Body=data, ContentMD5=md5)
                parts.append({"PartNumber": number, "ETag": sent["ETag"]})
            client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts}, **condition)
        except BaseException:
            with contextlib.suppress(Exception):  # the first error is the one to tell
                client.abort_multipart_upload(**upload)
            raise

    def delete(self, name: str) -> None:
        """Delete an object, if it is there.

        Raises:
            StoreError: it may not be deleted.
        """
        with self._errors(name, "cannot be deleted: "):
            _client().delete_object(**self._named(name))

    def end_uploads(self, is_ours: Callable[[str], object], but: str = "") -> int:
        """End the uploads in parts that were begun and never finished. Returns how many there were.

        Args:
            is_ours: whether an object of this name is one that this command writes.
            but: the identifier of an upload that goes on.

        Raises:
            StoreError: the store refuses.
        """
        ended = 0
        with self._errors("", "what a killed run began to send cannot be ended: "):
            client = _client()
            try:
                pages = client.get_paginator("list_multipart_uploads").paginate(Bucket=self.bucket, Prefix=self._prefix)
                found = [each for page in pages for each in page.get("Uploads", ())]
            except client.exceptions.ClientError as error:
                if _code(error) in _UNCONDITIONAL | {"AccessDenied", "403", "MethodNotAllowed"}:
                    return 0  # who may write need not have the right to list them
                raise
            for each in found:
                if each["UploadId"] != but and is_ours(each["Key"][len(self._prefix) :]):
                    with contextlib.suppress(client.exceptions.NoSuchUpload):
                        client.abort_multipart_upload(Bucket=self.bucket, Key=each["Key"], UploadId=each["UploadId"])
                    ended += 1
        return ended

    def _named(self, name: str) -> dict[str, Any]:
        return {"Bucket": self.bucket, "Key": self._prefix + name}

    def _shown(self, name: str) -> str:
        return f"{self.location}/{name}" if name else self.location

    @contextlib.contextmanager
    def _errors(self, name: str, what: str = "") -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except (BotoCoreError, ClientError) as error:
            raise StoreError(f"{self._shown(name)}: {what}{store_line(error)}") from None


def _client() -> Any:
    """Return the S3 client that the usual environment variables describe."""
    env = os.environ
    return _client_of(
        os.getpid(),  # connections must not be shared with a process that was forked
        env.get("AWS_ENDPOINT_URL_S3") or env.get("AWS_ENDPOINT_URL"),
        env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or "us-east-1",
        tuple(env.get(f"AWS_{name}") for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "PROFILE")),
        env.get("AWS_SKIP_SIGNATURE", "").lower() in {"1", "true"},
    )


@lru_cache(maxsize=4)
def _client_of(_pid: int, endpoint: str | None, region: str, _keys: tuple[str | None, ...], anonymous: bool) -> Any:
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config

    config = Config(
        connect_timeout=20,
        read_timeout=TIMEOUT,
        retries={"mode": "standard", "total_max_attempts": _TRIES},
        max_pool_connections=32,
        s3={"addressing_style": "path" if endpoint else "auto"},
        # MD5 is sent in its place: not every store knows the newer checksums
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        **({"signature_version": UNSIGNED} if anonymous else {}),
    )
    return boto3.session.Session().client("s3", region_name=region, endpoint_url=endpoint, config=config)


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _pieces(content: bytes | Path, size: int) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield from (content[at : at + size] for at in range(0, len(content), size))
        return
    with open(content, "rb") as file:
        while piece := file.read(size):
            yield piece
