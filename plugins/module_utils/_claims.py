# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: which devices libvirt's documents say are held, by whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

__all__ = ["Claim", "Guests", "describe_holder", "domain_claims", "holder", "is_active", "parse", "port_claims"]


class Claim(NamedTuple):
    """One holder (as in `used_by`) of one device: a PCI address, or the name of an interface."""

    device: str
    holder: dict


class Guests(NamedTuple):
    """Every claim of libvirt's, the guest of each interface that it made for one (a macvtap device), and why some claims may be missing."""

    claims: list[Claim]
    interfaces: dict[str, dict]
    doubt: str | None = None


def holder(kind: str, name: str | None, uuid: str | None = None, network: str | None = None, active: bool = True) -> dict:
    """An entry of `used_by`; a guest that is not ``active`` has been promised the VF, and does not use it."""
    return {"kind": kind, "name": name, "uuid": uuid, "network": network, **({} if active else {"active": False})}


def is_active(entry: dict) -> bool:
    """Whether the holder of an entry of `used_by` uses the VF now."""
    return bool(entry.get("active", True))


def describe_holder(entry: dict) -> str:
    """An entry of `used_by` in words: ``guest web1 (network n)``."""
    kind, name = entry["kind"], entry["name"]
    if kind == "libvirt_port":
        return f"guest {name} (network {entry['network']})"
    if kind == "libvirt_domain":
        return f"guest {name}" if is_active(entry) else f"guest {name} (not running, but defined with it)"
    nouns = {"macvtap": "link", "vfio": "process", "netns": "network namespace", "host": "host's own"}
    return f"{nouns[kind]} {name or 'of unknown name'}"


def port_claims(xml: str, network: str) -> list[Claim]:
    """What a network port's document says is held: one device, or none (a port of a bridge). Raises ValueError for nonsense."""
    port = parse(xml)
    device = _device(port.find("plug"))
    entry = holder("libvirt_port", port.findtext("owner/name"), port.findtext("owner/uuid"), network)
    return [] if device is None else [Claim(device, entry)]


def domain_claims(xml: str, active: bool) -> Guests:
    """The devices that a domain's document names outright, and the interfaces that were made for it. Raises ValueError for nonsense."""
    domain = parse(xml)
    name, uuid = domain.findtext("name"), domain.findtext("uuid")
    guests = Guests([], {})
    for element in (element for kind in ("interface", "hostdev", "disk") for element in domain.iterfind(f"devices/{kind}")):
        source, target = element.find("source"), element.find("target")
        device = _device(source) if element.get("type") in ("direct", "hostdev", "pci", "vdpa", "nvme") else None
        if source is not None and device is not None:
            guest = holder("libvirt_domain", name, uuid, source.get("network"), active)
            guests.claims.append(Claim(device, guest))
            if target is not None and target.get("dev"):
                guests.interfaces[target.get("dev", "")] = guest
    return guests


def parse(xml: str) -> Element:
    """A document of libvirt's. Raises ValueError for what is no XML."""
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
