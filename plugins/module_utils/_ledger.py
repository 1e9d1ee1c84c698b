# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: libvirt's ledger of leases, which are the ports of a network: read it, and enter leases again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._leases import holders, member_of, parse_port
from ansible_collections.vfpool.sriov.plugins.module_utils._libvirt import NO_PORT, error_code, libvirt
from ansible_collections.vfpool.sriov.plugins.module_utils._network_xml import members_of, parse_network, pool_of

__all__ = ["put_back", "read_leases"]

# Seconds for which a lease is offered back while another client has its member. Such a client was given the member while
# the ledger was empty, finds the device busy, and lets go.
_PATIENCE = 10
_PAUSE = 0.02


def read_leases(network: Any, known: Iterable[dict] = ()) -> list[dict]:
    """Every lease of an active network, ordered by owner and MAC address: one call, and one for each lease that is not ``known``.

    What a lease holds never changes, so one that was read before is as it was, if it is still there.
    """
    before = {lease["port"]: lease for lease in known}
    leases = []
    for port in network.listAllPorts(0):
        try:
            leases.append(before.get(port.UUIDString()) or parse_port(port.XMLDesc(0)))
        except libvirt().libvirtError as error:
            # A guest that stopped since the list was made has given its lease back.
            if error_code(error) != NO_PORT:
                raise
    return sorted(leases, key=lambda lease: (lease["owner_name"], lease["mac"], lease["port"]))


def put_back(network: Any, leases: list[dict], done: Callable[[str], object]) -> None:
    """Enter ``leases`` into the ledger of an active network again, with their UUIDs, and call ``done`` with each of these.

    In pool order: libvirt gives a newcomer the first free member, which should be one that is really free.
    Raises SriovError with the guests whose leases cannot be put back.
    """
    pending, deadline = leases, time.monotonic() + _PATIENCE
    while True:
        pending, reasons = _attempt(network, pending, done)
        if not pending:
            return
        present = {lease["port"]: lease for lease in read_leases(network)}
        taken = {member_of(lease): lease for lease in present.values()}
        pending = [lease for lease in pending if lease["port"] not in present]
        members = members_of(pool_of(parse_network(network.XMLDesc(0))))
        if any(member_of(lease) not in members for lease in pending) or time.monotonic() > deadline:
            others = [taken[member_of(lease)] for lease in pending if member_of(lease) in taken]
            raise SriovError(
                f"These leases of the network {network.name()} could not be put back: {holders(pending)} ({reasons[0]}). "
                + (f"Meanwhile {holders(others)}: stop that, and run this again." if others else "Run this again once that is put right.")
            )
        time.sleep(_PAUSE)


def _attempt(network: Any, leases: list[dict], done: Callable[[str], object]) -> tuple[list[dict], list[str]]:
    """Offer each lease once; what was refused, and libvirt's reasons."""
    refused: list[dict] = []
    reasons: list[str] = []
    for lease in leases:
        try:
            network.portCreateXML(lease["xml"], libvirt().VIR_NETWORK_PORT_CREATE_RECLAIM)
        # libvirt 9.0 puts a UUID's raw bytes into one of its sentences, which the bindings then fail to decode.
        except (libvirt().libvirtError, SystemError, UnicodeDecodeError) as error:
            if not network.connect().isAlive():
                raise SriovError(f"The connection to libvirt broke while leases of the network {network.name()} were put back: run this again.") from error
            refused.append(lease)
            reasons.append(" ".join(str(error).split()) if error_code(error) else "it is not in the pool, or another holds it")
        else:
            done(lease["port"])
    return refused, reasons
