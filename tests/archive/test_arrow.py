"""What this program asks of PyArrow beside its tables."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from conftest import members, record

#: Notes that it was imported.
_PANDAS = """
from pathlib import Path
with Path(__file__).with_name("imported").open("a") as file:
    file.write("once ")
raise ImportError("not here")
"""


def test_an_ingest_imports_no_pandas_in_any_process(tmp_path: Path, write: Callable[[str, bytes], str]) -> None:
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "pandas.py").write_text(_PANDAS)
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "TMPDIR": str(tmp_path)}
    environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path / "path"), *sys.path])
    source = write("a.warc.gz", members(record()))
    command = [sys.executable, "-m", "archive", "ingest", source, "--lake", str(tmp_path / "lake"), "--quiet"]
    subprocess.run(command, env=environment, check=True, cwd=tmp_path)
    assert not (tmp_path / "path" / "imported").exists()


def test_a_process_that_was_spared_pandas_can_use_it(tmp_path: Path) -> None:
    code = """
import pyarrow as pa
from archive.arrow import spare_pandas
spare_pandas()
spare_pandas()
pa.array(["x"])
import sys
assert "pandas" not in sys.modules
try:
    import pandas
except ImportError:
    sys.exit(0)
table = pa.table({"a": [1, None]})
assert table.to_pandas()["a"].isna().tolist() == [False, True]
assert pa.Table.from_pandas(table.to_pandas())["a"].null_count == 1
assert pa.array(table.to_pandas()["a"]).null_count == 1
"""
    subprocess.run([sys.executable, "-c", code], check=True)
