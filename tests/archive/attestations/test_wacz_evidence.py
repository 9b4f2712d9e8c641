"""What a WACZ states of its own files: hashes, signatures, time stamps."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import sys
import warnings
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from authority import Authority
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from archive.attestations.timestamps import read_certificates
from archive.attestations.wacz import WaczEvidence, wacz_evidence

FILES = {"archive/data.warc.gz": b"a record", "pages/pages.jsonl": b"{}\n"}
DOMAIN = "signer.example"
#: The order of P-256.
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def resource(name: str, data: bytes) -> dict[str, Any]:
    return {"path": name, "hash": f"sha256:{hashlib.sha256(data).hexdigest()}", "bytes": len(data)}


def manifest_of(files: dict[str, bytes], **more: Any) -> bytes:
    return json.dumps({"resources": [resource(*each) for each in files.items()], **more}).encode()


def hash_of(manifest: bytes) -> str:
    return f"sha256:{hashlib.sha256(manifest).hexdigest()}"


def wacz(
    files: dict[str, bytes], manifest: bytes | None, digest: Any = None, more: list[tuple[str, bytes]] | None = None
) -> io.BytesIO:
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w") as package:
        warnings.simplefilter("ignore")  # two entries of one name
        for name, data in files.items():
            package.writestr(name, data)
        if manifest is not None:
            package.writestr("datapackage.json", manifest)
        if digest is not None:
            package.writestr("datapackage-digest.json", json.dumps(digest) if not isinstance(digest, bytes) else digest)
        for name, data in more or []:
            package.writestr(name, data)
    return file


def states(file: io.BytesIO) -> set[str]:
    return set(wacz_evidence(file).files.values())


# -- hashes ----------------------------------------------------------------------------------------


def test_files_that_have_their_hashes_agree() -> None:
    manifest = manifest_of(FILES)
    for digest in (None, {"path": "datapackage.json", "hash": hash_of(manifest)}):
        found = wacz_evidence(wacz(FILES, manifest, digest))
        assert found.files == dict.fromkeys(FILES, "agrees")
        assert (found.existed_by, found.missing) == (None, ())


@pytest.mark.parametrize(
    ("files", "state"),
    [
        ({**FILES, "archive/data.warc.gz": b"another "}, "altered"),
        ({**FILES, "archive/data.warc.gz": b"a record, longer"}, "altered"),
        ({**FILES, "archive/more.warc.gz": b""}, "unstated"),
    ],
)
def test_a_file_that_was_replaced_is_altered(files: dict[str, bytes], state: str) -> None:
    found = wacz_evidence(wacz(files, manifest_of(FILES)))
    assert found.files.pop(list(files)[0 if state == "altered" else -1]) == state
    assert set(found.files.values()) == {"agrees"}


def test_a_file_that_is_gone_is_named() -> None:
    assert wacz_evidence(wacz({}, manifest_of(FILES))).missing == tuple(FILES)


def test_a_manifest_that_was_replaced_alters_all_that_it_names() -> None:
    manifest = manifest_of(FILES)
    assert states(wacz(FILES, manifest + b" ", {"hash": hash_of(manifest)})) == {"altered"}
    assert states(wacz(FILES, manifest, {"hash": hash_of(manifest), "signedData": {"hash": "sha256:0"}})) == {"altered"}
    assert states(wacz(FILES, manifest, None, [("datapackage.json", manifest)])) == {"altered"}


@pytest.mark.parametrize(
    ("manifest", "digest", "state"),
    [
        (None, None, "unstated"),
        (b"{", None, "unreadable"),
        (b"[]", None, "unreadable"),
        (b'{"resources": [{}]}', None, "unreadable"),
        (b'{"resources": [], "resources": []}', None, "unreadable"),
        (b'{"resources": []}', b"{", "unreadable"),
        (b'{"resources": []}', [], "unreadable"),
        (b'{"resources": []}', {}, "unreadable"),
        (b'{"resources": []}', None, "unstated"),
        (b'{"software": ["any"]}', None, "unstated"),
        (None, {"hash": ""}, "unreadable"),
    ],
)
def test_what_cannot_be_read_is_not_taken_for_absent(manifest: bytes | None, digest: Any, state: str) -> None:
    assert states(wacz(FILES, manifest, digest)) == {state}


@pytest.mark.parametrize(
    "path",
    ["./{}", "/{}", "././{}", "x/../{}", "archive//data.warc.gz", "archive\\data.warc.gz", "Archive/DATA.warc.gz"],
)
def test_a_path_is_the_same_however_it_is_written(path: str) -> None:
    name = "archive/data.warc.gz"
    written = path.format(name)
    for data, state in ((FILES[name], "agrees"), (b"another", "altered")):
        assert wacz_evidence(wacz({name: data}, manifest_of({written: FILES[name]}))).files == {name: state}
        assert set(wacz_evidence(wacz({written: data}, manifest_of({name: FILES[name]}))).files.values()) == {state}


def test_names_that_differ_in_capitals_are_two_where_both_are_stated() -> None:
    files = {"archive/a.warc.gz": b"one", "archive/A.warc.gz": b"another"}
    assert wacz_evidence(wacz(files, manifest_of(files))).files == dict.fromkeys(files, "agrees")


def test_the_name_of_the_manifest_may_have_capitals() -> None:
    manifest = manifest_of(FILES)
    changed = {**FILES, "archive/data.warc.gz": b"another "}
    found = wacz_evidence(wacz(changed, None, None, [("DataPackage.json", manifest)]))
    assert found.files == {"archive/data.warc.gz": "altered", "pages/pages.jsonl": "agrees"}


def test_older_forms_of_hashes_and_weak_ones() -> None:
    (name, data), *_ = FILES.items()
    one = {name: data}

    def stated(**fields: Any) -> str:
        manifest = json.dumps({"resources": [{"path": name, **fields}]}).encode()
        return wacz_evidence(wacz(one, manifest)).files[name]

    sha256, md5 = hashlib.sha256(data).hexdigest(), hashlib.md5(data).hexdigest()
    assert stated(stats={"hash": sha256, "bytes": len(data)}, hashing="sha256") == "agrees"
    assert stated(hash="SHA-256:" + sha256.upper()) == "agrees"
    assert stated(hash=md5) == "unstated"  # it binds nothing
    assert stated(hash=sha256[:10] + ":" + sha256) == "unreadable"
    assert stated(hash="md5:" + md5[::-1]) == "altered"
    assert stated(hash="sha256:" + sha256[:24]) == "altered"
    assert stated(bytes=len(data)) == "unstated"
    assert stated(bytes=1) == "altered"
    # where both forms are there, both count
    right, wrong = f"sha256:{sha256}", f"sha256:{'0' * 64}"
    assert stated(hash=right, stats={"hash": right, "bytes": len(data)}) == "agrees"
    assert stated(hash=right, stats={"hash": wrong}) == "altered"
    assert stated(hash=None, stats={"hash": wrong}) == "altered"
    assert stated(hash=None, stats={"hash": right}) == "agrees"
    assert stated(bytes=None, stats={"bytes": 1}) == "altered"
    assert stated(bytes=len(data), stats={"bytes": 1}) == "altered"


def test_of_two_hashes_or_two_entries_all_must_agree() -> None:
    (name, data), *_ = FILES.items()
    both = json.dumps({"resources": [resource(name, data), resource(name, b"other")]}).encode()
    assert states(wacz({name: data}, both)) == {"altered"}
    twice = wacz({name: data}, manifest_of({name: data}), None, [(name, b"other")])
    assert states(twice) == {"altered"}


def test_the_stale_hash_of_js_wacz_is_no_hash() -> None:
    manifest = manifest_of({**FILES, "archive/data.warc.gz": b"what was hashed"}, software="@harvard-lil/js-wacz 0.1.6")
    found = wacz_evidence(wacz(FILES, manifest))
    assert found.files == {"archive/data.warc.gz": "unstated", "pages/pages.jsonl": "agrees"}


# -- signatures ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tsa") / "a", accuracy=0)


class Domains:
    """An authority of domain certificates."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.root = self._build("Domains", self.key.public_key(), datetime.now(UTC) - timedelta(days=30), None)

    def issue(self, key: ec.EllipticCurvePrivateKey, since: datetime, domain: str = DOMAIN) -> x509.Certificate:
        return self._build(domain, key.public_key(), since, domain)

    def _build(
        self, name: str, key: ec.EllipticCurvePublicKey, since: datetime, domain: str | None
    ) -> x509.Certificate:
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Domains")])
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(since)
            .not_valid_after(since + timedelta(days=90))
            .add_extension(x509.BasicConstraints(domain is None, None), critical=True)
        )
        if domain is None:
            usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
            builder = builder.add_extension(usage, critical=True)
            identifier = x509.SubjectKeyIdentifier.from_public_key(key)
            builder = builder.add_extension(identifier, critical=False)
        else:
            names = x509.SubjectAlternativeName([x509.DNSName(domain)])
            builder = builder.add_extension(names, critical=False)
            builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            issued = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
            builder = builder.add_extension(issued, critical=False)
        return builder.sign(self.key, hashes.SHA256())


DOMAINS = Domains()
KEY = ec.generate_private_key(ec.SECP256R1())


def signed(
    authority: Authority,
    manifest: bytes,
    key: ec.EllipticCurvePrivateKey = KEY,
    since: datetime | None = None,
    domains: Domains = DOMAINS,
    signature: str | None = None,
    token: bytes | None = None,
    created: datetime | None = None,
    **more: str,
) -> dict[str, Any]:
    """The digest file of a package that a domain has signed."""
    text = hash_of(manifest)
    signature = signature or base64.b64encode(key.sign(text.encode(), ec.ECDSA(hashes.SHA256()))).decode()
    token = token or authority.stamp(signature.encode())
    certificate = domains.issue(key, since or datetime.now(UTC) - timedelta(days=1))
    data = {
        "hash": text,
        "created": (created or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "software": "made here",
        "signature": signature,
        "domain": DOMAIN,
        "domainCert": certificate.public_bytes(Encoding.PEM).decode(),
        "timeSignature": base64.b64encode(token).decode(),
        "timestampCert": authority.signer.read_text() + authority.middle.read_text() + authority.root.read_text(),
        "version": "0.1.0",
        **more,
    }
    return {"path": "datapackage.json", "hash": text, "signedData": data}


def judged(file: io.BytesIO, authority: Authority, domains: Domains = DOMAINS) -> WaczEvidence:
    return wacz_evidence(file, read_certificates([authority.root]), [domains.root])


def test_a_signed_package_existed_by_its_time_stamp(authority: Authority) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    manifest = manifest_of(FILES)
    found = judged(wacz(FILES, manifest, signed(authority, manifest)), authority)
    assert found.statement.detail == ""
    assert found.statement.signature == "trusted"
    assert found.existed_by is not None
    assert before <= found.existed_by <= datetime.now(UTC)
    assert found.statement.attested_by == f"Test Stamps for {DOMAIN}"
    assert set(found.files.values()) == {"agrees"}


def test_nobody_is_trusted_who_is_not_known(authority: Authority) -> None:
    manifest = manifest_of(FILES)
    file = wacz(FILES, manifest, signed(authority, manifest))
    for found in (
        wacz_evidence(file),
        wacz_evidence(file, read_certificates([authority.root])),
        wacz_evidence(file, None, [DOMAINS.root]),
        wacz_evidence(file, [], []),
        judged(file, authority, Domains()),
    ):
        assert found.existed_by is None
        assert found.statement.signature == "valid"
        assert set(found.files.values()) == {"agrees"}


def test_a_signature_that_does_not_hold_alters_all(authority: Authority) -> None:
    manifest = manifest_of(FILES)
    other = manifest_of({**FILES, "pages/pages.jsonl": b"x"})
    wrong = signed(authority, other)["signedData"]["signature"]
    found = judged(wacz(FILES, manifest, signed(authority, manifest, signature=wrong)), authority)
    assert (found.statement.signature, found.existed_by) == ("invalid", None)
    assert set(found.files.values()) == {"altered"}
    for text in ("", "AAAA", "no base64", "é"):
        digest = signed(authority, manifest)
        digest["signedData"]["signature"] = text
        found = judged(wacz(FILES, manifest, digest), authority)
        assert (found.statement.signature, found.existed_by) == ("invalid", None)
        assert set(found.files.values()) <= {"altered", "unreadable"}


@pytest.mark.parametrize("missing", ["timeSignature", "timestampCert", "created", "domain"])
def test_without_all_its_parts_a_signature_dates_nothing(authority: Authority, missing: str) -> None:
    manifest = manifest_of(FILES)
    digest = signed(authority, manifest)
    del digest["signedData"][missing]
    if missing == "timestampCert":  # needed where the token has no certificates
        token = authority.stamp(digest["signedData"]["signature"].encode(), certificates=False)
        digest["signedData"]["timeSignature"] = base64.b64encode(token).decode()
    assert judged(wacz(FILES, manifest, digest), authority).existed_by is None


def test_a_time_stamp_of_something_else_dates_nothing(authority: Authority) -> None:
    manifest = manifest_of(FILES)
    digest = signed(authority, manifest, token=authority.stamp(b"another signature"))
    assert judged(wacz(FILES, manifest, digest), authority).existed_by is None


def test_signed_and_stamped_must_be_close(authority: Authority) -> None:
    manifest = manifest_of(FILES)
    for minutes, near in ((-11, False), (-9, True), (9, True), (11, False)):
        digest = signed(authority, manifest, created=datetime.now(UTC) + timedelta(minutes=minutes))
        assert (judged(wacz(FILES, manifest, digest), authority).existed_by is not None) == near


def test_the_certificate_must_be_of_the_domain_and_of_the_time(authority: Authority) -> None:
    manifest = manifest_of(FILES)
    for days in (-100, 1):
        digest = signed(authority, manifest, since=datetime.now(UTC) + timedelta(days=days))
        found = judged(wacz(FILES, manifest, digest), authority)
        assert found.existed_by is None
        assert "not trusted then" in found.statement.detail
    digest = signed(authority, manifest, domain="other.example")
    assert judged(wacz(FILES, manifest, digest), authority).existed_by is None


def test_an_old_token_does_not_date_a_new_package(authority: Authority) -> None:
    """Whoever chose the nonce of a signature can find a key by which it also signs another message."""
    old, new = manifest_of(FILES), manifest_of({**FILES, "pages/pages.jsonl": b"of today"})
    nonce, secret = 0x1234567890ABCDEF, 0xFEDCBA0987654321

    def number(manifest: bytes) -> int:
        return int.from_bytes(hashlib.sha256(hash_of(manifest).encode()).digest(), "big")

    r = ec.derive_private_key(nonce, ec.SECP256R1()).public_key().public_numbers().x % N
    s = pow(nonce, -1, N) * (number(old) + r * secret) % N
    signature = base64.b64encode(encode_dss_signature(r, s)).decode()
    first = signed(authority, old, ec.derive_private_key(secret, ec.SECP256R1()), signature=signature)
    assert judged(wacz(FILES, old, first), authority).existed_by is not None
    token = base64.b64decode(first["signedData"]["timeSignature"])
    key = ec.derive_private_key((s * nonce - number(new)) * pow(r, -1, N) % N, ec.SECP256R1())
    later = datetime.now(UTC) + timedelta(days=1)  # an authority certifies the new key when it is asked
    forged = signed(authority, new, key, later, signature=signature, token=token)
    files = {**FILES, "pages/pages.jsonl": b"of today"}
    found = judged(wacz(files, new, forged), authority)
    assert set(found.files.values()) == {"agrees"}
    assert found.statement.signature == "valid"
    assert found.existed_by is None


def test_an_anonymous_signature_is_checked_and_dates_nothing() -> None:
    manifest = manifest_of(FILES)
    key = ec.generate_private_key(ec.SECP384R1())
    r, s = decode_dss_signature(key.sign(hash_of(manifest).encode(), ec.ECDSA(hashes.SHA256())))
    public = base64.b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
    for change, signature in ((0, "valid"), (1, "invalid")):
        text = base64.b64encode((r + change).to_bytes(48, "big") + s.to_bytes(48, "big")).decode()
        data = {"hash": hash_of(manifest), "signature": text, "publicKey": public, "created": "2015-01-01T00:00:00Z"}
        found = wacz_evidence(wacz(FILES, manifest, {"hash": hash_of(manifest), "signedData": data}))
        assert (found.statement.signature, found.existed_by) == (signature, None)


def test_without_the_libraries_hashes_count_and_signatures_date_nothing(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = manifest_of(FILES)
    file = wacz(FILES, manifest, signed(authority, manifest))
    monkeypatch.setitem(sys.modules, "rfc3161_client", None)
    found = wacz_evidence(file)
    assert (found.statement.signature, found.existed_by) == ("unchecked", None)
    assert "lowbackground[evidence]" in found.statement.detail
    assert set(found.files.values()) == {"agrees"}


# -- real packages ---------------------------------------------------------------------------------


def test_the_signed_package_of_the_shared_data_existed_on_18_january_2022(data: Path) -> None:
    with open(data / "wacz" / "valid_signed_example_1.wacz", "rb") as file:
        found = wacz_evidence(file)
    assert found.existed_by == datetime(2022, 1, 18, 19, 0, 12, tzinfo=UTC)
    assert found.statement.signer == "btrix-sign-test.webrecorder.net"
    assert found.statement.stamp is not None
    assert found.statement.stamp.by == "www.freetsa.org"
    assert set(found.files.values()) == {"agrees"}


def test_no_changed_byte_of_the_signed_package_keeps_a_date_for_what_differs(data: Path) -> None:
    whole = (data / "wacz" / "valid_signed_example_1.wacz").read_bytes()
    with zipfile.ZipFile(io.BytesIO(whole)) as package:
        entries = {info.filename: package.read(info) for info in package.infolist()}
    for name, content in entries.items():
        for place in range(0, len(content), 97):
            changed = {**entries, name: content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]}
            found = wacz_evidence(wacz(changed, None))
            if name == "datapackage-digest.json":  # the base64 or the PEM of it may have spare bits
                assert found.existed_by in {None, datetime(2022, 1, 18, 19, 0, 12, tzinfo=UTC)}
            elif name == "datapackage.json":
                assert found.existed_by is None
            else:
                assert found.files[name] == "altered"


@pytest.mark.parametrize("name", ["example.wacz", "example-2.wacz", "quotes.wacz", "valid_example_1.wacz", "valid_example_2.wacz", "multi-wacz.wacz", "invalid_signed_example_1.wacz"])  # fmt: skip
def test_honest_packages_agree_and_have_no_bound(data: Path, name: str) -> None:
    with open(data / "wacz" / name, "rb") as file:
        found = wacz_evidence(file)
    assert set(found.files.values()) == {"agrees"}
    assert found.statement.problem is None
    assert found.existed_by is None
