"""What is exported, and how: all that decides the bytes of an export, beside the lake."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from archive.errors import ExportError
from archive.reasons import DATE_SOURCES
from index.quality.presets import PRESETS
from query.formats import FORMATS
from query.rows import TOKEN_FORMATS

PERIODS = ("year", "month")
#: Parts by which the shares of splits may miss one.
_SUM = 1e-9


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments of an export. Dates are ISO 8601 in UTC.

    Attributes:
        before: texts with an acceptable capture before this moment.
        after: … and none before this one.
        where: an SQL condition over the columns of `clean` and, where there are any, of `quality`.
        preset: a named set of quality rules.
        near: leave out each text that has an earlier verified near-duplicate.
        sources: the date sources that count as evidence; empty: all.
        sample: the share of texts to keep, chosen by the seed; a larger sample holds each smaller one.
        max_tokens: stop before this many tokens, in the shuffled order.
        slices: a folder for each year or month of the first capture.
        split: names of splits with their shares, which sum to one.
        tokenizer: a Hugging Face tokenizer: name, folder or file.
        shard_size: characters of text and evidence in a shard, about; a single larger text has a shard of its own.
        mask: replace e-mail and IP addresses in the texts.
        decontaminate: files of evaluation texts; those that share an n-gram with one are dropped, or marked.
    """

    before: str
    after: str | None = None
    language: str | None = None
    where: str | None = None
    preset: str | None = None
    near: bool = False
    sources: tuple[str, ...] = ()
    honour_opt_outs: bool = False
    sample: float | None = None
    max_tokens: int | None = None
    slices: str | None = None
    split: tuple[tuple[str, float], ...] = ()
    form: str = "parquet"
    tokenizer: str | None = None
    eos: str | None = None
    seed: int = 0
    shard_size: int = 64_000_000
    mask: bool = False
    decontaminate: tuple[str, ...] = ()
    mark: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "before", moment(self.before))
        if self.after is not None:
            object.__setattr__(self, "after", moment(self.after))
            if moment(self.after) >= self.before:
                raise ExportError(f"nothing lies after {self.after} and before {self.before}")
        if unknown := set(self.sources) - DATE_SOURCES.keys():
            raise ExportError(f"no kind of date {', '.join(sorted(unknown))!r}; there are {', '.join(DATE_SOURCES)}")
        if self.language is not None and not re.fullmatch("[a-z]{2,3}", self.language):
            raise ExportError(f"--language {self.language}: write the code of ISO 639-1, as in en")
        if self.form not in FORMATS:
            raise ExportError(f"no format {self.form!r}; there are {', '.join(FORMATS)}")
        if self.sample is not None and not 0 < self.sample <= 1:
            raise ExportError(f"--sample {self.sample}: a share above 0 and up to 1")
        if self.max_tokens is not None and not self.tokenizer:
            raise ExportError("--max-tokens needs a --tokenizer that counts them")
        if self.form in TOKEN_FORMATS and not self.tokenizer:
            raise ExportError(f"--format {self.form} holds tokens: it needs a --tokenizer")
        if self.preset is not None and self.preset not in PRESETS:
            raise ExportError(f"no preset {self.preset!r}; there are {', '.join(PRESETS)}")
        if self.slices not in {None, *PERIODS}:
            raise ExportError(f"--slices {self.slices}: {' or '.join(PERIODS)}")
        if self.shard_size < 1:
            raise ExportError("--shard-size must be at least 1")
        if self.mark and not self.decontaminate:
            raise ExportError("--mark says what to do with texts that --decontaminate finds")
        _check_split(self.split)

    def as_json(self) -> dict[str, Any]:
        values = asdict(self)
        values["split"] = dict(self.split)
        values["sources"], values["decontaminate"] = list(self.sources), list(self.decontaminate)
        return values

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Arguments:
        """What `as_json` wrote.

        Raises:
            ExportError: nothing was ever exported with these.
            TypeError, AttributeError: they are no arguments.
        """
        lists = {name: tuple(values[name]) for name in ("sources", "decontaminate")}
        return cls(**{**values, **lists, "split": tuple(values["split"].items())})


def _check_split(split: tuple[tuple[str, float], ...]) -> None:
    if not split:
        return
    names = [name for name, _ in split]
    if len(set(names)) != len(names) or not all(name.isidentifier() for name in names):
        raise ExportError(f"--split {','.join(names)}: each part needs a name of its own, of letters, digits and _")
    if any(not share > 0 for _, share in split) or not abs(sum(share for _, share in split) - 1) <= _SUM:
        raise ExportError("--split: the shares must be above 0 and sum to 1, as in train=0.98,val=0.01,test=0.01")


def told(moment: str) -> str:
    """A moment as `moment` gives it, for people: midnight is the day alone.

    >>> told("2022-01-01T00:00:00+00:00"), told("2022-01-01T10:30:00+00:00")
    ('2022-01-01', '2022-01-01T10:30:00+00:00')
    """
    return moment.removesuffix("T00:00:00+00:00")


def moment(value: str) -> str:
    """A date or time as ISO 8601 in UTC.

    Raises:
        ExportError: it is none.
    """
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        raise ExportError(f"{value!r} is no date; write it as 2022-01-01") from None
    try:
        return (parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)).isoformat()
    except OverflowError:
        raise ExportError(f"{value} lies outside of the years that are counted") from None
