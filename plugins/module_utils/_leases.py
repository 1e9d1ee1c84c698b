# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: leases, read from and written to the documents of libvirt's network ports (pure).

A lease is a dict: ``port`` (UUID), ``owner_name``, ``owner_uuid``, ``mac``, ``portgroup``, ``vlan`` (a number), ``plug`` (what is held) and
``xml`` (the port's own document); what the port does not have is None.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._lxml import etree
from ansible_collections.vfpool.sriov.plugins.module_utils._network_xml import Element, new_element, parse_xml, pci_element, pci_of

__all__ = ["check_single", "describe_lease", "holders", "member_of", "parse_port", "plug_element", "under"]


def parse_port(xml: str) -> dict:
    """A lease, from the XML of a port."""
    root = parse_xml(xml)
    plug, tag = root.find("plug"), root.find("vlan/tag")
    return {
        "port": root.findtext("uuid"),
        "owner_name": root.findtext("owner/name"),
        "owner_uuid": root.findtext("owner/uuid"),
        "mac": root.find("mac").get("address"),
        "portgroup": root.findtext("group"),
        "vlan": None if tag is None else int(tag.get("id")),
        "plug": None if plug is None else _plug(plug),
        "xml": xml,
    }


def _plug(plug: Any) -> dict:
    kind = plug.get("type")
    if kind == "hostdev-pci":
        return {"type": kind, "address": pci_of(plug.find("address")), "mode": "hostdev"}
    return {"type": kind, "interface": plug.get("dev") or plug.get("bridge"), "mode": plug.get("mode", kind)}


def member_of(lease: dict) -> str | None:
    """The interface or PCI address that a lease holds."""
    plug = lease["plug"] or {}
    return plug.get("interface") or plug.get("address")


def describe_lease(lease: dict) -> str:
    return f"{lease['owner_name'] or lease['owner_uuid']} holds {member_of(lease) or lease['mac']}"


def holders(leases: Iterable[dict]) -> str:
    """Who holds what, in words."""
    return ", ".join(map(describe_lease, leases))


def check_single(network: str, leases: list[dict]) -> None:
    """Raise SriovError where two of ``leases`` have one member: libvirt would take only one of them back."""
    count = Counter(map(member_of, leases))
    twice = [f"{describe_lease(lease)} by the lease {lease['port']}" for lease in leases if member_of(lease) and count[member_of(lease)] > 1]
    if twice:
        said = f"The network {network} has leased one VF twice ({', '.join(twice)}), so nothing is changed that would lose one of these"
        raise SriovError(f"{said}: stop one of the two guests, or release its lease with vfpool.sriov.passthrough_port.")


def plug_element(mode: str, member: str) -> Element:
    """What the document of a port says of the member that it holds in a network of this mode."""
    if mode != "hostdev":
        return new_element("plug", type="direct", dev=member, mode=mode)
    return new_element("plug", pci_element(member), type="hostdev-pci")


def under(lease: dict, mode: str, member: str) -> dict:
    """``lease`` with its plug as in a network of this mode, which calls what is held ``member``."""
    port, new = parse_xml(lease["xml"]), plug_element(mode, member)
    old = port.find("plug")
    if old.get("type") == new.get("type"):  # how a PCI device is given to its guest stays as it is
        new.attrib.update({name: value for name, value in old.attrib.items() if name not in new.attrib})
        new.extend(child for child in old if new.find(child.tag) is None)
    port.replace(old, new)
    return {**lease, **parse_port(etree().tostring(port, encoding="unicode"))}
