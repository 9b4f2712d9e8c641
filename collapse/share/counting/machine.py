"""Reads the text that machines wrote, and that of people on the same prompts, from files that a user names."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archive.errors import CollapseError
from archive.records.rows import Columns
from collapse.corpus.rows import conditions
from collapse.share.corpus import Text, Vocabulary, count_words
from collapse.share.counting.draw import LEAST_WORDS, MOST_WORDS
from collapse.share.estimates.rows import Sample

if TYPE_CHECKING:
    from collapse.corpus import Document

#: Bytes of text of one sample: of more, a part is drawn.
_MOST = 64 << 20


@dataclass(frozen=True, slots=True)
class Read:
    """The texts of a sample, before their words are counted."""

    name: str
    machine: list[Document]
    human: list[Document] | None  #: on the same prompts

    def counted(self, vocabulary: Vocabulary) -> Sample:
        """Count the words.

        Args:
            vocabulary: gets the words that it lacks.
        """
        human = None if self.human is None else count_words(self._texts(self.human), vocabulary, MOST_WORDS)
        return Sample(self.name, count_words(self._texts(self.machine), vocabulary, MOST_WORDS), human)

    def _texts(self, documents: Iterable[Document]) -> Iterator[Text]:
        """Yield texts with the domains of their URLs; one without a URL has a host of its own."""
        for document in documents:
            host = document.domain or hashlib.blake2b(document.text.encode(), digest_size=16).hexdigest()
            yield Text(document.text, 0, self.name, host)


def read_samples(
    machine: Iterable[str], human: Iterable[str], machine_where: Iterable[str], human_where: Iterable[str],
    text_column: str | None, seed: int,
) -> tuple[tuple[Read, ...], dict[str, dict[str, int]]]:  # fmt: skip
    """Read samples of machine text, each with the human text of the same name where there is some.

    Args:
        machine, human: `name=file`; a file may be a folder, a pattern, or an address.
        machine_where, human_where: `column=value` that the rows of all these files must have.

    Returns:
        the samples, and for each name what could not be used, by reason.

    Raises:
        CollapseError: a name is there twice, or is that of human text only, or there is no text in a file.
        ArchiveError: a file does not exist.
    """
    machines, people = _named("machine", machine), _named("machine-human", human)
    if alone := sorted(people.keys() - machines.keys()):
        raise CollapseError(f"--machine-human {alone[0]}=…: there is no --machine {alone[0]}=… to compare it with")
    asked = conditions(machine_where, "--machine-where"), conditions(human_where, "--human-where")
    found: list[Read] = []
    rejects: dict[str, dict[str, int]] = {}
    for name, file in machines.items():
        texts, rejects[name] = _texts(file, asked[0], text_column, seed)
        companion = None
        if name in people:
            companion, rejects[f"{name} (human)"] = _texts(people[name], asked[1], text_column, seed)
        found.append(Read(name, texts, companion))
    return tuple(found), rejects


def _named(option: str, values: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for value in values:
        name, equals, file = value.partition("=")
        if not (name and equals and file):
            raise CollapseError(f"--{option} {value}: write it as NAME=FILE")
        if name in found:
            raise CollapseError(f"--{option} {value}: there is a {name} already")
        found[name] = file
    return found


def _texts(
    file: str, where: Mapping[str, str], text_column: str | None, seed: int
) -> tuple[list[Document], dict[str, int]]:
    """Read the texts of a file that are long enough, and count what could not be used."""
    from collapse.corpus import read

    corpus = read([file], limit_bytes=_MOST, seed=seed, columns=Columns(text=text_column), where=where)
    documents = [*corpus.train, *corpus.held_out]
    long = [document for document in documents if len(document.text.split(None, LEAST_WORDS)) >= LEAST_WORDS]
    if not long:
        raise CollapseError(f"{file}: no text in it has {LEAST_WORDS} words")
    return long, {**corpus.reading.rejects, **({"short": short} if (short := len(documents) - len(long)) else {})}
