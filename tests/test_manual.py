"""The manual: its links lead somewhere, its commands have the options that it names, and its Python compiles."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest

from archive.cli import main

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    page for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    if page.name != "contributing.md"
)  # fmt: skip
COMMANDS = main.list_commands(click.Context(main))


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def anchors(page: Path) -> set[str]:
    """Return the anchors of the headings of a page, as Python-Markdown makes them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    plain = [
        re.sub(r"[^\w\s-]", "", re.sub(r"\]\([^)]*\)|[`*\[]", "", heading)).strip().lower() for heading in headings
    ]
    return {re.sub(r"[-\s]+", "-", heading) for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_each_link_leads_to_a_page_and_a_heading(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"\w+:", target):
            continue
        path, _, anchor = target.partition("#")
        other = page.parent / path if path else page
        if other.name == "contributing.md":  # `make docs` writes it
            other = ROOT / "CONTRIBUTING.md"
        assert other.exists(), target
        assert not anchor or anchor in anchors(other), target


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_each_command_that_a_page_shows_has_its_options(page: Path) -> None:
    text = re.sub(r"\\\n\s*", " ", page.read_text(encoding="utf-8"))
    for line in re.findall(r"^ {4,}(archive .*)$", text, re.MULTILINE):
        try:
            words = shlex.split(line, comments=True)
        except ValueError:  # SQL over several lines
            words = line.split('"')[0].split()
        assert words[1] in COMMANDS, line
        command = main.get_command(click.Context(main), words[1])
        assert command is not None
        known = {option for parameter in command.params for option in [*parameter.opts, *parameter.secondary_opts]}
        asked = {re.sub(r"^-v+$", "-v", word.partition("=")[0]) for word in words[2:] if re.match(r"--?[a-z]", word)}
        assert asked <= known | {"--help"}, line


def test_each_option_that_a_page_names_in_passing_is_one_of_some_command() -> None:
    known = {"--help", "--version", "--option-name"}
    for each in COMMANDS:
        command = main.get_command(click.Context(main), each)
        assert command is not None
        known |= {option for parameter in command.params for option in [*parameter.opts, *parameter.secondary_opts]}
    for page in PAGES:
        if page.name != "benchmarks.md":
            text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
            for option in re.findall(r"`(--[a-z][a-z-]+)", text):
                assert option in known, f"{name(page)}: {option}"


@pytest.mark.parametrize("page", [page for page in PAGES if "```python" in page.read_text(encoding="utf-8")], ids=name)
def test_the_python_of_a_page_compiles(page: Path) -> None:
    for block in re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
        compile(block, name(page), "exec")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_each_file_of_the_project_that_a_page_names_is_there(page: Path) -> None:
    rooms = ("archive", "collapse", "index", "query", "tests", "benchmarks", "docs")
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    files = [file for file in tracked if (ROOT / file).exists()]
    known = {*files, *(part for file in files for part in map(str, Path(file).parents))}
    short = {Path(file).name for file in files}
    for path in re.findall(r"`([\w/.-]+)`", page.read_text(encoding="utf-8")):
        if path.partition("/")[0] in rooms and "/" in path:
            assert path.rstrip("/") in known, path
        elif re.fullmatch(r"\w+\.py", path) and path not in {"my_plugins.py", "c4_utils.py"}:
            assert path in short, path


def test_the_site_has_every_page() -> None:
    shown = set(re.findall(r": ([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE))
    pages = {str(page.relative_to(ROOT / "docs")) for page in PAGES if page.is_relative_to(ROOT / "docs")}
    assert shown == pages | {"contributing.md"}
