"""The controls of the set builder: which clean set somebody asks for, as options, SQL and command of an export."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from archive.evidence.grade import DEFAULT
from query.export.wanted import where
from query.options import ExportOptions

#: The folder that the command names.
_OUT = "set"


@dataclass(frozen=True, slots=True)
class Controls:
    """A clean set. Its dates are days: the cube counts by day, so that it has the counts of every such set.

    Raises:
        ExportError: there is no such set, as `ExportOptions` says.
    """

    before: date
    after: date | None = None
    grade: str = DEFAULT
    language: str | None = None
    preset: str | None = None
    near: bool = False
    honour_opt_outs: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "grade", self.options().grade)

    def options(self) -> ExportOptions:
        """Return the options of the export that writes this set."""
        return ExportOptions(
            before=self.before.isoformat(),
            after=self.after.isoformat() if self.after else None,
            grade=self.grade,
            language=self.language,
            preset=self.preset,
            near=self.near,
            honour_opt_outs=self.honour_opt_outs,
        )

    def sql(self) -> str:
        """Return the question that counts this set, for `archive query`."""
        texts = where(self.options(), *([self.preset] if self.preset else []))  # `clean`, which anybody may ask
        return f"SELECT count(*) AS texts, sum(chars) AS characters FROM {texts}"

    def command(self) -> tuple[str, ...]:
        """Return the words of the command that writes this set, without `archive` and `--lake`."""
        words = ["export", _OUT, "--before", self.before.isoformat()]
        words += ["--after", self.after.isoformat()] if self.after else []
        words += ["--grade", self.grade] if self.grade != DEFAULT else []
        words += ["--language", self.language] if self.language else []
        words += ["--preset", self.preset] if self.preset else []
        words += ["--near"] if self.near else []
        words += ["--honour-opt-outs"] if self.honour_opt_outs else []
        return tuple(words)
