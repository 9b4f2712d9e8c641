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
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from archive.attestations.timestamps import Stamp, known_authorities, require_libraries, verify_token
from archive.errors import ArchiveError, SourceError
from archive.records import manifest
from archive.records.manifest import Agreement

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

#: none: no signature. valid: it holds, by a key that nobody vouches for or whose authority is not trusted. trusted: it
#: holds, by the key of a domain, as a trusted authority certifies. invalid: it does not hold, or cannot be read.
#: unchecked: the libraries of the extra `evidence` are not installed.
Signature = Literal["none", "valid", "trusted", "invalid", "unchecked"]

#: How far the time of the signature may be from its time stamp (wacz-auth 0.1.0).
_SIGNED_WITHIN = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Statement(manifest.Statement):
    """What a package states of itself, with the signature over it."""

    signature: Signature = "none"
    signer: str | None = None  #: the domain
    stamp: Stamp | None = None  #: the time stamp over the signature
    existed_by: datetime | None = None  #: by when all files that agree existed; None without a verified time stamp
    attested_by: str | None = None


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
        return manifest.plain(name.partition("!/")[0]) in self.names


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
        name = manifest.plain(info.filename)
        if name in {manifest.MANIFEST, manifest.DIGEST} or info.is_dir():
            continue
        agreement, _ = manifest.compare(package, info, statement)
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
    read, digest = manifest.read_manifest(package)
    hashes, sizes = read.hashes, read.sizes
    signed = digest and digest.get("signedData")
    if read.problem or not signed:
        return Statement(hashes, sizes, read.problem, read.detail, software=read.software)
    try:
        require_libraries("the signature of a WACZ")
    except ArchiveError as error:  # the hashes count, but there is no bound
        return Statement(hashes, sizes, None, str(error), "unchecked", software=read.software)
    return replace(_signed(hashes, sizes, signed, certificates, domains), software=read.software)


# -- signatures ------------------------------------------------------------------------------------


def _signed(
    hashes: manifest.Hashes,
    sizes: manifest.Sizes,
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
    return {name: hashlib.new(name, data).digest() for name in manifest.STRONG}


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
