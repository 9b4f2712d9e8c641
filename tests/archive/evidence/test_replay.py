"""What the replay of a web archive wrote is cut, and cutting takes no longer than reading."""

from __future__ import annotations

import time

import pytest

from archive.evidence import replay

TOOLBAR = b"<!-- BEGIN WAYBACK TOOLBAR INSERT -->17 captures<!-- END WAYBACK TOOLBAR INSERT -->"
BANNER = b'<div class=x id="wm-ipp-base">Go <div>back</div> in time</div>'
MARKS = [
    TOOLBAR,
    BANNER,
    b"<script src='//archive.org/includes/analytics.js'></script><!-- End Wayback Rewrite JS Include -->",
    b"<!-- WB Insert -->banner<!-- End WB Insert -->",
    b"<!-- BEGIN ARQUIVO.PT -->banner<!-- END ARQUIVO.PT -->",
    b"<!--\n     FILE ARCHIVED ON 14:57:16 Oct 10, 2020 AND RETRIEVED FROM THE INTERNET ARCHIVE -->",
]


@pytest.mark.parametrize("mark", MARKS)
def test_what_a_replay_wrote_is_cut_and_the_page_is_kept(mark: bytes) -> None:
    assert replay.cut(b"<p>one</p>" + mark + b"<p>two</p>" + mark + b"<p>three</p>") == (
        b"<p>one</p><p>two</p><p>three</p>"
    )


@pytest.mark.parametrize("page", [b"", b"<p>no mark</p>", b"<!-- BEGIN WAYBACK TOOLBAR INSERT --> without an end"])
def test_a_page_without_whole_marks_is_kept(page: bytes) -> None:
    assert replay.cut(page) == page


@pytest.mark.parametrize(
    "piece",
    [MARKS[0][:37], BANNER[:30], BANNER, b"<div ", b"<script ", b"<!--   ", b"<!-- FILE ARCHIVED ON -->", b"</div>"],
)
def test_the_time_grows_with_the_length_of_a_hostile_page(piece: bytes) -> None:
    def seconds(size: int) -> float:
        began = time.process_time()
        replay.cut(piece * (size // len(piece)))
        return time.process_time() - began

    assert min(seconds(800_000) for _ in range(3)) < 40 * min(seconds(100_000) for _ in range(3)) + 0.2
