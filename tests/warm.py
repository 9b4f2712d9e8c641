"""Compile what tests use, once: byte code of the large packages, and the kernels of numba.

Where none of it is compiled yet (a fresh clone), each of the many processes that tests start would compile it for
itself, at the same time.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

_ROOT = Path(__file__).parents[1]


def warm() -> None:
    """Compile it, in another process, unless it is compiled or could not be kept."""
    spec = importlib.util.find_spec("torch")
    kept = not sys.dont_write_bytecode and "NUMBA_CACHE_DIR" not in os.environ
    if kept and not (
        any(_ROOT.glob("index/minhash/__pycache__/*.nbi"))
        and (spec is None or spec.origin is None or Path(importlib.util.cache_from_source(spec.origin)).exists())
    ):
        paths = os.pathsep.join([str(_ROOT), str(_ROOT / "tests")])
        subprocess.run([sys.executable, __file__], env={**os.environ, "PYTHONPATH": paths, "HF_HUB_OFFLINE": "1"})


def _main() -> None:
    import moto.server  # noqa: F401
    from conftest import members, record
    from forked import MODULES
    from made import edited, words

    import lowbackground as lb
    from archive.extras import is_installed

    for name in MODULES:
        importlib.import_module(name)
    with tempfile.TemporaryDirectory() as folder:
        lake, texts = f"{folder}/lake", [words(120, 1), edited(words(120, 1), 2, 2)]
        pages = [record(f"http://example.com/{number}", " ".join(text)) for number, text in enumerate(texts)]
        Path(folder, "a.warc.gz").write_bytes(members(*pages))
        Path(folder, "b.jsonl").write_text(f'{{"text": "{" ".join(edited(texts[0], 1, 3))}"}}\n')
        lb.ingest(lake, f"{folder}/a.warc.gz", workers=1)
        lb.index(lake, workers=1, passages=True)
        lb.quality(lake, workers=1)
        lb.certify(lake, f"{folder}/b.jsonl", f"{folder}/certified", before="2022-01-01", passages=True, workers=1)
    if is_installed("torch"):
        import torch_imported  # noqa: F401


if __name__ == "__main__":
    _main()
