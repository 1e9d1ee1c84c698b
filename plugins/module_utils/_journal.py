# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: the record of a rebuild that is under way, for the run after one that was cut short.

It lies in a folder that a reboot empties, as libvirt's own ledger does: after a reboot no guest holds anything.
The first line is the record, as JSON. A line "stopped" follows before libvirt may forget any lease: without it there is
nothing to finish, as long as the network runs. Each further line is the UUID of a lease that is back in libvirt's ledger:
if such a lease is missing later, its guest has given it back.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
from urllib.parse import quote

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._leases import parse_port
from ansible_collections.vfpool.sriov.plugins.module_utils._libvirt import daemon_key, network_key
from ansible_collections.vfpool.sriov.plugins.module_utils._lock import runtime_folder
from ansible_collections.vfpool.sriov.plugins.module_utils._network_xml import parse_network
from ansible_collections.vfpool.sriov.plugins.module_utils._record import STOPPED, read_record

__all__ = ["Journal", "RecordUnreadable", "recorded"]


class RecordUnreadable(SriovError):
    """Whether a rebuild was interrupted, and what of it is left to do, cannot be told."""


class Journal:
    """The record of one network; ``key`` is what ``network_key`` gives for it."""

    def __init__(self, key: str, folder: str | None = None) -> None:
        name = quote(key, safe="")
        if len(name) > 200:  # a file's may have 255 characters
            name = hashlib.sha256(name.encode()).hexdigest()
        self.path = os.path.join(folder or runtime_folder(), f"network-{name}.rebuild")

    def write(self, uuid: str, xml: str, leases: list[str], before: list[str]) -> None:
        """Record that the network ``uuid`` with the live ``xml`` is being rebuilt.

        ``leases`` is the XML of every lease to keep, as the new pool takes it, ``before`` of every lease as it is in the ledger.
        """
        record = json.dumps({"uuid": uuid, "xml": xml, "leases": leases, "before": before})
        temporary = f"{self.path}.new"
        try:
            with open(temporary, "w", encoding="utf-8", opener=_private) as file:
                file.write(record + "\n")
                file.flush()
                os.fsync(file.fileno())
            os.rename(temporary, self.path)
        except OSError as error:
            raise self._unwritten(error) from error

    def read(self) -> dict | None:
        """The record with the network's ``name``, whether libvirt was ``stopped`` from knowing the leases, and those that are ``done``;
        None when no rebuild is under way. Raises RecordUnreadable.
        """
        return _read(self.path)

    def stopping(self) -> None:
        """Note that libvirt is about to forget the leases. Raises SriovError where that cannot be noted."""
        try:
            self._append(STOPPED)
        except OSError as error:
            raise self._unwritten(error) from error

    def mark(self, port: str) -> None:
        """Note that the lease ``port`` is back in the ledger. The leases that are not back yet matter more than a full disk."""
        with contextlib.suppress(OSError):
            self._append(port)

    def _unwritten(self, error: OSError) -> SriovError:
        said = f"The record {self.path}, without which no lease is risked, cannot be written"
        return SriovError(f"{said} ({error.strerror}): make room there or mount it writable, and run this again.")

    def _append(self, line: str) -> None:
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    def remove(self) -> None:
        try:
            os.unlink(self.path)
        except FileNotFoundError:
            return


def recorded(uri: str) -> dict[str, dict]:
    """The record of each network of the daemon at ``uri`` that has one, by the network's name."""
    folder = runtime_folder(daemon_key(uri))
    found = {}
    for path in glob.glob(f"{glob.escape(folder)}/network-*.rebuild"):
        record = _read(path)
        if record is not None and Journal(network_key(record["name"], uri), folder).path == path:
            found[record["name"]] = record
    return found


def _read(path: str) -> dict | None:
    try:
        return _checked(read_record(path))
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise RecordUnreadable(f"Whether a rebuild was interrupted is not known, for {path} cannot be read: run as root, with become.") from error
    except (OSError, ValueError, TypeError) as error:
        said = f"The record {path} of an interrupted rebuild cannot be read ({error})"
        raise RecordUnreadable(f"{said}: compare the network's leases with its guests by hand, and remove it.") from error


def _checked(record: dict) -> dict:
    """``record`` with the network's name, if it is one. Raises ValueError for anything else that JSON may say."""
    try:
        checked: dict = {**record, "name": parse_network(record["xml"]).findtext("name")}
        leases = map(parse_port, checked["leases"] + checked["before"])
        words = [checked["uuid"], checked["name"], *(lease[key] for lease in leases for key in ("port", "owner_uuid", "mac"))]
    except (LookupError, AttributeError, TypeError, SyntaxError, SriovError) as error:
        raise ValueError("it is no record") from error
    if not all(isinstance(word, str) for word in words):
        raise ValueError("it is no record")
    return checked


def _private(path: str, flags: int) -> int:
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    return os.open(path, flags, 0o600)
