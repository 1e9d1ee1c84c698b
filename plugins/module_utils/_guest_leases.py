# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: what running guests hold by their own account, whatever libvirt's ledger says."""

from __future__ import annotations

import contextlib
import glob
from collections.abc import Iterator
from typing import Any

from ansible_collections.vfpool.sriov.plugins.module_utils._claims import Claim, domain_claims
from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._leases import parse_port
from ansible_collections.vfpool.sriov.plugins.module_utils._libvirt import NO_DOMAIN, connection, daemon_key, error_code, libvirt
from ansible_collections.vfpool.sriov.plugins.module_utils._lxml import etree
from ansible_collections.vfpool.sriov.plugins.module_utils._network_xml import Element, new_element, parse_xml

# Where the system's QEMU driver keeps the state of its running guests.
_STATE = "/run/libvirt/qemu"

__all__ = ["forgotten_leases", "guest_claims", "guest_runs", "running_guests", "running_owners"]


def forgotten_leases(connected: Any, guests: list[str], name: str, leases: list[dict]) -> list[dict]:
    """The leases of the network ``name`` that ``guests`` hold by their own account and the ledger, ``leases``, does not know."""
    there = {lease["port"] for lease in leases}
    local = daemon_key(connected.getURI()) == "system"
    held = [lease for document in guests for lease in _leases_of_guest(parse_xml(document), name, local)]
    return [lease for lease in held if lease["port"] not in there]


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


def _leases_of_guest(domain: Element, network: str, local: bool) -> list[dict]:
    leases = []
    private = None
    for interface in domain.iterfind("devices/interface"):
        source, mac = interface.find("source"), interface.findall("mac")
        if interface.get("type") == "direct" and source is not None and source.get("network") == network and source.get("portid"):
            plug = new_element("plug", type="direct", dev=source.get("dev"), mode=source.get("mode"))
            leases.append(parse_port(_port_text(domain, source.get("portid"), mac[0].get("address"), plug)))
        elif interface.get("type") == "hostdev" and local:
            private = _private_state(domain.findtext("name")) if private is None else private
            leases += [lease for lease in _hostdev_leases(domain, private, network) if lease["mac"] == mac[0].get("address")]
    return leases


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


def _hostdev_leases(domain: Element, private: Element, network: str) -> list[dict]:
    leases = []
    for interface in private.iterfind("domain/devices/interface[@type='network']"):
        source, address = interface.find("source"), interface.find("actual[@type='hostdev']/source/address")
        if address is not None and source.get("network") == network and source.get("portid"):
            plug = new_element("plug", new_element("address", **{name: value for name, value in address.attrib.items() if name != "type"}), type="hostdev-pci")
            leases.append(parse_port(_port_text(domain, source.get("portid"), interface.find("mac").get("address"), plug)))
    return leases


def _port_text(domain: Element, port: str, mac: str, plug: Element) -> str:
    """The document of the port that a guest's live interface was given."""
    owner = new_element("owner", new_element("name"), new_element("uuid"))
    owner[0].text, owner[1].text = domain.findtext("name"), domain.findtext("uuid")
    root = new_element("networkport", new_element("uuid"), owner, new_element("mac", address=mac), plug)
    root[0].text = port
    text: str = etree().tostring(root, encoding="unicode")
    return text


def guest_runs(connected: Any, lease: dict) -> bool | None:
    """Whether the owner of a lease is a guest that runs. None for an owner that libvirt does not know: of that nothing can be said."""
    with _daemon_of_guests(connected) as daemon:
        try:
            return None if daemon is None else bool(daemon.lookupByUUIDString(lease["owner_uuid"]).isActive())
        except libvirt().libvirtError as error:
            if error_code(error) != NO_DOMAIN:
                raise
    return None
