"""What a WACZ package says of its own files: their hashes, the signature over them, and its time stamp.

`datapackage.json` has the hashes of the files, `datapackage-digest.json` the hash of `datapackage.json` and a signature
(wacz-auth 0.1.0, https://specs.webrecorder.net/wacz-auth/0.1.0/). A signature by an anonymous key has no date that
somebody else knows. One by the key of a domain has an RFC 3161 token, which is over the *signature*, not over the hash.

That the token dates the hash too needs the certificate of the domain. For any message and any ECDSA signature there is
a key that fits, and whoever made the first signature can compute the private half. So only a certificate that a trusted
authority had issued by then shows that the key, and with it the message, is from before the token.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from archive.attestations.timestamps import Stamp, known_authorities, require_libraries, verify_token
from archive.errors import ArchiveError, SourceError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

#: agrees: the file has the stated hash. altered: it has another, or the statement itself was altered. unstated: there
#: is no hash, or none that binds. unreadable: there is a statement, and it cannot be read.
Agreement = Literal["agrees", "altered", "unstated", "unreadable"]
#: none: no signature. valid: it holds, by a key that nobody vouches for or whose authority is not trusted. trusted: it
#: holds, by the key of a domain, as a trusted authority certifies. invalid: it does not hold, or cannot be read.
#: unchecked: the libraries of the extra `evidence` are not installed.
Signature = Literal["none", "valid", "trusted", "invalid", "unchecked"]

#: Of each name the stated hashes (algorithm, hexadecimal), and the stated sizes in bytes.
_Hashes = Mapping[str, tuple[tuple[str, str], ...]]
_Sizes = Mapping[str, tuple[int, ...]]

MANIFEST, DIGEST = "datapackage.json", "datapackage-digest.json"
#: Hashes that bind, and those that only show a difference.
_STRONG = ("sha256", "sha384", "sha512")
_WEAK = ("md5", "sha1", "sha224")
#: Bytes of the largest of the two JSON files. A package of a million files has 300 MB.
_MAX_JSON = 1 << 29
_BUFFER = 1 << 20
#: How far the time of the signature may be from its time stamp (wacz-auth 0.1.0).
_SIGNED_WITHIN = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Statement:
    """What a package states of itself. `agreement` compares a file of it with that."""

    hashes: _Hashes
    sizes: _Sizes
    problem: Agreement | None = None  #: what is wrong with the statement as a whole; it then counts for every file
    detail: str = ""  #: what exactly is wrong, or why there is no bound
    signature: Signature = "none"
    signer: str | None = None  #: the domain
    stamp: Stamp | None = None  #: the time stamp over the signature
    existed_by: datetime | None = None  #: by when all files that agree existed; None without a verified time stamp
    attested_by: str | None = None
    software: str = ""  #: that wrote the package, as stated

    def algorithms(self, name: str) -> frozenset[str]:
        """Return the hashes, by their names in `hashlib`, that `agreement` needs of a file."""
        return frozenset(algorithm for algorithm, _ in self.hashes.get(_plain(name), ()) if _is_known(algorithm))

    def agreement(self, name: str, digests: Mapping[str, str], size: int | None = None) -> Agreement:
        """Compare a file with what is stated.

        Args:
            name: of the entry of the package.
            digests: its hashes in hexadecimal, those of `algorithms(name)`.
            size: in bytes.
        """
        if self.problem:
            return self.problem
        name = _plain(name)
        stated = self.hashes.get(name, ())
        differs = size is not None and any(each != size for each in self.sizes.get(name, ()))
        if differs or any(_is_known(algorithm) and digests[algorithm] != value for algorithm, value in stated):
            return "unstated" if self._is_stale(name) else "altered"
        if any(not _is_known(algorithm) for algorithm, _ in stated):
            return "unreadable"
        return "agrees" if any(algorithm in _STRONG for algorithm, _ in stated) else "unstated"

    def _is_stale(self, name: str) -> bool:
        """Return whether a hash that differs is the known fault of js-wacz, which hashes archives before it has written
        them (https://github.com/harvard-lil/js-wacz/issues/127), and not a sign that the file was altered."""
        return "js-wacz" in self.software and name.startswith("archive/")


@dataclass(frozen=True, slots=True)
class WaczEvidence:
    """What a whole package proves, after all its files were read."""

    files: dict[str, Agreement] = field(default_factory=dict)  #: of each entry but the two JSON files
    missing: tuple[str, ...] = ()  #: stated, and not there
    statement: Statement = field(default_factory=lambda: Statement({}, {}))

    @property
    def existed_by(self) -> datetime | None:
        """By when the files that agree existed, as a verified time stamp says."""
        return self.statement.existed_by


@dataclass(frozen=True, slots=True)
class Signed:
    """The files of a package that existed by the time of its signature."""

    names: frozenset[str]
    existed_by: datetime
    attested_by: str

    @classmethod
    def of(cls, file: BinaryIO) -> Signed | None:
        """Read what the signature of a package bounds; None where there is no verified time stamp.

        Only a package with such a time stamp is read as a whole.
        """
        try:
            statement = read_statement(zipfile.ZipFile(file))
            if statement.existed_by is None:
                return None
            evidence = wacz_evidence(file)
        except SourceError:
            raise
        except Exception:  # no ZIP file that can be read; zipfile raises whatever its codecs raise
            return None
        names = frozenset(name for name, agreement in evidence.files.items() if agreement == "agrees")
        at = evidence.existed_by
        return cls(names, at, evidence.statement.attested_by or "") if at else None

    def covers(self, name: str) -> bool:
        """Return whether the signature covers an entry, or one of a package in an entry (`a.wacz!/b.warc`)."""
        return _plain(name.partition("!/")[0]) in self.names


def wacz_evidence(
    file: BinaryIO,
    certificates: Sequence[Certificate] | None = None,
    domains: Sequence[Certificate] | None = None,
) -> WaczEvidence:
    """Read a whole WACZ, and compare it with what it states.

    Args:
        certificates: trusted roots of time-stamp authorities; None: `known_authorities("timestamps")`.
        domains: trusted roots of domain certificates; None: `known_authorities("domains")`.

    Raises:
        SourceError: it is not a ZIP file that can be read.
    """
    try:
        package = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise SourceError(f"not a ZIP file that can be read: {error}") from None
    statement = read_statement(package, certificates, domains)
    agreements: dict[str, Agreement] = {}
    for info in package.infolist():
        name = _plain(info.filename)
        if name in {MANIFEST, DIGEST} or info.is_dir():
            continue
        agreement = _agreement(package, info, statement)
        # of two entries of one name, either may be the one that is read
        agreements[name] = agreement if agreements.get(name, agreement) == agreement else "altered"
    missing = tuple(sorted(statement.hashes.keys() - agreements.keys()))
    return WaczEvidence(dict(sorted(agreements.items())), missing, statement)


def read_statement(
    package: zipfile.ZipFile,
    certificates: Sequence[Certificate] | None = None,
    domains: Sequence[Certificate] | None = None,
) -> Statement:
    """Read what a package states of itself; its other files are not read.

    Args: as of `wacz_evidence`.
    """
    names = [_plain(info.filename) for info in package.infolist()]
    if any(names.count(name) > 1 for name in (MANIFEST, DIGEST)):
        return Statement({}, {}, "altered", "two entries have the name of its manifest")
    if MANIFEST not in names:
        return Statement({}, {}, "unreadable" if DIGEST in names else None, f"no {MANIFEST}")
    try:
        content = _read(package, MANIFEST)
        manifest = json.loads(content, object_pairs_hook=_once)
        hashes, sizes = _resources(manifest)
    except Exception as error:  # zipfile raises whatever its codecs raise, and JSON may have any shape
        return Statement({}, {}, "unreadable", f"{MANIFEST}: {error}"[:200])
    statement = _digest_statement(package, names, content, hashes, sizes, certificates, domains)
    software = manifest.get("software")
    return replace(statement, software=software if isinstance(software, str) else "")


def _digest_statement(
    package: zipfile.ZipFile,
    names: Sequence[str],
    content: bytes,
    hashes: _Hashes,
    sizes: _Sizes,
    certificates: Sequence[Certificate] | None,
    domains: Sequence[Certificate] | None,
) -> Statement:
    """Compare `datapackage.json` with its own hash, and check the signature over that."""
    if DIGEST not in names:
        return Statement(hashes, sizes, detail="not signed")
    try:
        digest = json.loads(_read(package, DIGEST), object_pairs_hook=_once)
        stated, signed = digest["hash"], digest.get("signedData")
        if signed is not None and not isinstance(signed, dict):
            raise TypeError("signedData is no object")
    except Exception as error:
        return Statement(hashes, sizes, "unreadable", f"{DIGEST}: {type(error).__name__} {error}"[:200])
    if stated != f"sha256:{hashlib.sha256(content).hexdigest()}":
        return Statement(hashes, sizes, "altered", f"{DIGEST} has another hash of {MANIFEST}")
    if not signed:
        return Statement(hashes, sizes, detail="not signed")
    if signed.get("hash") != stated:
        return Statement(hashes, sizes, "altered", "the signed hash is another one")
    try:
        require_libraries("the signature of a WACZ")
    except ArchiveError as error:  # the hashes count, but there is no bound
        return Statement(hashes, sizes, None, str(error), "unchecked")
    return _signed(hashes, sizes, signed, certificates, domains)


# -- hashes ----------------------------------------------------------------------------------------


def _plain(name: str) -> str:
    return name.replace("\\", "/").removeprefix("./")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object, in which each key may occur once: readers differ in which of two they take."""
    if len(found := dict(pairs)) != len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _is_known(algorithm: str) -> bool:
    return algorithm in _STRONG or algorithm in _WEAK


def _read(package: zipfile.ZipFile, name: str) -> bytes:
    info = next(each for each in package.infolist() if _plain(each.filename) == name)
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
        name = _plain(resource["path"])
        value, size = resource.get("hash", stats.get("hash")), resource.get("bytes", stats.get("bytes"))
        if value is not None:
            algorithm, colon, digits = str(value).partition(":")
            if not colon:  # the data package standard: MD5 where nothing else is said
                algorithm, digits = str(resource.get("hashing", "md5")), algorithm
            hashes[name] = (*hashes.get(name, ()), (algorithm.strip().lower().replace("-", ""), digits.strip().lower()))
        if size is not None:
            sizes[name] = (*sizes.get(name, ()), int(size))
    return hashes, sizes


def _agreement(package: zipfile.ZipFile, info: zipfile.ZipInfo, statement: Statement) -> Agreement:
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
        return "unreadable"
    return statement.agreement(info.filename, {name: each.hexdigest() for name, each in hashes.items()}, size)


# -- signatures ------------------------------------------------------------------------------------


def _signed(
    hashes: _Hashes,
    sizes: _Sizes,
    signed: dict[str, Any],
    certificates: Sequence[Certificate] | None,
    domains: Sequence[Certificate] | None,
) -> Statement:
    from cryptography.exceptions import InvalidSignature

    try:
        chain = _certificates(signed["domainCert"]) if "domainCert" in signed else []
        _check_signature(signed, chain)
    except InvalidSignature:
        return Statement(hashes, sizes, "altered", "the signature does not hold", "invalid")
    except Exception as error:  # the decoders raise whatever they raise
        detail = f"the signature cannot be read: {type(error).__name__} {error}"[:200]
        return Statement(hashes, sizes, "unreadable", detail, "invalid")
    if not chain:
        return Statement(hashes, sizes, None, "signed by an anonymous key, without a time stamp", "valid")
    signer = str(signed.get("domain", ""))
    try:
        stamp = verify_token(
            base64.b64decode(signed["timeSignature"]),
            _digests(signed["signature"].encode("ascii")),
            certificates,
            _certificates(signed.get("timestampCert", "")),
        )
        created = datetime.fromisoformat(signed["created"])
    except Exception as error:
        detail = f"no time stamp that can be read: {type(error).__name__} {error}"[:200]
        return Statement(hashes, sizes, None, detail, "valid", signer)
    if stamp.at is None:
        return Statement(hashes, sizes, None, f"time stamp: {stamp.detail}", "valid", signer, stamp)
    if problem := _untrusted(chain, signer, stamp.at, domains):
        return Statement(hashes, sizes, None, problem, "valid", signer, stamp)
    if abs((created if created.tzinfo else created.replace(tzinfo=UTC)) - stamp.at) > _SIGNED_WITHIN:
        return Statement(
            hashes, sizes, None, "signed and stamped more than ten minutes apart", "trusted", signer, stamp
        )
    return Statement(hashes, sizes, None, "", "trusted", signer, stamp, stamp.at, f"{stamp.by} for {signer}")


def _digests(data: bytes) -> dict[str, bytes]:
    return {name: hashlib.new(name, data).digest() for name in _STRONG}


def _certificates(text: str) -> list[Certificate]:
    from cryptography import x509

    return x509.load_pem_x509_certificates(text.encode("ascii")) if text else []


def _check_signature(signed: dict[str, Any], chain: Sequence[Certificate]) -> None:
    """Check the signature with the key of the domain, or with the anonymous key.

    Raises:
        InvalidSignature: it does not hold.
    """
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    signature = base64.b64decode(signed["signature"], validate=True)
    if chain:
        key = chain[0].public_key()
    else:
        key = load_der_public_key(base64.b64decode(signed["publicKey"], validate=True))  # type: ignore[assignment]
        half = len(signature) // 2  # the browser's form: r and s, of one length each
        signature = encode_dss_signature(
            int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
        )
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise TypeError("the key is no ECDSA key")
    key.verify(signature, signed["hash"].encode("ascii"), ec.ECDSA(hashes.SHA256()))


def _untrusted(
    chain: Sequence[Certificate], domain: str, at: datetime, domains: Sequence[Certificate] | None
) -> str | None:
    """Return why the certificate of a domain was not trusted at a moment; None: it was."""
    from cryptography import x509
    from cryptography.x509.verification import PolicyBuilder, Store

    roots = list(known_authorities("domains") if domains is None else domains)
    if not roots:
        return "no authority of domains is trusted"
    try:
        policy = PolicyBuilder().store(Store(roots)).time(at.replace(tzinfo=None))
        policy.build_server_verifier(x509.DNSName(domain)).verify(chain[0], list(chain[1:]))
    except Exception as error:  # names and certificates of any shape
        return f"the certificate of {domain or 'the domain'} was not trusted then: {error}"[:300]
    return None
