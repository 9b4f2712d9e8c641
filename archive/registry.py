"""Registries: tables of what can be plugged in.

A registry is a dict from a name to a `"module:attribute"`, which is imported when it is used. There are two ways to add
an entry. A program sets it before it starts the work:

    EXTRACTORS["mine"] = "my_package.extract:extract"

A distribution declares it as an entry point in the registry's group, and it is known wherever that is installed:

    [project.entry-points."lowbackground.extractors"]
    mine = "my_package.extract:extract"

Workers are other processes, perhaps on other machines. A task carries the entries of its caller (`entries`), and the
worker takes them over (`adopt`). So an entry works wherever its module can be imported.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

#: Of each group the names and their `"module:attribute"`.
Entries = dict[str, dict[str, str]]

_registries: dict[str, Registry] = {}


class Registry(dict[str, str]):
    """What can be plugged in in one place, by name.

    Args:
        group: the last part of the name of its entry points: `lowbackground.<group>`.
        builtin: the entries of this distribution. An entry point does not replace them.
    """

    def __init__(self, group: str, builtin: dict[str, str]) -> None:
        super().__init__(builtin)
        self._group = f"lowbackground.{group}"
        self._has_installed = False
        _registries[self._group] = self

    def names(self) -> list[str]:
        """Return the names of all entries, those of installed distributions included."""
        self._add_installed()
        return list(self)

    def has(self, name: str) -> bool:
        """Return whether there is an entry; look at installed distributions only for a name that is new."""
        return name in self or name in self.names()

    def load(self, name: str) -> Any:
        """Import an entry.

        Raises:
            KeyError: there is none.
            ImportError: its module, or one that its module imports, is not there.
        """
        if not self.has(name):
            raise KeyError(name)
        return load(self[name])

    def adopt(self, entries: dict[str, str]) -> None:
        """Take over the entries of another process, which has looked at installed distributions."""
        self.update(entries)
        self._has_installed = True

    def _add_installed(self) -> None:
        if not self._has_installed:
            from importlib.metadata import entry_points  # this and the search below take 30 ms

            self._has_installed = True
            for point in entry_points(group=self._group):
                self.setdefault(point.name, point.value)


def load(address: str) -> Any:
    """Import `module:attribute`."""
    module, _, attribute = address.partition(":")
    return getattr(import_module(module), attribute)


def entries() -> Entries:
    """Return the entries of all registries of this process, for a worker."""
    for registry in _registries.values():
        registry.names()
    return {group: dict(registry) for group, registry in _registries.items()}


def adopt(carried: Entries) -> None:
    """Take over the entries that a task carries."""
    for group, of_group in carried.items():
        if group in _registries:
            _registries[group].adopt(of_group)
