# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: what running guests hold by their own account, whatever libvirt's ledger says."""

from __future__ import annotations

import contextlib
import glob
from collections.abc import Callable, Iterator
from typing import Any

from ansible_collections.vfpool.sriov.plugins.module_utils._claims import Claim, domain_claims
from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._leases import parse_port
from ansible_collections.vfpool.sriov.plugins.module_utils._ledger import put_back
from ansible_collections.vfpool.sriov.plugins.module_utils._libvirt import (
    NO_DOMAIN,
    NO_NETWORK,
    NO_PORT,
    NOT_RUNNING,
    connection,
    daemon_key,
    error_code,
    libvirt,
)
from ansible_collections.vfpool.sriov.plugins.module_utils._lxml import etree
from ansible_collections.vfpool.sriov.plugins.module_utils._network_pool import places
from ansible_collections.vfpool.sriov.plugins.module_utils._network_xml import Element, new_element, parse_network, parse_xml
from ansible_collections.vfpool.sriov.plugins.module_utils._port_xml import port_element, rx_filters

# Where the system's QEMU driver keeps the state of its running guests.
_STATE = "/run/libvirt/qemu"

__all__ = ["enter_leases", "forgotten_leases", "guest_claims", "guest_runs", "running_guests", "running_owners"]


def forgotten_leases(connected: Any, guests: list[str], name: str, current: dict | None) -> list[dict]:
    """The leases of the network ``name`` that ``guests`` hold by their own account and its ledger does not know.

    Each says so itself with ``of_guest``: its owner is known to have run, unlike that of a lease on record, which may be no guest at all.
    ``current`` is what ``read_network`` says of the network, None where there is none.
    """
    there = {lease["port"] for lease in current["leases"]} if current else set()
    local = daemon_key(connected.getURI()) == "system"
    network = parse_network(current["xml"]) if current else new_element("network")
    held = [lease for document in guests for lease in _leases_of_guest(parse_xml(document), name, local, network)]
    missing = [lease for lease in held if lease["port"] not in there]
    # A guest that started since the ledger was read is in it now.
    now = _ports(connected, name) if missing and current and current["active"] else set()
    return [{**lease, "of_guest": True} for lease in missing if lease["port"] not in now]


def _ports(connected: Any, name: str) -> set[str]:
    """The leases that the ledger of the network ``name`` has, none if it has stopped or gone."""
    try:
        return {port.UUIDString() for port in connected.networkLookupByName(name).listAllPorts(0)}
    except libvirt().libvirtError as error:
        if error_code(error) not in (NO_NETWORK, NOT_RUNNING):
            raise
        return set()


def guest_claims(guests: list[str]) -> list[Claim]:
    """Every device that one of ``guests`` holds by its own account, be it from this network, from another, or from none."""
    return [claim for document in guests for claim in domain_claims(document, active=True).claims]


@contextlib.contextmanager
def _daemon_of_guests(connected: Any) -> Iterator[Any | None]:
    """The connection that tells which guests run: a daemon of networks alone knows of none, so QEMU's on the same host is asked.

    None where no guest can run. Raises SriovError where guests may run and nobody tells of them.
    """
    uri = connected.getURI()
    if not uri.startswith("network"):
        yield connected
        return
    with contextlib.ExitStack() as stack:
        try:
            daemon = stack.enter_context(connection("qemu" + uri[len("network") :].replace("virtnetworkd-sock", "virtqemud-sock"), readonly=True))
        except SriovError as error:
            if daemon_key(uri) != "system" or glob.glob(f"{_STATE}/*.xml"):
                raise SriovError(f"{uri} does not know what guests hold, and who does cannot be asked. {error}") from error
            daemon = None
        yield daemon


def running_owners(connected: Any) -> set[str]:
    """The UUIDs of the guests that run."""
    with _daemon_of_guests(connected) as daemon:
        return {domain.UUIDString() for domain in _active(daemon)}


def _active(daemon: Any | None) -> Any:
    return daemon.listAllDomains(libvirt().VIR_CONNECT_LIST_DOMAINS_ACTIVE) if daemon else []


def _no_record(_port: str) -> None:
    """What ``enter_leases`` calls where no record is kept."""


def enter_leases(network: Any, leases: list[dict], ran: set[str], done: Callable[[str], object] = _no_record) -> list[dict]:
    """Put ``leases`` back as ``put_back`` does, except of the guests that ``ran`` and have stopped since. Those that stay.

    A guest that stops while the ledger lacks its lease gives none back. The guests of forgotten leases ran too.
    """
    put_back(network, leases, done)
    stopped = {*ran, *(lease["owner_uuid"] for lease in leases if lease.get("of_guest"))} - running_owners(network.connect())
    for lease in leases:
        if lease["owner_uuid"] in stopped:
            _release(network, lease["port"])
    return [lease for lease in leases if lease["owner_uuid"] not in stopped]


def _release(network: Any, port: str) -> None:
    try:
        network.portLookupByUUIDString(port).delete()
    except libvirt().libvirtError as error:
        if error_code(error) != NO_PORT:
            raise


def running_guests(connected: Any) -> list[str]:
    """The live document of every guest that runs: one call to libvirt for each, so who asks for several networks reads them once."""
    documents = []
    with _daemon_of_guests(connected) as daemon:
        for domain in _active(daemon):
            try:
                documents.append(domain.XMLDesc(0))
            except libvirt().libvirtError as error:
                if error_code(error) != NO_DOMAIN:  # a guest that stopped since the list was made
                    raise
    return documents


def _leases_of_guest(domain: Element, name: str, local: bool, network: Element) -> list[dict]:
    given = [(interface, interface) for interface in domain.iterfind("devices/interface[@type='direct']")]
    if local and domain.find("devices/interface[@type='hostdev']") is not None:
        private = _private_state(domain.findtext("name"))
        given += [(actual.getparent(), actual) for actual in private.iterfind("domain/devices/interface/actual[@type='hostdev']")]
    mine = "boolean(source[@network=$name and @portid!=''])"
    return [_lease(domain, interface, actual, network) for interface, actual in given if interface.xpath(mine, name=name)]


def _private_state(guest: str) -> Element:
    """What libvirt keeps for itself of a running guest. It alone tells the lease of a PCI device: the live XML has lost it."""
    path = f"{_STATE}/{guest}.xml"
    try:
        with open(path, encoding="utf-8") as file:
            return parse_xml(file.read())
    except FileNotFoundError:  # a guest that stopped since the list was made
        return new_element("domstatus")
    except (OSError, etree().XMLSyntaxError) as error:
        raise SriovError(f"Whose VFs the guest {guest} holds is not known, for {path} cannot be read ({error}): run as root, with become.") from error


def _lease(domain: Element, interface: Element, actual: Element, network: Element) -> dict:
    """The lease that a guest's ``interface`` has, with what libvirt says in ``actual`` that it was given.

    Made like virDomainNetDefActualToNetworkPort of libvirt's src/conf/domain_conf.c, but that it loses what ``network`` says of filters.
    """
    source, own = actual.find("source"), interface.find("source")
    if actual.get("type") == "direct":
        plug = new_element("plug", type="direct", dev=source.get("dev"), mode=source.get("mode"))
    else:
        plug = new_element("plug", *actual.iterfind("driver"), source.find("address"), type="hostdev-pci", managed=actual.get("managed", "no"))
    filters = rx_filters([interface, *places(network, own.get("portgroup"))])
    parts = [*actual.xpath("virtualport | bandwidth | vlan | port"), filters, plug]
    owner, mac = (domain.findtext("name"), domain.findtext("uuid")), interface.find("mac").get("address")
    port = port_element(own.get("portid"), *owner, mac, own.get("portgroup"), parts)
    return parse_port(etree().tostring(port, encoding="unicode"))


def guest_runs(connected: Any, lease: dict) -> bool | None:
    """Whether the owner of a lease is a guest that runs. None for an owner that libvirt does not know: of that nothing can be said."""
    with _daemon_of_guests(connected) as daemon:
        try:
            return None if daemon is None else bool(daemon.lookupByUUIDString(lease["owner_uuid"]).isActive())
        except libvirt().libvirtError as error:
            if error_code(error) != NO_DOMAIN:
                raise
    return None
