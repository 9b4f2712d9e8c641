"""Which packages are installed, and how one that is not is named."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from archive.errors import ArchiveError
from archive.extras import is_installed, require


def test_a_folder_of_its_name_is_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("empty_folder", "a_package", "one_file"):
        assert not is_installed(name)
    (tmp_path / "empty_folder").mkdir()  # as Ray makes one in /tmp
    (tmp_path / "a_package").mkdir()
    (tmp_path / "a_package" / "__init__.py").touch()
    (tmp_path / "one_file.py").touch()
    assert not is_installed("empty_folder")
    assert is_installed("a_package")
    assert is_installed("one_file")
    assert is_installed("zlib")
    with pytest.raises(ArchiveError, match=r"--x needs empty_folder, .* pip install 'lowbackground\[e\]'"):
        require("--x", "e", "zlib", "empty_folder")


def test_a_package_that_is_hidden_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "json", None)
    assert not is_installed("json")
