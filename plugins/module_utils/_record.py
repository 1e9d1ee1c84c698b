# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: what the record of a rebuild says, for its next run and for whoever asks meanwhile who holds a VF."""

from __future__ import annotations

import json
import os
from urllib.parse import quote

from ansible_collections.vfpool.sriov.plugins.module_utils._claims import Claim, Guests, parse, port_claims

__all__ = ["FOLDER", "STOPPED", "leases_on_record", "read_record", "records_changed"]

# Gone after a reboot, as libvirt's own ledger is.
FOLDER = "/run/vfpool.sriov"
STOPPED = "stopped"


def read_record(path: str) -> dict:
    """The first line, as `_journal` writes it; whether libvirt was ``stopped`` from knowing the leases; the ports of those that are ``done``.

    Raises OSError, and ValueError or TypeError for what is no record.
    """
    with open(path, encoding="utf-8") as file:
        first, *rest = file.read().splitlines()
    return {"before": [], **json.loads(first), "stopped": STOPPED in rest, "done": set(rest) - {STOPPED}}


def records_changed() -> int:
    """When a record was last made or removed, in nanoseconds; 0 where there was none since the host started."""
    try:
        return os.stat(FOLDER).st_mtime_ns
    except OSError:
        return 0


def leases_on_record() -> Guests:
    """The leases that the ledger lacks: while a network is rebuilt, and until its next run where that was cut short."""
    leases = Guests([], {})
    try:
        for name in sorted(os.listdir(FOLDER)):
            if name.endswith(".rebuild"):
                leases.claims.extend(_claims_on_record(f"{FOLDER}/{name}"))
    except FileNotFoundError:
        pass
    except (OSError, ValueError, TypeError, LookupError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        return Guests([], {}, f"the leases on record in {FOLDER} cannot be read: {reason}")
    return leases


def _claims_on_record(path: str) -> list[Claim]:
    """What the leases hold that libvirt's ledger may lack until the rebuild is finished. Raises as `read_record` does, and LookupError."""
    try:
        record = read_record(path)
    except FileNotFoundError:
        return []  # it was finished since the folder was listed
    network = parse(record["xml"]).findtext("name") or ""
    # A daemon of another host, or of one user, is named in the file's name.
    elsewhere = os.path.basename(path).startswith(f"network-{quote(f'{network} at ', safe='')}")
    if elsewhere or not record["stopped"]:
        return []
    waiting = [xml for xml in record["before"] + record["leases"] if parse(xml).findtext("uuid") not in record["done"]]
    return [claim for xml in waiting for claim in port_claims(xml, network)]
