"""The options of an export: all that decides its bytes, next to the lake."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any

from archive.errors import ExportError
from archive.evidence.grade import DEFAULT, asked
from archive.reasons import DATE_SOURCES
from index.quality.presets import PRESETS
from query.formats import FORMATS
from query.rows import TOKEN_FORMATS, columns
from query.typed_json import build, wrong_types

PERIODS = ("year", "month")
#: How far the shares of the splits may sum to something else than one.
_TOLERANCE = 1e-9
_SPLIT_EXAMPLE = "train=0.98,val=0.01,test=0.01"


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """The options of an export, checked. Dates are ISO 8601 in UTC. `query.export.run.export` explains each.

    Raises:
        ExportError: the options contradict each other, or one has no such value.
    """

    before: str
    after: str | None = None
    language: str | None = None
    where: str | None = None
    preset: str | None = None
    near: bool = False
    date_sources: tuple[str, ...] = ()
    honour_opt_outs: bool = False
    sample: float | None = None
    max_tokens: int | None = None
    slices: str | None = None
    split: tuple[tuple[str, float], ...] = ()
    format: str = "parquet"
    tokenizer: str | None = None
    eos: str | None = None
    seed: int = 0
    shard_size: int = 64_000_000
    mask: bool = False
    decontaminate: tuple[str, ...] = ()
    mark: bool = False
    decontaminate_like: tuple[str, ...] = ()
    published: str | None = None
    false_positives: float | None = None
    least_cosine: float | None = None
    drop_like: bool = False
    encoder: str | None = None
    grade: str = DEFAULT
    archives: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "before", moment(self.before))
        for name, value in wrong_types(self):
            raise ExportError(f"{name}: {value!a} is no value that it can have")
        if self.where is not None and not self.where.strip():
            raise ExportError("--where: the condition is empty")
        if self.after is not None:
            object.__setattr__(self, "after", moment(self.after))
            if moment(self.after) >= self.before:
                raise ExportError(f"nothing is after {self.after} and before {self.before}")
        if unknown := set(self.date_sources) - DATE_SOURCES.keys():
            raise ExportError(f"no kind of date {', '.join(sorted(unknown))!r}; there are {', '.join(DATE_SOURCES)}")
        try:
            object.__setattr__(self, "grade", asked(self.grade, self.archives))
        except ValueError as error:
            raise ExportError(str(error)) from None
        if self.language is not None and not re.fullmatch("[a-z]{2,3}", self.language):
            raise ExportError(f"--language {self.language}: write the code of ISO 639-1, as in en")
        if not FORMATS.has(self.format):
            raise ExportError(f"no format {self.format!r}; there are {', '.join(FORMATS)}")
        if self.sample is not None and not 0 < self.sample <= 1:
            raise ExportError(f"--sample {self.sample}: a share above 0 and up to 1")
        if self.max_tokens is not None and not self.tokenizer:
            raise ExportError("--max-tokens needs a --tokenizer that counts them")
        if self.format in TOKEN_FORMATS and not self.tokenizer:
            raise ExportError(f"--format {self.format} holds tokens: it needs a --tokenizer")
        if self.preset is not None and self.preset not in PRESETS:
            raise ExportError(f"no preset {self.preset!r}; there are {', '.join(PRESETS)}")
        if self.slices not in {None, *PERIODS}:
            raise ExportError(f"--slices {self.slices}: {' or '.join(PERIODS)}")
        if self.shard_size < 1:
            raise ExportError("--shard-size must be at least 1")
        if self.mark and not self.decontaminate:
            raise ExportError("--mark says what to do with texts that --decontaminate finds")
        self._check_like()
        _check_split(self.split)

    def _check_like(self) -> None:
        given = {"--published": self.published, "--false-positives": self.false_positives,
                 "--least-cosine": self.least_cosine, "--drop-like": self.drop_like or None,
                 "--encoder": self.encoder}  # fmt: skip
        named = [name for name, value in given.items() if value is not None]
        if named and not self.decontaminate_like:
            raise ExportError(f"{named[0]} is for --decontaminate-like, which names a benchmark")
        if self.published is not None:
            object.__setattr__(self, "published", moment(self.published))
        elif self.decontaminate_like and self.least_cosine is None:
            raise ExportError("--decontaminate-like needs --published DATE, before which no text can be contaminated; "
                              "or a --least-cosine")  # fmt: skip
        if self.least_cosine is not None and not 0 < self.least_cosine <= 1:
            raise ExportError(f"--least-cosine {self.least_cosine:g}: a number above 0 and up to 1")
        if self.least_cosine is not None and self.false_positives is not None:
            raise ExportError("--least-cosine and --false-positives contradict each other: the one decides the other")
        if self.false_positives is not None and not 0 < self.false_positives < 1:
            raise ExportError(f"--false-positives {self.false_positives:g}: a share above 0 and below 1")

    @property
    def columns(self) -> list[str]:
        """The columns of the rows of such an export."""
        like = self.decontaminate_like
        asked = (("token_count", self.tokenizer), ("masked", self.mask), ("contaminated", self.mark),
                 ("like_benchmark", like), ("like_cosine", like), ("like_item", like))  # fmt: skip
        return columns(self.format in TOKEN_FORMATS, [name for name, value in asked if value])

    def as_json(self) -> dict[str, Any]:
        """Return the options as JSON can hold them.

        Those of `--decontaminate-like` are there where it is: a set without it has the roots that it always had.
        """
        lists = {name: list(getattr(self, name)) for name in _LISTS}
        values = {**asdict(self), **lists, "split": dict(self.split)}
        return {name: value for name, value in values.items() if self.decontaminate_like or name not in _LIKE}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ExportOptions:
        """Read what `as_json` returned.

        Raises:
            ExportError: nothing can be exported with these options.
            TypeError, AttributeError, ValueError: these are not options.
        """
        lists = {name: _as_tuple(values.get(name, [])) for name in _LISTS}
        return build(cls, {**values, **lists, "split": tuple(values.get("split", {}).items())})


_LISTS = ("date_sources", "decontaminate", "decontaminate_like")
_LIKE = ("decontaminate_like", "published", "false_positives", "least_cosine", "drop_like", "encoder")


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _check_split(split: tuple[tuple[str, float], ...]) -> None:
    if not split:
        return
    names = [name for name, _ in split]
    if len(set(names)) != len(names) or not all(name.isidentifier() for name in names):
        raise ExportError(f"--split {','.join(names)}: each part needs a name of its own, of letters, digits and _")
    if any(not share > 0 for _, share in split) or not abs(sum(share for _, share in split) - 1) <= _TOLERANCE:
        raise ExportError(f"--split: the shares must be above 0 and sum to 1, as in {_SPLIT_EXAMPLE}")


def names_of(value: str | Iterable[str] | None) -> tuple[str, ...]:
    """Return names that are given as a list, or in one string with commas.

    >>> names_of("warc, arc"), names_of(["warc"]), names_of(None)
    (('warc', 'arc'), ('warc',), ())
    """
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(","))
    try:
        return tuple(value or ())
    except TypeError:
        raise ExportError(f"{value!r} is no list of names") from None


def shares_of(value: str | Mapping[str, float] | Iterable[tuple[str, float]] | None) -> tuple[tuple[str, float], ...]:
    """Return the splits and their shares, which are given by name, or as one string.

    >>> shares_of("train=0.9,test=0.1")
    (('train', 0.9), ('test', 0.1))

    Raises:
        ExportError: a part of the string is not a name and a number.
    """
    if not isinstance(value, str):
        try:
            pairs = value.items() if isinstance(value, Mapping) else value or ()
            return tuple((name, share) for name, share in pairs)
        except (TypeError, ValueError):
            raise ExportError(f"split: {value!r}: write it as {_SPLIT_EXAMPLE}") from None
    shares = []
    for part in value.split(","):
        name, equals, share = part.partition("=")
        try:
            shares.append((name.strip(), float(share if equals else "")))
        except ValueError:
            raise ExportError(f"--split {value}: write it as {_SPLIT_EXAMPLE}") from None
    return tuple(shares)


def date_text(moment: str) -> str:
    """Return a moment that `moment` gave in the form that people write: midnight is the day alone.

    >>> date_text("2022-01-01T00:00:00+00:00"), date_text("2022-01-01T10:30:00+00:00")
    ('2022-01-01', '2022-01-01T10:30:00+00:00')
    """
    return moment.removesuffix("T00:00:00+00:00")


def moment(value: str | date) -> str:
    """Return a date or time as ISO 8601 in UTC.

    Raises:
        ExportError: it is not a date.
    """
    try:
        parsed = datetime.fromisoformat(value.isoformat() if isinstance(value, date) else value)
    except (ValueError, TypeError):
        raise ExportError(f"{value!a} is no date; write it as 2022-01-01") from None
    try:
        return (parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)).isoformat()
    except OverflowError:
        raise ExportError(f"{value} is outside of the years that can be counted") from None
