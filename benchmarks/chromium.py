"""The browser that some benchmarks compare with (Debian: `apt-get install chromium`)."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any


def headless(program: str, profile: str, *arguments: str) -> list[str]:
    """Return the command that starts Chromium without a window, with a profile of its own."""
    return [program, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}", *arguments]


class Browser:
    """Headless Chromium, spoken to with the DevTools protocol through a pipe."""

    def __init__(self, program: str, folder: str, *arguments: str) -> None:
        (their_in, self._out), (self._in, their_out) = os.pipe(), os.pipe()

        def descriptors() -> None:
            copies = os.dup(their_in), os.dup(their_out)
            os.dup2(copies[0], 3)
            os.dup2(copies[1], 4)

        self._process = subprocess.Popen(
            headless(program, folder, "--remote-debugging-pipe", *arguments, "about:blank"),
            preexec_fn=descriptors,
            close_fds=False,
            stderr=subprocess.DEVNULL,
        )
        os.close(their_in)
        os.close(their_out)
        self._rest, self._number = b"", 0
        self.version = str(self.call("Browser.getVersion")["product"])
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if hasattr(self, "_session"):
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != self._number:
            pass
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return dict(answer["result"])

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            piece = os.read(self._in, 1 << 16)
            if not piece:
                raise RuntimeError("the browser has ended")
            self._rest += piece
        message, self._rest = self._rest.split(b"\0", 1)
        return dict(json.loads(message))

    def load(self, url: str) -> None:
        """Load a page, and wait until it is there."""
        self.call("Page.navigate", url=url)
        while self._read().get("method") != "Page.loadEventFired":
            pass

    def value(self, script: str) -> Any:
        """Return what a script gives in the page that is loaded; None where it fails."""
        return self.call("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def open(self, url: str) -> tuple[str, str]:
        """Load a page. Returns its encoding in lower case, and the text of the element with id `t`, or of all."""
        self.load(url)
        name, text = self.value("[document.characterSet, (document.getElementById('t') || document.body).textContent]")
        return name.lower(), text

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
