# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: setting the attributes of many VFs (admin MAC, VLAN, trust …) in one process.

Source: ip-link(8), and do_setvfinfo() in net/core/rtnetlink.c of the Linux kernel.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any, NamedTuple

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._pci import describe_pf

__all__ = ["ATTRIBUTES", "batch", "describe", "set_attributes", "settings"]

# What the kernel sets together stands together: whoever sets one of a group sets the others anew.
_GROUPS = (("mac",), ("vlan", "qos", "vlan_proto"), ("spoofchk",), ("trust",), ("link_state",), ("max_tx_rate", "min_tx_rate"), ("query_rss",))
ATTRIBUTES = tuple(attribute for group in _GROUPS for attribute in group)
_WITHOUT = {"vlan": 0, "qos": 0, "vlan_proto": "802.1Q", "max_tx_rate": 0, "min_tx_rate": 0}
_WORDS = {"vlan_proto": "proto", "link_state": "state"}

_LIKELY = (
    ("max_tx_rate", "Invalid argument", "the driver limits rates only while the PF's link has a carrier, and to no more than its speed"),
    ("vlan", "Protocol not supported", "the driver takes VLANs of 802.1Q alone"),
    ("", "Operation not supported", "the driver has no such setting"),
    ("", "Operation not permitted", "run as root, with become"),
    ("", "Numerical result out of range", "the card takes no such value"),
    ("", "", "see journalctl -k for the driver's reason"),
)


class Setting(NamedTuple):
    """One group of attributes of one VF that is not as it should be, with every value of the group."""

    vf: int
    values: dict


def settings(configs: dict[int, dict], wanted: dict[int, dict]) -> list[Setting]:
    """What has to be set so that each VF of ``configs`` (VF index to `config` of the facts) is as in ``wanted``.

    A VF whose configuration is not known is set whatever it may be.
    """
    return [
        Setting(index, {name: wanted[index].get(name, now.get(name, _WITHOUT.get(name))) for name in group})
        for index in sorted(wanted)
        for now in [configs.get(index) or {}]
        for group in _GROUPS
        if any(name in wanted[index] and (name not in now or now[name] != wanted[index][name]) for name in group)
    ]


def batch(interface: str, wrong: list[Setting]) -> str:
    """Commands for ``ip -batch``: one line for each setting, so that the number of a line that fails tells which one it is."""
    return "".join(f"link set dev {interface} vf {setting.vf} {' '.join(_words(setting.values))}\n" for setting in wrong)


def _words(values: dict) -> Iterator[str]:
    for name, value in values.items():
        # Only with another protocol does ip use the newer message, which older drivers do not know.
        if name != "vlan_proto" or value != "802.1Q":
            yield f"{_WORDS.get(name, name)} {_shown(value)}"


def _shown(value: Any) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def describe(values: dict) -> str:
    """``vlan 100, trust on``: in the user's words."""
    return ", ".join(f"{name} {_shown(value)}" for name, value in values.items())


def set_attributes(pf: dict, wrong: list[Setting], run: Callable[..., tuple[int, str, str]]) -> None:
    """Set them all in one process; SriovError names the first VF, attribute and value that the driver refuses.

    All that is wrong with a VF goes to the kernel at once, for that is faster. The kernel does not say which part of it was refused:
    only then they go one by one.
    """
    refusal = _refusal(pf, _of_each_vf(wrong), run)
    if refusal is None:
        return
    refused, reason = _refusal(pf, [setting for setting in wrong if setting.vf == refusal[0].vf], run) or refusal
    likely = next(cause for name, words, cause in _LIKELY if (not name or name in refused.values) and words in reason)
    raise SriovError(
        f"The driver {pf['driver']} refuses {describe(refused.values)} of VF {refused.vf} of {describe_pf(pf)} ({reason}): {likely}.",
        vf=refused.vf,
        refused=refused.values,
    )


def _of_each_vf(wrong: list[Setting]) -> list[Setting]:
    together: list[Setting] = []
    for vf, group in groupby(wrong, key=lambda setting: setting.vf):
        together.append(Setting(vf, {}))
        for setting in group:
            together[-1].values.update(setting.values)
    return together


def _refusal(pf: dict, wrong: list[Setting], run: Callable[..., tuple[int, str, str]]) -> tuple[Setting, str] | None:
    """The first setting that the kernel refuses, and its words; those after it are not set."""
    if not wrong:
        return None
    code, _out, err = run(["ip", "-batch", "-"], data=batch(pf["name"], wrong))
    if code == 0:
        return None
    line = re.search(r"Command failed -:(\d+)", err)
    if line is None:
        raise SriovError(f"ip -batch failed on {describe_pf(pf)}: {' '.join(err.split()) or code}.")
    words = err[: line.start()].strip().rpartition("\n")[2].replace("RTNETLINK answers: ", "").replace("Error: ", "").rstrip(".")
    return wrong[int(line[1]) - 1], words
