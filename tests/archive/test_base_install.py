"""The base install does what the README says of it, without a package that only an extra brings."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

from conftest import members, record

#: Hides packages as if they were not installed.
_HIDDEN = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {hidden!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Hidden())
from archive.__main__ import main
main()
"""


def _needed(name: str, known: set[str]) -> set[str]:
    """A distribution and all that it needs without extras."""
    name = re.sub(r"[-_.]+", "-", name).lower()
    if name in known:
        return known
    known.add(name)
    try:
        wanted = requires(name) or []
    except PackageNotFoundError:  # for another platform or Python
        return known
    for line in wanted:
        if "extra ==" not in line:
            _needed(re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0], known)
    return known


def test_the_base_install_ingests_asks_shows_exports_verifies_and_forgets(
    tmp_path: Path, write: Callable[[str, bytes], str]
) -> None:
    base = _needed("lowbackground", set())
    assert {"pyarrow", "duckdb", "numpy", "click"} <= base
    assert not {"torch", "numba", "ray", "scrapy", "faiss-cpu", "transformers"} & base
    hidden = {
        module
        for module, owners in packages_distributions().items()
        if not {re.sub(r"[-_.]+", "-", owner).lower() for owner in owners} & base
    } - {"_distutils_hack", "pytest_cov", "sitecustomize"}
    assert {"torch", "numba"} <= hidden
    source = write("a.warc.gz", members(record(), record(url="http://e.example/", body="<p>Other words.</p>")))
    lake, out = str(tmp_path / "lake"), str(tmp_path / "set")
    home = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "TMPDIR": str(tmp_path)}
    for words in (
        ["ingest", source],
        ["ingest", source, "--dry-run"],
        ["stats"],
        ["query", "SELECT host, domain, year, text FROM documents"],
        ["show", "example.com"],
        ["export", out, "--before", "2022-01-01", "--where", "words > 0"],
        ["verify", out, "--all"],
        ["forget", source],
        ["maintain"],
    ):
        lake_words = [] if words[0] == "verify" else ["--lake", lake]
        code = _HIDDEN.format(hidden=hidden)
        done = subprocess.run(
            [sys.executable, "-c", code, *words, *lake_words], capture_output=True, text=True, env=home
        )
        assert (done.returncode, done.stderr) == (0, ""), (words, done.stdout, done.stderr)
