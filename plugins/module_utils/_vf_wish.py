# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: what the option `vfs` declares for each VF (pure: checked before anything is written)."""

from __future__ import annotations

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._mac import normal_mac
from ansible_collections.vfpool.sriov.plugins.module_utils._pci import describe_pf
from ansible_collections.vfpool.sriov.plugins.module_utils._range_option import parse_ranges
from ansible_collections.vfpool.sriov.plugins.module_utils._ranges import format_ranges

__all__ = ["check_values", "wanted_vfs"]

_NO_MAC = "00:00:00:00:00:00"  # an admin MAC of zeros is none: the VF chooses its own
_LIMITS = {"vlan": (0, 4094), "qos": (0, 7), "min_tx_rate": (0, 2**32 - 1), "max_tx_rate": (0, 2**32 - 1), "msix_count": (1, 2048)}


def wanted_vfs(entries: list[dict] | None, num_vfs: int, pf: dict) -> dict[int, dict]:
    """VF index to what is declared for that VF, without what is not mentioned, on a PF that will have ``num_vfs`` VFs.

    Raises SriovError for an index that the PF will not have or that two entries name, and for values that no card takes.
    """
    wanted: dict[int, dict] = {}
    for entry in entries or []:
        indices = parse_ranges(entry["index"], "vfs.index")
        declared = {key: value for key, value in entry.items() if key != "index" and value is not None}
        twice = wanted.keys() & set(indices)
        if twice:
            raise SriovError(f"vfs names VF {format_ranges(twice)} of {describe_pf(pf)} in two entries: say in one what it should be.")
        if indices[-1] >= num_vfs:
            has = f"the VFs 0-{num_vfs - 1}" if num_vfs else "no VFs"
            raise SriovError(f"vfs names VF {indices[-1]}, but {describe_pf(pf)} will have {has}: name only those, or raise num_vfs.")
        check_values(declared, f"VF {entry['index']} of {describe_pf(pf)}")
        wanted.update((index, dict(declared)) for index in indices)
    now = {vf["index"]: vf["config"] or {} for vf in pf["vfs"] if vf["index"] < num_vfs}
    _check_rates(wanted, now, pf)
    _check_macs(wanted, now, pf)
    return wanted


def check_values(declared: dict, vf: str) -> None:
    """Raise SriovError for a value that no card takes, and bring the MAC address into its one spelling."""
    for attribute, (least, most) in _LIMITS.items():
        if attribute in declared and not least <= declared[attribute] <= most:
            raise SriovError(f"{attribute} {declared[attribute]} of {vf} is out of range: write {least} to {most}.")
    if "mac" in declared:
        declared["mac"] = normal_mac(declared["mac"], vf)


def _check_rates(wanted: dict[int, dict], now: dict[int, dict], pf: dict) -> None:
    for index, declared in wanted.items():
        if "min_tx_rate" in declared or "max_tx_rate" in declared:
            rates = {**now.get(index, {}), **declared}
            least, most = rates.get("min_tx_rate") or 0, rates.get("max_tx_rate") or 0
            if 0 < most < least:
                raise SriovError(
                    f"min_tx_rate {least} of VF {index} of {describe_pf(pf)} is above its max_tx_rate {most}: "
                    "lower the one or raise the other (0 is no limit)."
                )


def _check_macs(wanted: dict[int, dict], now: dict[int, dict], pf: dict) -> None:
    owners = {pf["mac"]: "the PF itself"}
    owners.update((config["mac"], f"VF {index}") for index, config in now.items() if config.get("mac") and "mac" not in wanted.get(index, {}))
    for index, declared in wanted.items():
        mac = declared.get("mac", _NO_MAC)
        if mac != _NO_MAC and owners.setdefault(mac, f"VF {index}") != f"VF {index}":
            raise SriovError(f"mac {mac} is declared for VF {index} of {describe_pf(pf)} and belongs to {owners[mac]} too: give each a MAC address of its own.")
