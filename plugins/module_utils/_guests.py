# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: which devices libvirt's guests hold: its ledger of ports, and its domains."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._libvirt import connection, libvirt, said_by_libvirt

if TYPE_CHECKING:
    from collections.abc import Callable
    from xml.etree.ElementTree import Element

__all__ = ["NO_LIBVIRT", "Claim", "Guests", "ask_libvirt", "domain_claims", "holder", "is_libvirt_installed", "port_claims"]

NO_LIBVIRT = "libvirt is not installed on this host, so there is no ledger of guests to read"

_DAEMONS = ("/usr/sbin/libvirtd", "/usr/sbin/virtqemud", "/usr/sbin/virtnetworkd", "/run/libvirt/libvirt-sock", "/run/libvirt/virtqemud-sock")
# Names of libvirt's error codes: what was listed a moment ago and is gone now holds nothing.
_GONE = ("VIR_ERR_NO_DOMAIN", "VIR_ERR_NO_NETWORK", "VIR_ERR_NO_NETWORK_PORT", "VIR_ERR_OPERATION_INVALID")


class Claim(NamedTuple):
    """One holder (as in `used_by`) of one device: a PCI address, or the name of an interface."""

    device: str
    holder: dict[str, Any]


class Guests(NamedTuple):
    """Every claim of libvirt's, the interfaces that it made for running guests (their macvtap devices), and why some claims may be missing."""

    claims: list[Claim]
    interfaces: set[str]
    doubt: str | None = None


def holder(kind: str, name: str | None, uuid: str | None = None, network: str | None = None, active: bool = True) -> dict[str, Any]:
    """An entry of `used_by`."""
    return {"kind": kind, "name": name, "uuid": uuid, "network": network, "active": active}


def ask_libvirt() -> Guests:
    """Every port of every network and every device of every domain: one call for each of these, none for each VF.

    A daemon that rests is started by its socket. Where there is none for guests, there may be one for networks alone.
    """
    try:
        return _ask("qemu:///system", None)
    except SriovError as error:
        doubt = str(error) if is_libvirt_installed() else NO_LIBVIRT
    try:
        return _ask("network:///system", doubt)
    except SriovError:
        return Guests([], set(), doubt)


def is_libvirt_installed() -> bool:
    """Whether there is a daemon to ask, or its socket (where the daemon itself runs in a container)."""
    return any(map(os.path.exists, _DAEMONS))


def _ask(uri: str, doubt: str | None) -> Guests:
    library = libvirt()
    gone = [getattr(library, name) for name in _GONE]

    def still_there(ask: Callable[[], Any]) -> Any:
        """The answer, or None where what was listed a moment ago is gone now."""
        try:
            return ask()
        except library.libvirtError as error:
            if error.get_error_code() in gone:
                return None
            raise

    guests = Guests([], set(), doubt)
    with connection(uri, readonly=True) as connected, said_by_libvirt("tell what its guests hold"):
        for network in connected.listAllNetworks(library.VIR_CONNECT_LIST_NETWORKS_ACTIVE):
            documents = [still_there(port.XMLDesc) for port in still_there(network.listAllPorts) or ()]
            guests.claims.extend(claim for xml in documents if xml for claim in port_claims(xml, network.name()))
        if doubt is None:
            for domain in connected.listAllDomains():
                _add_domain(domain, still_there, library.VIR_DOMAIN_XML_INACTIVE, guests)
    return guests


def _add_domain(domain: Any, still_there: Callable[[Callable[[], Any]], Any], inactive: int, guests: Guests) -> None:
    live = still_there(domain.XMLDesc) if domain.isActive() else None
    defined = still_there(lambda: domain.XMLDesc(inactive)) if domain.isPersistent() else None
    running = domain_claims(live, active=True) if live else Guests([], set())
    guests.claims.extend(running.claims)
    guests.interfaces.update(running.interfaces)
    if defined:
        held = {claim.device for claim in running.claims}
        guests.claims.extend(claim for claim in domain_claims(defined, active=False).claims if claim.device not in held)


def port_claims(xml: str, network: str) -> list[Claim]:
    """What a network port's document says is held: one device, or none (a port of a bridge)."""
    port = _parse(xml)
    device = _device(port.find("plug"))
    entry = holder("libvirt_port", port.findtext("owner/name"), port.findtext("owner/uuid"), network)
    return [] if device is None else [Claim(device, entry)]


def domain_claims(xml: str, active: bool) -> Guests:
    """The devices that a domain's document names outright, and the interfaces that were made for it."""
    domain = _parse(xml)
    name, uuid = domain.findtext("name"), domain.findtext("uuid")
    guests = Guests([], set())
    for element in (*domain.iterfind("devices/interface"), *domain.iterfind("devices/hostdev")):
        source, target = element.find("source"), element.find("target")
        device = _device(source) if element.get("type") in ("direct", "hostdev", "pci") else None
        if source is not None and device is not None:
            guests.claims.append(Claim(device, holder("libvirt_domain", name, uuid, source.get("network"), active)))
            if target is not None and target.get("dev"):
                guests.interfaces.add(target.get("dev", ""))
    return guests


def _parse(xml: str) -> Element:
    from xml.etree.ElementTree import fromstring  # only usage needs it

    return fromstring(xml)  # noqa: S314  # libvirt wrote it: no entities to fear


def _device(element: Element | None) -> str | None:
    """The interface or the PCI address that a `<plug>` or `<source>` names."""
    if element is None:
        return None
    if element.get("dev"):
        return element.get("dev")
    address = element.find("address")
    if address is None or address.get("type", "pci") != "pci" or address.get("bus") is None:
        return None
    domain, bus, slot, function = (int(address.get(part, "0"), 0) for part in ("domain", "bus", "slot", "function"))
    return f"{domain:04x}:{bus:02x}:{slot:02x}.{function:x}"
