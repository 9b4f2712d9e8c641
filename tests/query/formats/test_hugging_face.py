"""transformers beside a torchvision that does not fit torch."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("transformers")
pytest.importorskip("torch")


@pytest.mark.parametrize("before", ["import transformers", "import query.formats.mds"])
def test_models_can_be_had_beside_a_torchvision_that_breaks_whoever_was_first(tmp_path: Path, before: str) -> None:
    if "mds" in before and find_spec("streaming") is None:
        pytest.skip("streaming is not installed")
    package = tmp_path / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')\n")
    code = f"""
import sys
{before}
from query.formats.hugging_face import import_transformers
for _ in range(2):
    print(import_transformers().GPT2LMHeadModel.__name__, sys.modules["torchvision"])
"""
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[3])])
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True
    )
    assert done.stdout.splitlines() == ["GPT2LMHeadModel None"] * 2, done.stderr
