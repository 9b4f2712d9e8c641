"""What a WACZ states of its files counts for the captures in them; the stale hashes of one known writer do not."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from conftest import members, record, rows, take

from archive.attestations.audit import audit_file
from archive.lake import Lake

ARCHIVE = "archive/data.warc.gz"
CONTENT = members(record())
#: A record without digests.
BARE = members(
    b"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://bare.example/\r\nWARC-Date: 2015-03-04T05:06:07Z\r\n"
    b"Content-Type: application/http; msgtype=response\r\nContent-Length: 56\r\n\r\n"
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nBare words.\r\n\r\n"
)
OTHER = b"what was hashed"


def _resource(hashed: bytes, **more: Any) -> dict[str, Any]:
    return {"path": ARCHIVE, "hash": f"sha256:{hashlib.sha256(hashed).hexdigest()}", "bytes": len(hashed), **more}


def _package(path: Path, manifest: bytes | dict[str, Any], content: bytes = CONTENT, digest: str | None = None) -> str:
    written = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
    with zipfile.ZipFile(path, "w") as package:
        package.writestr(ARCHIVE, content)
        package.writestr("datapackage.json", written)
        if digest is not None:
            package.writestr("datapackage-digest.json", json.dumps({"path": "datapackage.json", "hash": digest}))
    return str(path)


def _problems(lake: Lake, source: str) -> list[str | None]:
    take(lake, source)
    return [problem for (problem,) in rows(lake, "SELECT date_problem FROM captures ORDER BY url")]


@pytest.mark.parametrize(
    "manifest",
    [
        {"resources": [_resource(OTHER)]},
        {"resources": [{**_resource(CONTENT), "bytes": 1}]},
        {"resources": [{**_resource(OTHER), "path": f"./{ARCHIVE}"}]},
        {"resources": [_resource(CONTENT), _resource(OTHER)]},
        {"resources": [{"path": ARCHIVE, "stats": {"hash": f"sha256:{hashlib.sha256(OTHER).hexdigest()}"}}]},
        {"resources": [{"path": ARCHIVE, "hash": f"blake3:{'0' * 64}"}]},
        {"resources": [_resource(OTHER)], "software": "py-wacz 0.4.0"},
        b"{broken",
        b'{"resources": [], "resources": []}',
    ],
)
def test_a_file_that_is_not_what_its_package_states_proves_nothing(
    lake: Lake, tmp_path: Path, manifest: bytes | dict[str, Any]
) -> None:
    assert _problems(lake, _package(tmp_path / "a.wacz", manifest)) == ["altered"]


@pytest.mark.parametrize("manifest", [{}, {"resources": [_resource(CONTENT)]}, {"resources": [{"path": ARCHIVE}]}])
def test_a_file_that_is_as_stated_or_of_which_nothing_is_stated_is_proof(
    lake: Lake, tmp_path: Path, manifest: dict[str, Any]
) -> None:
    assert _problems(lake, _package(tmp_path / "a.wacz", manifest)) == [None]


def test_the_hash_of_the_manifest_counts_as_well(lake: Lake, tmp_path: Path) -> None:
    manifest = {"resources": [_resource(CONTENT)]}
    right = f"sha256:{hashlib.sha256(json.dumps(manifest).encode()).hexdigest()}"
    assert _problems(lake, _package(tmp_path / "a.wacz", manifest, digest=right)) == [None]
    wrong = _package(tmp_path / "b.wacz", {**manifest, "title": "another"}, digest=right)
    take(lake, wrong)
    assert rows(lake, f"SELECT date_problem FROM captures WHERE starts_with(file, '{wrong}')") == [("altered",)]


def _nested(path: Path, depth: int, level: int, wrong: str, software: str = "") -> str:
    """Write packages in packages. The statement of one level is wrong, or none where `level` is `depth`."""
    content, name = CONTENT + BARE, ARCHIVE
    for at in range(depth):
        resource: dict[str, Any] = {"path": name, "hash": f"sha256:{hashlib.sha256(content).hexdigest()}"}
        if at == level and wrong in {"hash", "bytes"}:
            resource[wrong] = {"hash": f"sha256:{'0' * 64}", "bytes": 5}[wrong]
        manifest = json.dumps({"resources": [resource], "software": software}).encode()
        stated = hashlib.sha256(manifest).hexdigest() if at != level or wrong != "digest" else "0" * 64
        with zipfile.ZipFile(path, "w") as package:
            package.writestr(name, content)
            package.writestr("datapackage.json", manifest)
            package.writestr("datapackage-digest.json", json.dumps({"hash": f"sha256:{stated}"}))
        content, name = path.read_bytes(), "archive/inner.wacz"
    return str(path)


@pytest.mark.parametrize("wrong", ["hash", "bytes", "digest"])
@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_what_a_package_states_holds_for_the_packages_in_it(lake: Lake, tmp_path: Path, level: int, wrong: str) -> None:
    problem = "altered" if level < 3 else None
    source = _nested(tmp_path / "a.wacz", 3, level, wrong)
    assert _problems(lake, source) == [problem, problem]
    with open(source, "rb") as file:
        (found,) = audit_file(file, source)
    assert ("altered" in {each.kind for each in found.findings}) == (level < 3)


@pytest.mark.parametrize("level", [0, 1])
def test_a_stale_hash_of_a_package_leaves_it_to_the_digests_too(lake: Lake, tmp_path: Path, level: int) -> None:
    source = _nested(tmp_path / "a.wacz", 2, level, "hash", "js-wacz 0.1.6")
    assert _problems(lake, source) == ["altered", None]


def test_the_stale_hashes_of_js_wacz_leave_it_to_the_digests_of_the_records(lake: Lake, tmp_path: Path) -> None:
    manifest = {"resources": [_resource(OTHER)], "software": "@harvard-lil/js-wacz 0.1.6"}
    source = _package(tmp_path / "a.wacz", manifest, CONTENT + BARE)
    assert _problems(lake, source) == ["altered", None], "the first record has no digest that speaks for it"


def test_packages_of_real_writers_are_not_altered(data: Path, lake: Lake) -> None:
    names = ("scoop", "example", "example-2", "multi-wacz", "quotes", "valid_example_1", "valid_signed_example_1")
    take(lake, *(str(data / "wacz" / f"{name}.wacz") for name in names))
    assert rows(lake, "SELECT file, url FROM captures WHERE date_problem = 'altered'") == []
    assert rows(lake, "SELECT count(*) FROM captures WHERE file LIKE '%scoop%' AND date_problem IS NULL") == [(3,)]
