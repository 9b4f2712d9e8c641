"""What a WACZ package states of its own files: their hashes and sizes, in `datapackage.json`, and the hash of that.

The signature over them is read in `archive.attestations.wacz`.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from archive.errors import SourceError

#: agrees: the file has the stated hash. altered: it has another, or the statement itself was altered. unstated: there
#: is no hash, or none that binds. unreadable: there is a statement, and it cannot be read.
Agreement = Literal["agrees", "altered", "unstated", "unreadable"]

#: Of each name the stated hashes (algorithm, hexadecimal), and the stated sizes in bytes.
Hashes = Mapping[str, tuple[tuple[str, str], ...]]
Sizes = Mapping[str, tuple[int, ...]]

MANIFEST, DIGEST = "datapackage.json", "datapackage-digest.json"
#: Hashes that bind, and those that only show a difference.
STRONG = ("sha256", "sha384", "sha512")
_WEAK = ("md5", "sha1", "sha224")
#: Bytes of the largest of the two JSON files. A package of a million files has 300 MB.
_MAX_JSON = 1 << 29
_BUFFER = 1 << 20


@dataclass(frozen=True, slots=True)
class Statement:
    """What a package states of its files. `agreement` compares a file of it with that."""

    hashes: Hashes
    sizes: Sizes
    problem: Agreement | None = None  #: what is wrong with the statement as a whole; it then counts for every file
    detail: str = ""  #: what exactly is wrong, or why there is no bound
    software: str = field(default="", kw_only=True)  #: that wrote the package, as stated

    def algorithms(self, name: str) -> frozenset[str]:
        """Return the hashes, by their names in `hashlib`, that `agreement` needs of a file."""
        return frozenset(algorithm for algorithm, _ in self.hashes.get(plain(name), ()) if _is_known(algorithm))

    def agreement(self, name: str, digests: Mapping[str, str], size: int | None = None) -> Agreement:
        """Compare a file with what is stated.

        Args:
            name: of the entry of the package.
            digests: its hashes in hexadecimal, those of `algorithms(name)`.
            size: in bytes.
        """
        found = self._agreement(plain(name), digests, size)
        return "unstated" if found == "altered" and self.is_stale(name) else found

    def _agreement(self, name: str, digests: Mapping[str, str], size: int | None) -> Agreement:
        if self.problem:
            return self.problem
        stated = self.hashes.get(name, ())
        differs = size is not None and any(each != size for each in self.sizes.get(name, ()))
        if differs or any(_is_known(algorithm) and digests[algorithm] != value for algorithm, value in stated):
            return "altered"
        if any(not _is_known(algorithm) for algorithm, _ in stated):
            return "unreadable"
        return "agrees" if any(algorithm in STRONG for algorithm, _ in stated) else "unstated"

    def is_stale(self, name: str) -> bool:
        """Return whether a hash that differs is the known fault of js-wacz, which hashes archives before it has written
        them (https://github.com/harvard-lil/js-wacz/issues/127), and not a sign that the file was altered."""
        return self.problem is None and "js-wacz" in self.software and plain(name).startswith("archive/")


def compare(package: zipfile.ZipFile, info: zipfile.ZipInfo, statement: Statement) -> tuple[Agreement, bool]:
    """Read an entry, and compare it with what is stated. Returns its agreement, and whether its hash is a stale one."""
    hashes = {name: hashlib.new(name) for name in statement.algorithms(info.filename)}
    size = 0
    try:
        with package.open(info) as file:
            while data := file.read(_BUFFER):
                size += len(data)
                for each in hashes.values():
                    each.update(data)
    except SourceError:
        raise
    except Exception:  # zipfile raises whatever its codecs raise
        return "unreadable", False
    digests = {name: each.hexdigest() for name, each in hashes.items()}
    found = statement._agreement(plain(info.filename), digests, size)
    stale = found == "altered" and statement.is_stale(info.filename)
    return "unstated" if stale else found, stale


def read_manifest(package: zipfile.ZipFile) -> tuple[Statement, Any]:
    """Read what a package states of its files, and whether the hash of that fits; the signature is not checked.

    Returns the statement, and the object of `datapackage-digest.json`; None where there is none, or the statement has a
    problem.
    """
    names = [plain(info.filename) for info in package.infolist()]
    if any(names.count(name) > 1 for name in (MANIFEST, DIGEST)):
        return Statement({}, {}, "altered", "two entries have the name of its manifest"), None
    if MANIFEST not in names:
        return Statement({}, {}, "unreadable" if DIGEST in names else None, f"no {MANIFEST}"), None
    try:
        content = _read(package, MANIFEST)
        manifest = json.loads(content, object_pairs_hook=_once)
        hashes, sizes = _resources(manifest)
    except SourceError:
        raise
    except Exception as error:  # zipfile raises whatever its codecs raise, and JSON may have any shape
        return Statement({}, {}, "unreadable", f"{MANIFEST}: {error}"[:200]), None
    software = manifest.get("software")
    software = software if isinstance(software, str) else ""
    if DIGEST not in names:
        return Statement(hashes, sizes, detail="not signed", software=software), None
    try:
        digest = json.loads(_read(package, DIGEST), object_pairs_hook=_once)
        stated, signed = digest["hash"], digest.get("signedData")
        if signed is not None and not isinstance(signed, dict):
            raise TypeError("signedData is no object")
    except SourceError:
        raise
    except Exception as error:
        detail = f"{DIGEST}: {type(error).__name__} {error}"[:200]
        return Statement(hashes, sizes, "unreadable", detail, software=software), None
    problem: Agreement | None = None
    detail = "not signed"
    if stated != f"sha256:{hashlib.sha256(content).hexdigest()}":
        problem, detail = "altered", f"{DIGEST} has another hash of {MANIFEST}"
    elif signed and signed.get("hash") != stated:
        problem, detail = "altered", "the signed hash is another one"
    return Statement(hashes, sizes, problem, detail, software=software), None if problem else digest


def plain(name: str) -> str:
    """Return the name of an entry as manifests write it."""
    return name.replace("\\", "/").removeprefix("./")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object, in which each key may occur once: readers differ in which of two they take."""
    if len(found := dict(pairs)) != len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _is_known(algorithm: str) -> bool:
    return algorithm in STRONG or algorithm in _WEAK


def _read(package: zipfile.ZipFile, name: str) -> bytes:
    info = next(each for each in package.infolist() if plain(each.filename) == name)
    with package.open(info) as file:
        data = file.read(_MAX_JSON + 1)
    if len(data) > _MAX_JSON:
        raise ValueError(f"larger than {_MAX_JSON} bytes")
    return data


def _resources(manifest: Any) -> tuple[dict[str, tuple[tuple[str, str], ...]], dict[str, tuple[int, ...]]]:
    hashes: dict[str, tuple[tuple[str, str], ...]] = {}
    sizes: dict[str, tuple[int, ...]] = {}
    for resource in manifest.get("resources", []):
        stats = resource.get("stats") or {}  # as the versions before 1.0 have it
        name = plain(resource["path"])
        value, size = resource.get("hash", stats.get("hash")), resource.get("bytes", stats.get("bytes"))
        if value is not None:
            algorithm, colon, digits = str(value).partition(":")
            if not colon:  # the data package standard: MD5 where nothing else is said
                algorithm, digits = str(resource.get("hashing", "md5")), algorithm
            hashes[name] = (*hashes.get(name, ()), (algorithm.strip().lower().replace("-", ""), digits.strip().lower()))
        if size is not None:
            sizes[name] = (*sizes.get(name, ()), int(size))
    return hashes, sizes
