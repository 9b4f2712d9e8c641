"""transformers next to a torchvision that does not fit torch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("transformers")
pytest.importorskip("torch")


def run(code: str, *folders: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(map(str, [*folders, Path(__file__).parents[3]]))
    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True
    )


#: Describes operators that its compiled part would declare, as the real one does where it is of another build.
OF_ANOTHER_BUILD = """
import torch
for name in ("torchvision::toy_nms", "torchvision::toy_align"):
    torch.library.register_fake(name)(lambda *args: None)
"""


def test_a_torchvision_of_another_build_can_be_imported(tmp_path: Path) -> None:
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text(OF_ANOTHER_BUILD)
    code = "from query.formats.hugging_face import make_torchvision_importable as make; make(); make()"
    done = run(f"{code}; import torchvision; print(torchvision.name)", tmp_path)
    assert done.stdout == "torchvision::toy_align\n", done.stderr


def test_a_torchvision_that_cannot_be_imported_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text("raise ImportError('libcudart.so: no such file')")
    last = run("from query.formats.hugging_face import import_transformers as f; f()", tmp_path).stderr.splitlines()[-1]
    assert last.startswith("archive.errors.ArchiveError: torchvision does not fit torch (libcudart.so: no such file)")
    assert "pip uninstall torchvision" in last


@pytest.mark.slow
def test_models_can_be_had_next_to_the_torchvision_that_is_installed_whoever_was_first() -> None:
    code = "import transformers; from query.formats.hugging_face import import_transformers as f"
    done = run(f"{code}; print(f().GPT2LMHeadModel.__name__)")
    assert done.stdout == "GPT2LMHeadModel\n", done.stderr
