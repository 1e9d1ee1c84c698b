# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: what rtnetlink says of the host's interfaces and of VFs, through ``ip -json``."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from ansible_collections.vfpool.sriov.plugins.module_utils._command import Answer, Start
from ansible_collections.vfpool.sriov.plugins.module_utils._errors import Unreadable

__all__ = ["Links", "ask_links", "read_link", "vf_configs"]

_EVERYTHING = ["ip", "-json", "-details", "address", "show"]


class Links(NamedTuple):
    """Every interface of this network namespace by name, and whether VF configuration was asked for."""

    by_name: dict[str, dict]
    with_vfs: bool


def ask_links(start: Start) -> Callable[[], Links]:
    """Ask for all interfaces with their addresses and their VFs' configuration, in one process; what comes back waits for the answer.

    Never with ``-s``: statistics halve the number of VFs that fit into the kernel's 64 KiB attribute. Where the VFs of one PF do not
    fit into a message at all (InfiniBand, whose VFs have long addresses), the kernel refuses the whole list, and it is read without VFs.
    """
    asked = _ask(_EVERYTHING, start)

    def links() -> Links:
        try:
            return Links(asked(), with_vfs=True)
        except Unreadable:
            return Links(_ask([*_EVERYTHING, "novf"], start)(), with_vfs=False)

    return links


def read_link(name: str, start: Start) -> dict:
    """One interface as in ``ask_links``, with its VFs' configuration, in a process of its own."""
    links = _ask([*_EVERYTHING, "dev", name], start)()
    if name not in links:
        raise Unreadable(f"ip names no interface {name}")
    return links[name]


def _ask(command: list[str], start: Start) -> Callable[[], dict[str, dict]]:
    return partial(_by_name, start(command))


def _by_name(asked: Callable[[], Answer]) -> dict[str, dict]:
    try:
        code, out, err = asked()
    except OSError as error:
        raise Unreadable(f"the command ip does not run: {error.strerror} (install iproute2)") from error
    if code != 0:
        raise Unreadable(" ".join(err.split()) or f"ip exited with {code}")
    try:
        # An empty object stands for each interface that a filter left out.
        return {link["ifname"]: link for link in json.loads(out) if link}
    except (ValueError, TypeError, KeyError) as error:
        raise Unreadable(f"ip gave an answer that is no list of interfaces: {out.strip()[:80]!r}") from error


def vf_configs(link: dict) -> dict[int, dict]:
    """VF index to VF configuration (`config` of the facts), as far as the kernel's list goes."""
    return {entry["vf"]: _config(entry) for entry in link.get("vfinfo_list", ()) if "vf" in entry}


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
