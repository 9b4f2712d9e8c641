"""Errors that a user can mend, and how any error is said in one line: what is wrong, and what to do."""

from __future__ import annotations

import errno
import re

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
#: What a terminal may take for a command: controls but for line ends and tabs, and changes of direction.
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
#: The same, and what ends a line.
_LINE = re.compile(f"{CONTROL.pattern[:-1]}\n\u2028\u2029]")
_TREE = re.compile(r"^[\s↳├└─│]+")
#: What a store says (several libraries, several servers) -> what it means, and what to do. The first that matches.
_STORE = (
    (
        r"NoSuchBucket|bucket does not exist|NO_SUCH_BUCKET|Bucket .{0,80}not found",
        "there is no such bucket; make it, or check its name and the endpoint ($AWS_ENDPOINT_URL)",
    ),
    (
        r"RequestTimeTooSkewed|REQUEST_TIME_TOO_SKEWED",
        "the clock of this machine differs from that of the store; set it",
    ),
    (r"ExpiredToken|TokenRefreshRequired", "the credentials have expired; get new ones"),
    (
        r"SlowDown|SLOW_DOWN|ServiceUnavailable|\b503\b",
        "the store asks for fewer requests; run the same command again later",
    ),
    (
        r"InvalidAccessKeyId|SignatureDoesNotMatch|ACCESS_DENIED|AccessDenied|InvalidToken|"
        r"Forbidden\b|\b403\b|PermissionDenied",
        "the store refuses these credentials; check $AWS_ACCESS_KEY_ID, $AWS_SECRET_ACCESS_KEY and $AWS_REGION",
    ),
    (
        r"IMDS|credential|instance metadata|169\.254\.169\.254|NoCredentials",
        "no credentials for the store; set $AWS_ACCESS_KEY_ID and $AWS_SECRET_ACCESS_KEY",
    ),
    (
        r"[Cc]onnection refused|tcp connect|NETWORK_CONNECTION|[Cc]ould not connect|dns error|resolve host|"
        r"error sending request|timed? ?out|curlCode",
        "the store does not answer; check the network and the endpoint ($AWS_ENDPOINT_URL)",
    ),
)


class ArchiveError(Exception):
    """Base of every error that the `archive` command prints as one line (exit status 2)."""


class SourceError(ArchiveError):
    """A source cannot be found or read."""


class QueryError(ArchiveError):
    """A question that cannot be answered."""


class LakeError(ArchiveError):
    """The lake cannot be opened, or holds something that this version cannot read."""


class ExportError(ArchiveError):
    """A set cannot be exported, or an export not be read."""


class CollapseError(ArchiveError):
    """A collapse test cannot be run."""


class CrawlError(ArchiveError):
    """A crawl cannot be begun, or its folder not be read."""


def error_line(error: BaseException) -> str:
    """Any error in one line, with what to do where that is known.

    >>> error_line(FileNotFoundError(2, "No such file or directory", "a.warc"))
    'a.warc: No such file or directory'
    """
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"this needs {error.name.partition('.')[0]}, which is not installed; README.md lists the extras"
    if isinstance(error, MemoryError):
        return "not enough memory; fewer --workers, or a smaller --memory, need less"
    if isinstance(error, OSError) and error.errno is not None and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        what = error.strerror.split("\n", 1)[0]
        if error.errno == errno.ENOSPC:
            what = "the disk is full; free some space and run the same command again"
        return f"{place}{what}"
    lines = [_TREE.sub("", line).strip() for line in _COLOURS.sub("", str(error)).splitlines()]
    lines = [line for line in lines if line]
    if not lines:
        return type(error).__name__
    # libraries that nest their errors say the cause last
    line = lines[0] if len(lines) == 1 or lines[-1] in lines[0] else f"{lines[0]} ({lines[-1]})"
    return line if len(line) <= 500 else line[:499] + "…"


def store_line(error: BaseException) -> str:
    """What an object store's error means, in one line; a library's text may have seventy."""
    text = _COLOURS.sub("", str(error))
    for pattern, meaning in _STORE:
        if re.search(pattern, text):
            return meaning
    return error_line(error)


def visible(text: str) -> str:
    r"""Return a text in which a terminal finds no command: each control is written as Python does.

    URLs and names of files hold what somebody wrote there. The texts of a lake have no controls, but they may have the
    characters that change the direction of all that follows: these are written out too.

    >>> print(visible("http://example.com/\x1b[2J\u202egpj.exe"))
    http://example.com/\x1b[2J\u202egpj.exe
    """
    return CONTROL.sub(_written, text)


def visible_line(text: str) -> str:
    r"""Return the same of what belongs into one line, as a URL does: nobody may write a line of our output.

    >>> print(visible_line("http://example.com/\n2001-01-01, grade A"))
    http://example.com/\x0a2001-01-01, grade A
    """
    return _LINE.sub(_written, text)


def _written(control: re.Match[str]) -> str:
    number = ord(control[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"


def cause_line(error: OSError) -> str:
    """What the system says of a file, in one line, without its name."""
    return error.strerror or str(error).split("\n", 1)[0]
