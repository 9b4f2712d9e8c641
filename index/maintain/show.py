"""What `maintain` did, in lines for people."""

from __future__ import annotations

from collections.abc import Iterator

from archive.intake.result import MaintainResult, Upkeep
from archive.show import bytes_text, count_of


def lines(result: MaintainResult, keep: str, regraded: bool) -> Iterator[str]:
    """Yield a line for each thing that was done, or would be."""
    would = result.dry_run
    if result.recovered:
        verb = "Would finish" if would else "Finished"
        yield f"{verb} {count_of(result.recovered, 'commit')} that an earlier command had begun."
    if regraded:
        yield f"{count_of(result.files, 'file')} read again: {result.replaced:,} captures, now {result.captures:,}"
        grades = ", ".join(f"{grade} {count:,}" for grade, count in sorted(result.grades.items()))
        yield f"grades: {grades or 'none'}"
        for file, why in result.files_kept.items():
            yield f"stays as it was: {why if file in why else f'{file}: {why}'}"
        if result.captures_kept:
            yield f"{count_of(result.captures_kept, 'capture')} of the lake still without a grade"
    for done in result.done:
        yield _line(done, keep, would)
    if not result.done and not regraded and not result.recovered:
        yield "Nothing to do."
    if result.caches and any(result.caches.values()):
        sizes = ", ".join(f"{kind} {bytes_text(size)}" for kind, size in result.caches.items() if size)
        yield f"caches of this user on this machine: {sizes}"
    yield from result.left


def _line(done: Upkeep, keep: str, would: bool) -> str:
    files, size = count_of(done.files, "file"), bytes_text(done.bytes)
    become = "would become" if would else "became"
    go = "would go" if would else "went"
    if done.step == "sweep":
        return f"{done.of}: {count_of(done.rows, 'row')} of forgotten texts {go}, in {files} ({size})"
    if done.step == "merge":
        return f"{done.of}: {files} ({size}) {become} {done.into:,}"
    if done.step == "rebuild":
        return f"{done.of}: {files} {become} {done.into:,}, since those that they are made from were replaced"
    if done.step == "checkpoint":
        return f"{done.of}: a checkpoint {'would follow' if would else 'follows'} {done.files:,} entries of the log"
    if done.step == "log":
        return f"{done.of}: {files} of the log {go} that no version of the last 30 days needs ({size})"
    if done.step == "vacuum":
        return f"{done.of}: {files} {go} that no version of the last {keep} has ({size})"
    if done.step == "scratch":
        return f"{done.of}: {go}, the scratch of a killed command: {files} ({size})"
    return f"cache {done.of}: {files} {go} that nobody used ({size})"
