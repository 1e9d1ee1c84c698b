# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands ip and devlink of a host on a sysfs tree, in place of the real ones."""

from __future__ import annotations

import json

__all__ = ["Commands"]

Answer = tuple[int, str, str]


class Commands:
    """`run` takes the place of AnsibleModule.run_command; `asked` is what was run."""

    def __init__(self, links: list[dict], eswitch: dict[str, str] | None = None) -> None:
        """`links` as ``ip -json address`` tells them; `eswitch` the modes of switches by PCI address."""
        self.links = links
        self.eswitch = eswitch or {}
        self.asked: list[str] = []
        self.refusals: dict[str, Answer | OSError] = {}

    def run(self, command: list[str]) -> Answer:
        line = " ".join(command)
        self.asked.append(line)
        if line in self.refusals:
            refusal = self.refusals[line]
            if isinstance(refusal, OSError):
                raise refusal
            return refusal
        return self._ip(command) if command[0] == "ip" else self._devlink(command[-1])

    def _ip(self, command: list[str]) -> Answer:
        links = self.links
        if command[-2] == "dev":
            links = [link for link in links if link["ifname"] == command[-1]]
            if not links:
                return 1, "", f'Device "{command[-1]}" does not exist.'
        if command[-1] == "novf":
            links = [{key: value for key, value in link.items() if key != "vfinfo_list"} for link in links]
        return 0, json.dumps(links), ""

    def _devlink(self, device: str) -> Answer:
        mode = self.eswitch.get(device[len("pci/") :])
        if mode is None:
            return 1, '{"dev":{}}', "kernel answers: No such device"
        return 0, json.dumps({"dev": {device: {"mode": mode, "inline-mode": "none", "encap-mode": "basic"}}}), ""
