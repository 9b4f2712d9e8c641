"""A time-stamp authority of OpenSSL, on loopback: the independent judge of what `archive.evidence` says of tokens."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_CONFIG = """
[req]
distinguished_name = name
[name]
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[middle]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
[stamps]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
[server]
basicConstraints = critical, CA:FALSE
extendedKeyUsage = critical, serverAuth
[tsa]
default_tsa = here
[here]
serial = {folder}/serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha1, sha256, sha384, sha512
accuracy = secs:{accuracy}
ordering = yes
ess_cert_id_alg = sha256
"""


def openssl(*words: str | Path, check: bool = True) -> bool:
    """Run OpenSSL; return whether it succeeded."""
    done = subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True)
    assert not check or done.returncode == 0, done.stderr
    return done.returncode == 0


class Authority:
    """A root certificate, one in between, and one that signs time stamps, in a folder.

    Args:
        accuracy: of the time in a token, in seconds.
        purpose: the section of the signing certificate: `stamps`, or `server` for one that may not sign time stamps.
    """

    def __init__(self, folder: Path, accuracy: int = 1, purpose: str = "stamps", name: str = "Test") -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.config = folder / "openssl.cnf"
        self.config.write_text(_CONFIG.format(folder=folder, accuracy=accuracy))
        (folder / "serial").write_text("01\n")
        self.root, self.middle, self.signer = (folder / f"{each}.pem" for each in ("root", "middle", "signer"))
        self._issue(self.root, f"/CN={name} Root", "root", None)
        self._issue(self.middle, f"/CN={name} Middle", "middle", self.root)
        self._issue(self.signer, f"/CN={name} Stamps", purpose, self.middle)

    def _issue(self, certificate: Path, subject: str, section: str, issuer: Path | None) -> None:
        key, request = certificate.with_suffix(".key"), certificate.with_suffix(".csr")
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
        openssl("req", "-new", "-key", key, "-subj", subject, "-config", self.config, "-out", request)
        by = (
            ["-key", key]
            if issuer is None
            else ["-CA", issuer, "-CAkey", issuer.with_suffix(".key"), "-CAcreateserial"]
        )
        kind = ["-signkey", key] if issuer is None else by
        openssl("x509", "-req", "-in", request, *kind, "-days", "30", "-extfile", self.config, "-extensions", section, "-out", certificate)  # fmt: skip

    def answer(self, request: bytes, certificates: bool = True) -> bytes:
        """Answer a time-stamp request."""
        asked, answered = self.folder / "asked.tsq", self.folder / "answered.tsr"
        asked.write_bytes(request)
        chain = ["-chain", self.middle] if certificates else []
        openssl("ts", "-reply", "-config", self.config, "-queryfile", asked, "-signer", self.signer,
                "-inkey", self.signer.with_suffix(".key"), *chain, "-out", answered)  # fmt: skip
        return answered.read_bytes()

    def stamp(self, data: bytes, algorithm: str = "sha256", certificates: bool = True) -> bytes:
        """Return a response for some bytes."""
        file, request = self.folder / "data", self.folder / "data.tsq"
        file.write_bytes(data)
        openssl("ts", "-query", "-data", file, f"-{algorithm}", *(["-cert"] if certificates else []), "-out", request)
        return self.answer(request.read_bytes(), certificates)

    def judges(self, token: bytes, data: bytes) -> bool:
        """Return whether `openssl ts -verify` accepts a response for some bytes."""
        file, answered = self.folder / "judged", self.folder / "judged.tsr"
        file.write_bytes(data)
        answered.write_bytes(token)
        return openssl("ts", "-verify", "-in", answered, "-data", file, "-CAfile", self.root,
                       "-untrusted", self.middle, check=False)  # fmt: skip

    @contextmanager
    def served(self) -> Iterator[str]:
        """Answer requests over HTTP on loopback; yield the URL."""
        authority = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                answer = authority.answer(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_address[1]}/tsr"
            server.shutdown()
