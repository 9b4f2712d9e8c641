"""The browser that some benchmarks compare with (Debian: `apt-get install chromium`)."""

from __future__ import annotations


def headless(program: str, profile: str, *arguments: str) -> list[str]:
    """Return the command that starts Chromium without a window, with a profile of its own."""
    return [program, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}", *arguments]
