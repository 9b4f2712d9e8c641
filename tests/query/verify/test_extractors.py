"""A text is verified as it was made: with the parts that were kept, and by the method of its label."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import record

from archive.intake import ingest
from archive.lake import Lake
from query.export.run import export
from query.verify.run import verify

PAGE = """<html><head><title>The old bridge</title></head><body><nav>Home</nav><article><h1>The old bridge</h1>
<p>The bridge was built in 1893, after the flood had taken the old one, and it has carried the road ever since.</p>
<figure><figcaption>Workers on the bridge</figcaption></figure><p>Two hundred people worked on it for a summer, and the
baker, who kept a diary, wrote down what each of them ate.</p><section class="comments"><p>My uncle was there.</p>
</section></article></body></html>"""


@pytest.mark.parametrize(
    ("extractor", "keep", "label", "has"),
    [
        ("resiliparse", [], "+lb1", []),
        ("resiliparse", ["captions"], "+lb1+captions", ["Workers on"]),
        ("resiliparse", ["comments", "captions"], "+lb1+captions+comments", ["Workers on", "My uncle"]),
        ("resiliparse-main", [], "", ["My uncle"]),
    ],
)
def test_a_text_agrees_however_it_was_cut(
    lake: Lake, write: Callable[[str, bytes], str], tmp_path: Path, extractor: str, keep: list[str], label: str, has: list[str]
) -> None:  # fmt: skip
    ingest(lake, write("a.warc", record(body=PAGE)), extractor=extractor, keep=keep, workers=1)
    ((text, stated),) = lake_rows(lake)
    assert stated.partition("/")[2].partition("+")[2] == label[1:]
    assert all(each in text for each in has)
    export(lake, tmp_path / "set", before="2022-01-01", workers=1)
    assert dict(verify(tmp_path / "set", all=True, workers=1).kinds)["agrees"] == 1


def lake_rows(lake: Lake) -> list[tuple[str, str]]:
    labels = lake.read("captures", ["extractor"])["extractor"].to_pylist()
    return list(zip(lake.read("documents", ["text"])["text"].to_pylist(), labels, strict=True))
