# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: what libvirt's guests hold: its ledger of ports, its domains, and leases on record."""

from __future__ import annotations

import os

from ansible_collections.vfpool.sriov.plugins.module_utils._claims import Guests, domain_claims, port_claims
from ansible_collections.vfpool.sriov.plugins.module_utils._libvirt_rpc import Daemon, DaemonError
from ansible_collections.vfpool.sriov.plugins.module_utils._record import leases_on_record, records_changed

__all__ = ["NO_LIBVIRT", "ask_libvirt"]

NO_LIBVIRT = "libvirt is not installed on this host, so there is no ledger of guests to read"

_DAEMONS = ("/usr/sbin/libvirtd", "/usr/sbin/virtqemud", "/usr/sbin/virtnetworkd")
_SOCKETS = "/run/libvirt"
# One daemon for everything, or one for guests (which asks the one for networks), or one for networks alone.
_SERVERS = ("libvirt", "virtqemud", "virtnetworkd")
_ACTIVE, _PERSISTENT = 1, 4  # of virConnectListAllDomainsFlags
_ACTIVE_NETWORKS = 2  # of virConnectListAllNetworksFlags
_LIVE, _INACTIVE = 0, 2  # of virDomainXMLFlags


def ask_libvirt() -> Guests:
    """Every port of every network and every device of every domain: one call for each of these, none for each VF.

    And every lease that a rebuild of a network is yet to put back.
    """
    changed, on_record = records_changed(), leases_on_record()
    told = _ask_daemons()
    doubt = on_record.doubt or told.doubt
    # Also where the records are the same again, as after a rebuild that began and ended meanwhile.
    if leases_on_record() != on_record or records_changed() != changed:
        doubt = "a network was being rebuilt while libvirt was asked: gather the facts again"
    return Guests(on_record.claims + told.claims, told.interfaces, doubt)


def _ask_daemons() -> Guests:
    # Where there is none for guests, there may be one for networks alone.
    paths = [path for path in map(_socket, _SERVERS) if os.path.exists(path)]
    doubt = "libvirt is not running: start libvirtd.socket or virtqemud.socket" if any(map(os.path.exists, _DAEMONS)) else NO_LIBVIRT
    for path in paths:
        for uri in ("network:///system",) if "virtnetworkd" in path else ("qemu:///system", "network:///system"):
            try:
                return _ask(path, uri, None if uri.startswith("qemu") else doubt)
            except OSError as error:
                doubt = f"libvirt is not running, or does not answer: {error.strerror or error}"
                break  # nor will it answer the next question, and each may take its time
            except (DaemonError, ValueError) as error:
                doubt = f"libvirt at {uri} does not tell what its guests hold: {error}"
    return Guests([], {}, doubt)


def _socket(server: str) -> str:
    """A daemon that rests is started by its socket. Before that the one for reading need not listen."""
    reading = f"{_SOCKETS}/{server}-sock-ro"
    return reading if os.path.exists(reading) else f"{_SOCKETS}/{server}-sock"


def _ask(path: str, uri: str, doubt: str | None) -> Guests:
    guests = Guests([], {}, doubt)
    daemon = Daemon(path, uri)
    try:
        for network in daemon.networks(_ACTIVE_NETWORKS):
            for xml in daemon.ports(network):
                guests.claims.extend(port_claims(xml, network[0]))
        if doubt is None:
            _add_domains(daemon, guests)
    except (TimeoutError, DaemonError) as error:
        if not guests.claims:
            raise
        return guests._replace(doubt=f"libvirt at {uri} does not tell what its guests hold: {error}")
    finally:
        daemon.close()
    return guests


def _add_domains(daemon: Daemon, guests: Guests) -> None:
    running: set[tuple[str, str]] = set()
    for xml in daemon.domains(_ACTIVE, _LIVE):
        live = domain_claims(xml, active=True)
        guests.claims.extend(live.claims)
        guests.interfaces.update(live.interfaces)
        running.update((claim.holder["uuid"], claim.device) for claim in live.claims)
    for xml in daemon.domains(_PERSISTENT, _INACTIVE):
        defined = domain_claims(xml, active=False)
        guests.claims.extend(claim for claim in defined.claims if (claim.holder["uuid"], claim.device) not in running)
