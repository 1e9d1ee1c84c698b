# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: what rtnetlink says of the host's interfaces and of VFs, through ``ip -json``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from ansible_collections.vfpool.sriov.plugins.module_utils._command import Start, ask
from ansible_collections.vfpool.sriov.plugins.module_utils._errors import Unreadable
from ansible_collections.vfpool.sriov.plugins.module_utils._pf import ALWAYS_TOLD

__all__ = ["UNNAMED", "Links", "add_altnames", "ask_links", "is_cut", "read_link", "vf_configs"]

_EVERYTHING = ["ip", "-json", "-details", "address", "show"]

# Before the name of an interface that sysfs has and ip has not, or not any more.
UNNAMED = "ip names no interface"
# Of an interface that sysfs has, while udev is at work on it.
UNSETTLED = "udev may still rename its interface, and who names it by its later name is not known"


class Links(NamedTuple):
    """Every interface of this network namespace by name, and whether VF configuration was asked for."""

    by_name: dict[str, dict]
    with_vfs: bool


def ask_links(pfs: list[dict], start: Start) -> Callable[[], Links]:
    """Ask for all interfaces with their addresses and their VFs' configuration, in one process; what comes back waits for the answer.

    Where the VFs of one PF do not fit into a message at all (InfiniBand, whose VFs have long addresses), the kernel refuses the whole list,
    and it is read without VFs, which older releases of iproute2 do not do. One of ``pfs`` whose VFs the kernel has cut is asked for again alone;
    where they are cut there, too, altnames that are not told are None. Raises Unreadable.
    """
    asked = ask(_EVERYTHING, start, _by_name)

    def links() -> Links:
        try:
            told = asked()
        except Unreadable as refusal:
            with suppress(Unreadable):
                return Links(ask([*_EVERYTHING, "novf"], start, _by_name)(), with_vfs=False)
            raise refusal
        for name, vfs in ((pf["name"], len(pf["vfs"])) for pf in pfs):
            if is_cut(told.get(name, {}), vfs):
                with suppress(Unreadable):
                    told[name] = read_link(name, start)
                if is_cut(told[name], vfs):
                    told[name] = {**told[name], "link": None, "altnames": told[name].get("altnames")}
        return Links(told, with_vfs=True)

    return links


def is_cut(link: dict, vfs: int) -> bool:
    """Whether a link with so many VFs is told as the kernel tells one whose VFs have no room in the 64 KiB of an attribute.

    The kernel writes them all, and their length modulo 64 KiB (nla_nest_end() of include/net/netlink.h). So the list ends anywhere, even before
    the first; and ``ip`` takes the rest of it for the PF's own: it misses altnames, and makes up an interface that the PF stands on.
    """
    return vfs > ALWAYS_TOLD and len(link.get("vfinfo_list", range(vfs))) != vfs


def add_altnames(pfs: list[dict], links: dict[str, dict]) -> None:
    """Set the altnames of each PF that is among ``links``, which are as in ``Links.by_name``."""
    for pf in pfs:
        pf["altnames"] = links.get(pf["name"], pf).get("altnames", [])


def read_link(name: str, start: Start) -> dict:
    """One interface as in ``ask_links``, with its VFs' configuration, in a process of its own.

    There is room for a half more VFs: asked for all interfaces, iproute2 6.1 has the kernel add statistics, and asked for one it does not.
    """
    links = ask([*_EVERYTHING, "dev", name], start, _by_name)()
    if name not in links:
        raise Unreadable(f"{UNNAMED} {name}")
    return links[name]


def _by_name(links: list[dict]) -> dict[str, dict]:
    # An empty object stands for each interface that a filter left out.
    told = {link["ifname"]: link for link in links if link}
    if not all(isinstance(link.get(part, kind()), kind) for link in told.values() for part, kind in _PARTS.items()):
        raise TypeError
    return told


# What a link is told with in more than one word.
_PARTS = {"altnames": list, "linkinfo": dict, "addr_info": list, "vfinfo_list": list}


def vf_configs(link: dict) -> dict[int, dict]:
    """VF index to VF configuration (`config` of the facts), as far as the kernel's list goes. Raises Unreadable for one that makes no sense."""
    try:
        configs = {entry["vf"]: _config(entry) for entry in link.get("vfinfo_list", ()) if "vf" in entry}
    except (AttributeError, TypeError, LookupError) as error:
        raise Unreadable("ip gave a list of VFs that makes no sense") from error
    for index, config in configs.items():
        for name, value in config.items():
            if value is not None and (not isinstance(value, _KINDS.get(name, str)) or (isinstance(value, int) and value < 0)):
                raise Unreadable(f"ip says {name} {value!r} of VF {index}, which makes no sense")
    return configs


# Of the attributes of a VF that are no text.
_KINDS = {**dict.fromkeys(("vlan", "qos", "min_tx_rate", "max_tx_rate"), int), **dict.fromkeys(("spoofchk", "trust", "query_rss"), bool)}


def _config(entry: dict) -> dict:
    # Without a VLAN the list holds one empty entry, and the kernel keeps one VLAN at most; before Linux 4.9 there was no list.
    vlan = (entry.get("vlan_list") or [entry])[0]
    rate = entry.get("rate", {})
    return {
        # iproute2 before 5.3 called it mac.
        "mac": entry.get("address", entry.get("mac")),
        "vlan": vlan.get("vlan", 0),
        "qos": vlan.get("qos", 0),
        "vlan_proto": (vlan.get("protocol") or "802.1Q").replace("802.1q", "802.1Q"),
        "spoofchk": entry.get("spoofchk"),
        "trust": entry.get("trust"),
        "link_state": entry.get("link_state"),
        "min_tx_rate": rate.get("min_tx"),
        "max_tx_rate": rate.get("max_tx"),
        "query_rss": entry.get("query_rss_en"),
    }
