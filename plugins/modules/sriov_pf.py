# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: sriov_pf
short_description: Bring one SR-IOV PF and its VFs to a declared state
description:
  - Sets the number of VFs of a physical function (PF), its link, its MTU and whether the kernel gives drivers to new VFs.
  - What is not mentioned stays as it is.
  - Changing the number of VFs destroys every VF first, because the kernel allows it no other way.
    If a guest, a macvtap device, a VFIO process or another network namespace holds one of them, the module names each holder and writes nothing.
  - Returns when udev is done with each new VF, so that interface names are final.
  - If the kernel or the driver refuses a value, what was done before is undone.
author:
  - the vfpool.sriov authors (@vfpool)
extends_documentation_fragment:
  - vfpool.sriov.attributes
requirements:
  - pyudev (Debian package C(python3-pyudev))
  - ip (Debian package C(iproute2))
options:
  pf:
    description:
      - The PF, by interface name, altname, PCI address in any domain (C(0000:01:00.0)), or permanent MAC address.
    type: str
    required: true
  num_vfs:
    description:
      - The number of VFs, or V(max) for as many as the card has.
      - The number that the PF already has is no change. V(0) destroys all VFs.
    type: str
  drivers_autoprobe:
    description:
      - Whether the kernel binds new VFs to the card's VF driver. Without one, a VF has no network interface.
      - Takes effect on VFs that are made afterwards.
    type: bool
  link:
    description:
      - Whether the PF's link is switched on. No guest can use a VF of a PF whose link is down.
    type: str
    choices: [up, down]
  mtu:
    description:
      - The PF's MTU in bytes. Many drivers allow a VF no larger one.
    type: int
  on_in_use:
    description:
      - What to do when someone holds a VF that would be destroyed.
      - V(fail) names each holder and changes nothing. A VF whose use could not be found out counts as held.
      - V(force) takes the VF away; RV(affected) tells from whom. Not even V(force) takes a VF that a process has open by VFIO,
        because the kernel waits for that process without end.
    type: str
    choices: [fail, force]
    default: fail
  timeout:
    description:
      - How many seconds to wait for the interfaces of new VFs, and for another run on the same PF to end.
    type: int
    default: 120
seealso:
  - module: vfpool.sriov.sriov_vf_facts
  - module: vfpool.sriov.passthrough_network
"""

EXAMPLES = r"""
- name: Make 8 VFs on a card and switch its link on
  vfpool.sriov.sriov_pf:
    pf: enp1s0
    num_vfs: 8
    link: up

- name: Make as many VFs as the card has, wherever the kernel puts its name
  vfpool.sriov.sriov_pf:
    pf: "52:54:00:aa:00:01"
    num_vfs: max

- name: Make VFs for DPDK, without network interfaces
  vfpool.sriov.sriov_pf:
    pf: "0000:3b:00.0"
    drivers_autoprobe: false
    num_vfs: 16

- name: Give all VFs back, and say whom that would hit
  vfpool.sriov.sriov_pf:
    pf: enp1s0
    num_vfs: 0
    on_in_use: force
  check_mode: true
  register: retired
"""

RETURN = r"""
pf:
  description: The PF as it is now, as in RV(vfpool.sriov.sriov_vf_facts#module:ansible_facts.sriov.pfs).
  returned: success
  type: dict
  sample: {"name": "enp1s0", "pci_address": "0000:01:00.0", "total_vfs": 7, "num_vfs": 4}
actions:
  description: What was done, or would be done in check mode, in order.
  returned: success
  type: list
  elements: str
  sample: ["destroy VF 0-2 of enp1s0 (0000:01:00.0)", "make 4 VFs on enp1s0 (0000:01:00.0)"]
affected:
  description: Each holder of a VF that was destroyed, would be, or because of which the module refused.
  returned: success, and when refused because of them
  type: list
  elements: dict
  contains:
    vf:
      description: The index of the VF.
      type: int
      sample: 0
    kind:
      description: What holds it, one of V(libvirt_port), V(libvirt_domain), V(macvtap), V(vfio), V(netns).
      type: str
      sample: libvirt_port
    name:
      description: The name of the guest, device, process or namespace.
      type: str
      sample: web1
    uuid:
      description: The UUID of the guest.
      type: str
      sample: 2c1b7a6e-2f43-4b4f-9d5c-2b8f5d9a8f10
    network:
      description: The libvirt network whose pool the VF was taken from.
      type: str
      sample: sriov
    active:
      description: Whether it holds the VF now; V(false) for a guest that is not running but defined with the VF.
      type: bool
      sample: true
diff:
  description: What is declared, before and after, as YAML.
  returned: in diff mode
  type: dict
  sample: {"before": "num_vfs: 3\n", "after": "num_vfs: 4\n"}
"""

import contextlib
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._facts import gather
from ansible_collections.vfpool.sriov.plugins.module_utils._holders import without_libvirt
from ansible_collections.vfpool.sriov.plugins.module_utils._interpreter import require, respawn_where
from ansible_collections.vfpool.sriov.plugins.module_utils._lock import locked
from ansible_collections.vfpool.sriov.plugins.module_utils._pf_kernel import PfKernel
from ansible_collections.vfpool.sriov.plugins.module_utils._pf_plan import PfPlan


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "pf": {"type": "str", "required": True},
            "num_vfs": {"type": "str"},
            "drivers_autoprobe": {"type": "bool"},
            "link": {"type": "str", "choices": ["up", "down"]},
            "mtu": {"type": "int"},
            "on_in_use": {"type": "str", "choices": ["fail", "force"], "default": "fail"},
            "timeout": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    # pyudev waits for the VFs, libvirt's bindings tell which guest holds one.
    respawn_where("pyudev", "libvirt")
    try:
        require("pyudev")
        result = bring_about(module)
    except SriovError as error:
        module.fail_json(msg=str(error), **error.result)
    module.exit_json(**result)


def bring_about(module: AnsibleModule) -> dict[str, Any]:
    """Plan, and outside check mode apply; the lock is held from the reading of the plan's ground to its last step."""
    subsets = frozenset(("min", "config", "usage"))
    address = gather([module.params["pf"]], frozenset(("min",)), module.run_command)["pfs"][0]["pci_address"]
    with contextlib.nullcontext() if module.check_mode else locked("PF", address, module.params["timeout"]):
        sriov = gather([address], subsets, module.run_command)
        pf = sriov["pfs"][0]
        unknown_use = [entry["reason"] for entry in sriov["incomplete"] if "used_by" in entry["part"] or entry["part"] == "usage"]
        wish = PfPlan(without_libvirt(sriov)[0], module.params, PfKernel(pf, module.run_command, module.params["timeout"]), unknown_use)
        if not module.check_mode and wish.plan.changed:
            wish.plan.apply()
            pf = gather([address], subsets, module.run_command)["pfs"][0]
    return {"changed": wish.plan.changed, "actions": wish.plan.actions, "affected": wish.affected, "diff": wish.diff, "pf": pf}


if __name__ == "__main__":
    main()
