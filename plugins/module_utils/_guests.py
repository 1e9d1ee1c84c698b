# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: which devices libvirt's guests hold: its ledger of ports, and its domains."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from ansible_collections.vfpool.sriov.plugins.module_utils._libvirt_rpc import Daemon, DaemonError

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

__all__ = ["NO_LIBVIRT", "Claim", "Guests", "ask_libvirt", "domain_claims", "holder", "port_claims"]

NO_LIBVIRT = "libvirt is not installed on this host, so there is no ledger of guests to read"

_DAEMONS = ("/usr/sbin/libvirtd", "/usr/sbin/virtqemud", "/usr/sbin/virtnetworkd")
_SOCKETS = "/run/libvirt"
# One daemon for everything, or one for guests (which asks the one for networks), or one for networks alone.
_SERVERS = ("libvirt", "virtqemud", "virtnetworkd")
_ACTIVE, _PERSISTENT = 1, 4  # of virConnectListAllDomainsFlags
_ACTIVE_NETWORKS = 2  # of virConnectListAllNetworksFlags
_LIVE, _INACTIVE = 0, 2  # of virDomainXMLFlags


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
    paths = [path for path in (f"{_SOCKETS}/{name}-sock-ro" for name in _SERVERS) if os.path.exists(path)]
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
    return Guests([], set(), doubt)


def _ask(path: str, uri: str, doubt: str | None) -> Guests:
    guests = Guests([], set(), doubt)
    daemon = Daemon(path, uri)
    try:
        for network in daemon.networks(_ACTIVE_NETWORKS):
            for xml in daemon.ports(network):
                guests.claims.extend(port_claims(xml, network[0]))
        if doubt is None:
            _add_domains(daemon, guests)
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


def port_claims(xml: str, network: str) -> list[Claim]:
    """What a network port's document says is held: one device, or none (a port of a bridge). Raises ValueError for nonsense."""
    port = _parse(xml)
    device = _device(port.find("plug"))
    entry = holder("libvirt_port", port.findtext("owner/name"), port.findtext("owner/uuid"), network)
    return [] if device is None else [Claim(device, entry)]


def domain_claims(xml: str, active: bool) -> Guests:
    """The devices that a domain's document names outright, and the interfaces that were made for it. Raises ValueError for nonsense."""
    domain = _parse(xml)
    name, uuid = domain.findtext("name"), domain.findtext("uuid")
    guests = Guests([], set())
    for element in (*domain.iterfind("devices/interface"), *domain.iterfind("devices/hostdev")):
        source, target = element.find("source"), element.find("target")
        device = _device(source) if element.get("type") in ("direct", "hostdev", "pci", "vdpa") else None
        if source is not None and device is not None:
            guests.claims.append(Claim(device, holder("libvirt_domain", name, uuid, source.get("network"), active)))
            if target is not None and target.get("dev"):
                guests.interfaces.add(target.get("dev", ""))
    return guests


def _parse(xml: str) -> Element:
    from xml.etree.ElementTree import ParseError, fromstring  # only usage needs it

    try:
        return fromstring(xml)  # noqa: S314  # libvirt wrote it: no entities to fear
    except ParseError as error:
        raise ValueError(f"one of its documents is no XML: {error}") from error


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
