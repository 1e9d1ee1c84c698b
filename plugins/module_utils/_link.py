# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: what rtnetlink says of a PF's interface and of its VFs, through ``ip -json``."""

from __future__ import annotations

import json
from typing import Any, Callable

__all__ = ["LinkUnreadable", "Run", "read_link", "read_links", "vf_configs"]

# The signature of AnsibleModule.run_command: a command to (exit code, standard output, standard error).
Run = Callable[[list[str]], tuple[int, str, str]]


class LinkUnreadable(Exception):
    """``ip`` gave no usable answer for an interface; the message is its reason."""


def read_link(name: str, run: Run) -> dict[str, Any]:
    """``ip -json -details link show dev name``: one process, with the VFs' configuration in ``vfinfo_list``.

    Never with ``-s``: statistics halve the number of VFs that fit into the kernel's 64 KiB attribute.
    """
    try:
        code, out, err = run(["ip", "-json", "-details", "link", "show", "dev", name])
    except OSError as error:
        raise LinkUnreadable(f"the command ip does not run: {error.strerror} (install iproute2)") from error
    if code != 0:
        raise LinkUnreadable(err.strip() or f"ip exited with {code}")
    try:
        (link,) = json.loads(out)
    except ValueError as error:
        raise LinkUnreadable(f"ip gave an answer that is no list of one link: {out.strip()[:80]!r}") from error
    return dict(link)


def read_links(run: Run) -> list[dict[str, Any]]:
    """Every link of this network namespace with its addresses, in one process."""
    try:
        code, out, err = run(["ip", "-json", "-details", "address", "show"])
        links = json.loads(out) if code == 0 else None
    except OSError as error:
        raise LinkUnreadable(f"the command ip does not run: {error.strerror} (install iproute2)") from error
    except ValueError as error:
        raise LinkUnreadable("ip gave an answer that is no list of links") from error
    if links is None:
        raise LinkUnreadable(err.strip() or f"ip exited with {code}")
    return [link for link in links if link.get("ifname")]


def vf_configs(link: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """VF index to VF configuration (`config` of the facts), from the answer of ``read_link``."""
    return {entry["vf"]: _config(entry) for entry in link.get("vfinfo_list", [])}


def _config(entry: dict[str, Any]) -> dict[str, Any]:
    # Without a VLAN the list holds one empty entry; the kernel keeps at most one VLAN for each VF.
    vlan = (entry.get("vlan_list") or [{}])[0]
    rate = entry.get("rate", {})
    return {
        "mac": entry.get("address"),
        "vlan": vlan.get("vlan", 0),
        "qos": vlan.get("qos", 0),
        "vlan_proto": (vlan.get("protocol") or "802.1Q").replace("802.1q", "802.1Q"),
        "spoofchk": entry.get("spoofchk"),
        "trust": entry.get("trust"),
        "link_state": _link_state(entry.get("link_state")),
        "min_tx_rate": rate.get("min_tx"),
        "max_tx_rate": rate.get("max_tx"),
        "query_rss": entry.get("query_rss_en"),
    }


def _link_state(value: str | None) -> str | None:
    # iproute2 says "disable" where its own command line takes both spellings.
    return {"disabled": "disable", "enabled": "enable"}.get(value, value) if value else value
