"""Take the pictures of `archive explore` that README.md and docs/explore.md show: of the lake of `archive demo`.

    python docs/pictures.py          write docs/pictures/*.png

It needs the extras `explore` and `index`, playwright, and a chromium on the PATH. The pages are invented, and are the
same each time; the name of the temporary folder, which is not, is left out.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import lowbackground as lb

FOLDER = Path(__file__).parent / "pictures"
#: No picture has more bytes.
MOST = 150_000
#: Of the text with a witness, and of one that was captured again and again.
_COPIED = "SELECT content_id FROM documents WHERE witness_id IS NOT NULL ORDER BY first_seen DESC LIMIT 1"
_TEXT = "SELECT text FROM documents WHERE content_id = '{}'"
_KEPT = "SELECT content_id FROM documents ORDER BY captures DESC, content_id LIMIT 1"
#: Takes the name of a folder out of what a page shows.
_REPLACE = """folder => {
    const shown = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (shown.nextNode()) shown.currentNode.data = shown.currentNode.data.replaceAll(folder, "");
}"""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a page."""

    name: str
    path: str
    width: int = 1100
    height: int = 760
    scheme: str = "light"
    shows: str = "h1"  #: an element that is there once the page is whole


def main() -> None:
    from playwright.sync_api import sync_playwright

    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = os.path.realpath(temporary)
        subprocess.run([sys.executable, "-m", "archive", "demo", "archive-demo"], cwd=folder, check=True)
        lake = Path(folder) / "archive-demo" / "lake"
        with serving(lake) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            for picture in pictures(str(lake)):
                page = browser.new_page(
                    viewport={"width": picture.width, "height": picture.height},
                    color_scheme=picture.scheme,
                    reduced_motion="reduce",
                )
                page.goto(address + picture.path)
                page.locator(picture.shows).first.wait_for(timeout=60_000)
                page.evaluate(_REPLACE, f"{folder}/")
                path = FOLDER / f"{picture.name}.png"
                page.screenshot(path=path)
                page.close()
                if path.stat().st_size > MOST:
                    sys.exit(f"{path} has {path.stat().st_size:,} bytes, more than {MOST:,}")
            browser.close()


def pictures(lake: str) -> list[Picture]:
    """Return which pictures are taken."""
    copied, kept = (lb.query(lake, sql).to_pylist()[0]["content_id"] for sql in (_COPIED, _KEPT))
    pasted = lb.query(lake, _TEXT.format(copied)).to_pylist()[0]["text"].replace("caraway", "fennel")
    return [
        Picture("overview", "/"),
        Picture("text", f"/text/{copied}"),
        Picture("text-dark", f"/text/{kept}", scheme="dark"),
        Picture("text-phone", f"/text/{copied}", width=390, height=844),
        Picture("changed", f"/text/{copied}#changed", height=480),
        Picture("set", "/set?before=2018-01-01&near=1", height=980, shows=".example"),
        Picture("search", f"/search?{urlencode({'q': pasted, 'as': 'text'})}", height=980, shows="#near"),
        Picture("not-found", "/text/0123456789ab", height=300),
        Picture("reports", "/reports", height=340),
    ]


@contextlib.contextmanager
def serving(lake: Path) -> Iterator[str]:
    """Run `archive explore` in the folder of a lake; yields its address."""
    command = [sys.executable, "-m", "archive", "explore", "--lake", str(lake), "--port", "0"]
    with subprocess.Popen(command, cwd=lake.parent, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[0].rstrip("/")
        finally:
            process.terminate()


if __name__ == "__main__":
    main()
