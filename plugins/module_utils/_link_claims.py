# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: what the host's links say is held of its interfaces: what stands on one, what it is a port of, its addresses (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ansible_collections.vfpool.sriov.plugins.module_utils._claims import Claim, holder

__all__ = ["MACVLANS", "link_claims"]

MACVLANS = ("macvtap", "macvlan", "ipvtap", "ipvlan")
# Where a link names what it stands on among the data of its kind (hsr, vxlan).
_PORTS_OF = frozenset(("slave1", "slave2", "link"))


def link_claims(links: Iterable[dict]) -> Iterator[Claim]:
    """What the links of this namespace say is held: what stands on an interface, what it is a port of, what takes its packets, and its addresses."""
    for link in links:
        below = link.get("link")
        kind = link.get("linkinfo", {}).get("info_kind")
        if below is not None and "link_netnsid" not in link and kind != "veth":  # to which link is its other end
            yield Claim(below, holder("macvtap" if kind in MACVLANS else "host", link["ifname"]))
        for port in _PORTS_OF.intersection(link.get("linkinfo", {}).get("info_data") or ()):
            yield Claim(link["linkinfo"]["info_data"][port], holder("host", link["ifname"]))
        if link.get("master"):
            yield Claim(link["ifname"], holder("host", link["master"]))
        if link.get("xdp"):
            yield Claim(link["ifname"], holder("host", "XDP program"))
        for address in link.get("addr_info", ()):
            if not _unasked(address):
                yield Claim(link["ifname"], holder("host", f"{address['local']}/{address['prefixlen']}"))


def _unasked(address: dict) -> bool:
    """Addresses that the kernel gives to every interface that is up, and that nobody asked for: link-local ones, and those of a router's prefix.

    What asks for such a prefix in the kernel's place (NetworkManager, systemd-networkd) manages the routes as well (IFA_F_NOPREFIXROUTE).
    """
    by_router = address.get("dynamic") and (address.get("mngtmpaddr") or address.get("temporary")) and not address.get("noprefixroute")
    return address.get("family") == "inet6" and (address.get("scope") == "link" or bool(by_router))
