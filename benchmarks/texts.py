"""Texts as the records of a crawl (WARC `conversion`), whose dates prove as much as those of pages do."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def write_records(path: str | Path, texts: Iterable[tuple[str, str, str]]) -> None:
    """Write texts to a WARC file.

    Args:
        texts: each text with its date and its URL.
    """
    with open(path, "wb") as file:
        for number, (text, date, url) in enumerate(texts):
            block = text.encode(errors="replace")
            head = (
                f"WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Date: {date}\r\nWARC-Target-URI: {url}\r\n"
                f"WARC-Record-ID: <urn:uuid:00000000-0000-4000-8000-{number:012}>\r\n"
                f"Content-Type: text/plain; charset=utf-8\r\nContent-Length: {len(block)}\r\n\r\n"
            )
            file.write(head.encode() + block + b"\r\n\r\n")
