# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: the options that describe a PF, the same in a task and in what is kept for the next boot."""

from __future__ import annotations

import re

__all__ = ["PF_SPEC", "VF_SPEC", "fits", "is_driver_name", "is_number_of_vfs"]

VF_SPEC: dict = {
    "mac": {"type": "str"},
    "vlan": {"type": "int"},
    "qos": {"type": "int"},
    "vlan_proto": {"type": "str", "choices": ["802.1Q", "802.1ad"]},
    "spoofchk": {"type": "bool"},
    "trust": {"type": "bool"},
    "link_state": {"type": "str", "choices": ["auto", "enable", "disable"]},
    "min_tx_rate": {"type": "int"},
    "max_tx_rate": {"type": "int"},
    "query_rss": {"type": "bool"},
    "driver": {"type": "str"},
    "msix_count": {"type": "int"},
}

PF_SPEC: dict = {
    "num_vfs": {"type": "str"},
    "drivers_autoprobe": {"type": "bool"},
    "link": {"type": "str", "choices": ["up", "down"]},
    "mtu": {"type": "int"},
    "eswitch_mode": {"type": "str", "choices": ["legacy", "switchdev"]},
}


def fits(values: dict, spec: dict) -> bool:
    """Whether Ansible could have made ``values`` of options that are as in ``spec``."""
    return all(
        name in spec and type(value).__name__ == spec[name]["type"] and value in spec[name].get("choices", [value]) for name, value in values.items()
    )


def is_number_of_vfs(text: str) -> bool:
    """Whether a text is ``max`` or a number as sysfs writes it: the script for the next boot compares the two as texts."""
    return text == "max" or re.fullmatch("0|[1-9][0-9]{,19}", text) is not None


def is_driver_name(text: str) -> bool:
    """Whether a driver can have that name. An empty one is the folder of all drivers, and modprobe would take a path, an option,
    or the name of a module whose driver has another.
    """
    return re.fullmatch(r"\w[\w.-]*", text, re.ASCII) is not None and text not in ("vfio_pci", "pci_stub")
