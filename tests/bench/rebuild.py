# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program on the host of `networks.py`: libvirt's own stop and start of the network "bare", and our rebuild of its twin "leased".

In turns over one connection; prints the best of each in seconds, as JSON.
"""

from __future__ import annotations

import json
import time

import libvirt

from ansible_collections.vfpool.sriov.plugins.module_utils._journal import Journal
from ansible_collections.vfpool.sriov.plugins.module_utils._ledger import read_leases
from ansible_collections.vfpool.sriov.plugins.module_utils._rebuild import rebuild

ROUNDS = 15


def main() -> None:
    connection = libvirt.open("qemu:///system")
    bare, leased = map(connection.networkLookupByName, ("bare", "leased"))
    leases = read_leases(leased)

    def ours() -> None:
        rebuild(leased, Journal("leased"), leases, lambda lease: lease, False, [], lambda _xml, _entered: None)

    def libvirts() -> None:
        bare.destroy()
        bare.create()

    best: dict[str, float] = {}
    for _round in range(ROUNDS):
        for name, once in (("ours", ours), ("libvirt's", libvirts)):
            start = time.perf_counter()
            once()
            best[name] = min(time.perf_counter() - start, best.get(name, 9))
    assert read_leases(leased) == leases
    print(json.dumps(best))


if __name__ == "__main__":
    main()
