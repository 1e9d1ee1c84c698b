# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: files on the host that belong to it, marked so that an edit by hand is noticed."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError

__all__ = ["OwnedFiles", "text_of"]

_OWNER = "# Written by the Ansible module vfpool.sriov.sriov_pf. To change it, change what that module is told; an edit here is overwritten.\n"
_SUM = "# sha256 of what follows: "


def _marked(text: str) -> str:
    """``text`` below a header that names its owner and holds its checksum."""
    return f"{_OWNER}{_SUM}{hashlib.sha256(text.encode()).hexdigest()}\n{text}"


class OwnedFiles:
    """A set of files that is replaced as one: each of ``wanted`` (path to text) is there afterwards, each of ``unwanted`` that is ours is not.

    Raises SriovError for what is in the way of a wanted one and is not ours.
    """

    def __init__(self, wanted: dict[str, str], unwanted: list[str]) -> None:
        self._wanted = {path: _marked(text) for path, text in wanted.items()}
        there = {path: text_of(path) for path in {**wanted, **dict.fromkeys(unwanted)}}
        self._present = {path: text for path, text in there.items() if text is None or text.startswith(_OWNER)}
        self._unfinished = {path for path in self._present if os.path.lexists(_unfinished(path))}
        for path in wanted:
            in_the_way = [str(folder) for folder in Path(path).parents if folder.is_file()] or [path]
            if in_the_way != [path] or path not in self._present:
                raise SriovError(f"{in_the_way[0]} is in the way and was not written by this collection: move it elsewhere, or say persist: false.")

    @property
    def edited(self) -> list[str]:
        """The files of ours that someone changed by hand."""
        return sorted(path for path, text in self._present.items() if text is not None and not _is_intact(text))

    @property
    def stale(self) -> list[str]:
        """The files that are to be written anew or removed, or of which a run that was killed left a part."""
        return sorted(path for path, text in self._present.items() if text != self._wanted.get(path) or path in self._unfinished)

    def replace(self) -> None:
        self._put(self._wanted)

    def restore(self) -> None:
        """Undo ``replace``, from wherever it stopped."""
        self._put({path: text for path, text in self._present.items() if text is not None})

    def _put(self, files: dict[str, str]) -> None:
        for path in self.stale:
            try:
                if path in files:
                    _write(path, files[path])
                else:
                    _remove(path)
            except OSError as error:
                raise SriovError(f"{path} cannot be written ({error.strerror}): make room or mount it writable, or say persist: false.") from error


def text_of(path: str) -> str | None:
    """The text there, None for nothing, and an empty one for what cannot be read, such as a folder."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return ""


def _unfinished(path: str) -> str:
    """Where a file is until it is whole."""
    return f"{path}.new"


def _is_intact(text: str) -> bool:
    return text == _marked(text.partition("\n")[2].partition("\n")[2])


def _write(path: str, text: str) -> None:
    """All or nothing, also when the power goes: a new file takes the place of the old one once it is on the disk."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    new = _unfinished(path)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)


def _remove(path: str) -> None:
    for leftover in (path, _unfinished(path)):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(leftover)
    # A folder that the collection made, and that holds nothing more, goes too; any other is left alone.
    with contextlib.suppress(OSError):
        if os.path.basename(os.path.dirname(path)).startswith("vfpool"):
            os.rmdir(os.path.dirname(path))
