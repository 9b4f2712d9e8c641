"""An export to an `s3://` prefix: made in a folder of this machine, then sent, the manifest last.

The folder is in `$LOWBACKGROUND_SCRATCH`, or where temporary files are, and is named by what is exported and where to.
So the same command finds it after a kill, and goes on. Where it is gone, the claim at the prefix still names the
versions of the lake, from which the same bytes come again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from archive.atomic import locked
from archive.errors import ExportError, cause_line
from archive.journal import JOURNAL
from archive.owned_prefix import OwnedPrefix
from archive.progress import Reporter
from archive.storage import is_s3, local_or_store
from query.dataset import MANIFEST, Manifest, load
from query.export.manifest import names
from query.export.workplace import Workplace, disk_errors

_SCRATCH = "LOWBACKGROUND_SCRATCH"


class StoredSet:
    """The prefix that a set is exported to."""

    def __init__(self, out: str) -> None:
        self.out = out.rstrip("/")
        self._owned = OwnedPrefix(self.out, "export", ExportError)

    def begun(self, identity: Mapping[str, Any]) -> dict[str, int] | None:
        """Return the versions of the lake's tables of an unfinished export of the same; None where none was begun.

        Raises:
            ExportError: the prefix holds something else.
            StoreError: the store cannot be read.
        """
        claimed = self._owned.claim()
        if claimed is None:
            self._refuse_finished()
            self._owned.refuse()
            return None
        self._check(claimed, identity)
        self._owned.refuse()
        return dict(claimed["versions"])

    def _refuse_finished(self) -> None:
        if self._owned.prefix.head(MANIFEST) is not None:
            raise ExportError(f"{self.out} holds a finished export; name another prefix")

    def _check(self, claimed: Mapping[str, Any], identity: Mapping[str, Any]) -> None:
        stated = claimed.get("identity") or {}
        if stated != identity:
            differing = ", ".join(key for key in identity if stated.get(key) != identity[key])
            raise ExportError(
                f"{self.out} holds an unfinished export with other values of: {differing}; "
                "run that again, or delete what is below the prefix"
            )

    def send(self, folder: Path, manifest: Manifest, identity: Mapping[str, Any], reporter: Reporter) -> None:
        """Write a finished set: a claim, all files, and then the manifest, with which it is a set.

        Raises:
            ExportError: something else is there, or another process exports something else to this prefix.
            StoreError: the store cannot be written. The same call goes on.
        """
        if not self._owned.is_claimed():
            self._refuse_finished()  # another process may have finished while this one made its set
        claimed = self._owned.make_claim({"identity": identity, "versions": manifest.lake.versions})
        self._check(claimed, identity)
        if claimed["versions"] != manifest.lake.versions:
            raise ExportError(f"{self.out}: another process exports a newer version of the lake there")
        self._owned.prefix.end_uploads({*names(manifest), JOURNAL}.__contains__)
        files = {name: folder / name for name in names(manifest) if name != MANIFEST}
        reporter.stage("send", None, sum(path.stat().st_size for path in files.values()))
        self._owned.put_all(files, lambda size: reporter.advance(0, size))
        self._owned.put(MANIFEST, folder / MANIFEST)
        self._owned.close()


@contextlib.contextmanager
def work_folder(out: str, identity: Mapping[str, Any]) -> Iterator[Path]:
    """Yield the folder in which an export to a prefix is made; the same for the same export, and for no other.

    It stays after an error, so that the same command can go on, unless nothing is in it.

    Raises:
        ExportError: another process is at work in it, or another user has made it.
    """
    stated = json.dumps([out, identity], sort_keys=True)
    name = f"lowbackground-export-{hashlib.sha256(stated.encode('utf-8', 'surrogatepass')).hexdigest()[:24]}"
    scratch = local_or_store(os.environ.get(_SCRATCH, ""))
    folder = Path(tempfile.gettempdir() if is_s3(scratch) or not scratch else scratch, name)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        pass
    except OSError as error:
        raise ExportError(f"{folder.parent}: {cause_line(error)}; set ${_SCRATCH} or $TMPDIR to a folder") from None
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise ExportError(f"{folder}: others may write there; delete it")
    lock = folder / "lock"
    lock.touch()
    try:
        with locked(lock):
            try:
                yield folder
            except BaseException:
                if set(os.listdir(folder)) <= {lock.name}:
                    shutil.rmtree(folder)
                raise
            shutil.rmtree(folder)
    except (BlockingIOError, FileNotFoundError) as error:
        if isinstance(error, FileNotFoundError) and error.filename not in {None, str(lock)}:
            raise
        raise ExportError(f"{out}: another process of this machine exports the same to it") from None


def finished(folder: Path, versions: Mapping[str, int] | None) -> Manifest | None:
    """Return the manifest of a set that is ready to be sent, from an earlier run.

    Args:
        versions: of the lake, where they are known; a set of other ones is deleted.
    """
    if not (folder / MANIFEST).exists():
        return None
    manifest = Workplace(folder).published() or load(folder).manifest
    if versions is not None and manifest.lake.versions != versions:
        shutil.rmtree(folder)
        return None
    return manifest


def export_to_store(
    out: str,
    identity: Mapping[str, Any],
    make: Callable[[Path, Mapping[str, int] | None], Manifest],
    reporter: Reporter,
) -> Manifest:
    """Export to a prefix.

    Args:
        identity: what the set depends on, but for the versions of the lake.
        make: exports to a folder, from these versions of the lake, or from the newest ones.

    Raises:
        ExportError, StoreError: as `StoredSet` has them.
    """
    store = StoredSet(out)
    versions = store.begun(identity)
    with work_folder(store.out, identity) as work:
        folder = work / "set"
        manifest = finished(folder, versions) or make(folder, versions)
        with disk_errors(folder):
            store.send(folder, manifest, identity, reporter)
    return manifest
