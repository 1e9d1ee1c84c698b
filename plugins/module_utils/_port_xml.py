# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: the document of a network port, in which libvirt writes down a lease.

libvirt takes a port that is reclaimed as it stands, so what it would have filled in for a new one is filled in here.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Iterable

from ansible_collections.vfpool.sriov.plugins.module_utils._network_pool import places, profile_of
from ansible_collections.vfpool.sriov.plugins.module_utils._network_xml import Element, new_element

__all__ = ["port_element", "rx_filters", "settings_of_network"]

# The order in which libvirt prints the parts of a port.
_ORDER = ("uuid", "owner", "group", "mac", "virtualport", "bandwidth", "vlan", "port", "rxfilters", "plug")


def port_element(port: str, owner_name: str, owner_uuid: str, mac: str, group: str | None, parts: Iterable[Element | None]) -> Element:
    """The document of a port with what identifies it and the ``parts`` that say what it is like."""
    owner = new_element("owner", _text("name", owner_name), _text("uuid", owner_uuid))
    own = (_text("uuid", port), owner, _text("group", group) if group else None, new_element("mac", address=mac))
    document = new_element("networkport", *own, *parts)
    document[:] = sorted(document, key=lambda part: _ORDER.index(part.tag))
    return document


def settings_of_network(network: Element, port: str, group: str | None, vlan: Element | None) -> list[Element | None]:
    """What a port has from its network or port group; a ``vlan`` of its own comes first.

    As networkAllocatePort of libvirt's src/network/bridge_driver.c.
    """
    sources = places(network, group)

    def foremost(tag: str) -> Element | None:
        return next((copy.deepcopy(element) for place in sources for element in place.iterfind(tag)), None)

    return [foremost("vlan") if vlan is None else vlan, foremost("port"), rx_filters(sources), _virtualport(sources, port)]


def rx_filters(sources: Iterable[Element]) -> Element | None:
    """What the first of ``sources`` that says anything of it says of the filters that a guest sets."""
    trusted = [source.get("trustGuestRxFilters") for source in sources if source.get("trustGuestRxFilters")]
    return new_element("rxfilters", trustGuest=trusted[0]) if trusted else None


def _virtualport(sources: list[Element], port: str) -> Element | None:
    profile = profile_of(sources)
    if not profile:
        return None
    kind = profile.pop("type")
    if kind == "802.1Qbg":
        profile = {name: profile[name] for name in ("managerid", "typeid", "typeidversion", "instanceid") if name in profile}  # as libvirt prints it
        profile.setdefault("instanceid", str(uuid.uuid5(uuid.UUID(port), "instanceid")))
    return new_element("virtualport", new_element("parameters", **profile), type=kind)


def _text(tag: str, text: str) -> Element:
    element = new_element(tag)
    element.text = text
    return element
