# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: sriov_pf
short_description: Bring one SR-IOV PF and its VFs to a declared state
description:
  - Sets the number of VFs of a physical function (PF), its link, MTU and switch mode, and the attributes and drivers of its VFs.
  - What is not mentioned stays as it is.
  - Changing the number of VFs destroys every VF first, because the kernel allows it no other way.
    If a guest, a macvtap device, a VFIO process, another network namespace or the host itself holds one of them, the module names each holder
    and writes nothing. So does a guest that is shut off, where its definition names the VF.
  - Returns when udev is done with each new VF, so that interface names are final.
  - If the kernel or the driver refuses a value, what was done before is undone, and RV(ignore:msg) names the VF, the value and the likely cause.
author:
  - the vfpool.sriov authors (@vfpool)
extends_documentation_fragment:
  - vfpool.sriov.attributes
attributes:
  diff_mode:
    support: partial
    details: Shows what is declared, before and after. That something is kept for the next boot is in RV(actions).
requirements:
  - pyudev (Debian package C(python3-pyudev))
  - ip and devlink (Debian package C(iproute2))
  - modprobe (Debian package C(kmod)), for a driver that is not loaded yet
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
      - For guests of libvirt, take at most 221. The kernel's answer to libvirt has room for no more, so no guest starts with the VFs beyond, and with
        222 not even with the first. Drivers without VF configuration, such as virtio's, do not have that limit.
    type: str
  drivers_autoprobe:
    description:
      - Whether the kernel binds new VFs to the card's VF driver. Without one, a VF has no network interface.
        Single VFs get it all the same by O(vfs[].driver=default).
      - Takes effect on VFs that are made afterwards.
    type: bool
  link:
    description:
      - Whether the PF's link is switched on. No guest can use a VF of a PF whose link is down, so it is not switched off while one does,
        unless O(on_in_use=force).
    type: str
    choices: [up, down]
  mtu:
    description:
      - The PF's MTU in bytes. Many drivers allow a VF no larger one.
    type: int
  eswitch_mode:
    description:
      - The mode of the card's internal switch. V(switchdev) gives each VF a representor on the host.
      - The mode changes only without VFs, so they are made anew, as with O(num_vfs).
    type: str
    choices: [legacy, switchdev]
  vfs:
    description:
      - What single VFs should have. Each VF is named in one entry at most. What is not mentioned is kept, even where a new number of VFs makes
        the VF anew, but for O(vfs[].msix_count).
      - While a guest of libvirt has a VF, libvirt sets its MAC address, its VLAN and, in a network in mode C(hostdev), its driver.
        With O(on_in_use=fail) the module leaves these alone and warns of it.
    type: list
    elements: dict
    suboptions:
      index:
        description: The VF, or a range of VFs such as V(0-7,9).
        type: str
        required: true
      mac:
        description:
          - The admin MAC, which the card gives to the VF and lets no guest change. V(00:00:00:00:00:00) is none.
          - A VF whose network driver is already at work goes on with its old address until that driver is bound anew.
        type: str
      vlan:
        description: The VLAN that the card puts the VF's traffic into, 1 to 4094, or 0 for none.
        type: int
      qos:
        description: The VLAN priority, 0 to 7.
        type: int
      vlan_proto:
        description: The VLAN protocol.
        type: str
        choices: [802.1Q, 802.1ad]
      spoofchk:
        description: Whether the card drops what the VF sends from a foreign MAC address.
        type: bool
      trust:
        description: Whether the VF may do what could disturb others, such as promiscuous mode.
        type: bool
      link_state:
        description: The link that the VF sees, V(auto) for that of the PF.
        type: str
        choices: [auto, enable, disable]
      min_tx_rate:
        description: The least bandwidth for sending in Mbit/s, 0 for none.
        type: int
      max_tx_rate:
        description: The most bandwidth for sending in Mbit/s, 0 for no limit. Many drivers take it only while the link has a carrier.
        type: int
      query_rss:
        description: Whether the VF may ask for the PF's RSS configuration.
        type: bool
      driver:
        description: The name of the driver that gets the VF, such as V(vfio-pci); V(default) for the card's own; V(none) for no driver.
        type: str
      msix_count:
        description: The number of MSI-X vectors of the VF, 1 to 2048, where the card's driver can share them out.
        type: int
  persist:
    description:
      - Whether what is declared is there again after a reboot, before libvirt starts its networks. A unit of systemd sees to that, which
        C(journalctl -u 'vfpool-sriov-*') tells of. Its files are named so in C(/etc/systemd/system), C(/etc/udev/rules.d) and C(/etc/vfpool.sriov).
      - What earlier runs declared for the same PF stays in force until it is declared otherwise.
      - With V(false), nothing of it is left for the next boot. With O(num_vfs=0), only what is declared in the same task is.
      - Fails where something else declares the VFs of the same PF for the next boot, such as NetworkManager, netplan or a udev rule, and names its file.
      - Say V(false) before you take a card out. Each boot waits for a card that was declared and is gone, and a run for another PF warns of it,
        with the files to remove.
    type: bool
    default: true
  on_in_use:
    description:
      - What to do when someone holds a VF that would be destroyed, would lose its driver, or would lose its connection by O(link=down).
      - V(fail) names each holder and changes nothing. A VF whose use could not be found out counts as held.
      - V(force) goes on; RV(affected) tells from whom it took a VF away, though not who lost a connection alone. Not even V(force) takes a VF that
        a process has open by VFIO, because the kernel waits for that process without end.
    type: str
    choices: [fail, force]
    default: fail
  timeout:
    description:
      - How many seconds to wait for the interfaces of new VFs, and for another run on the same PF to end; a day (V(86400)) at most.
    type: int
    default: 120
notes:
  - Needs root (C(become)), in check mode, too.
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

- name: Make as many VFs as the card has, whatever name it has on this host
  vfpool.sriov.sriov_pf:
    pf: "52:54:00:aa:00:01"
    num_vfs: max

- name: Make VFs for DPDK, without network interfaces
  vfpool.sriov.sriov_pf:
    pf: "0000:3b:00.0"
    drivers_autoprobe: false
    num_vfs: 16

- name: Give VLANs and rates to VFs, and some of them to VFIO
  vfpool.sriov.sriov_pf:
    pf: enp1s0
    num_vfs: 8
    link: up
    vfs:
      - index: 0-3
        vlan: 100
        spoofchk: true
        max_tx_rate: 200
      - index: 4,5
        trust: true
      - index: 6-7
        driver: vfio-pci

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
incomplete:
  description: What of RV(pf) could not be read and is null there, and why, as in the facts.
  returned: success
  type: list
  elements: dict
  sample: []
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
      description: The index of the VF; null for a network, which has them all.
      type: int
      sample: 0
    kind:
      description:
        - What holds it, one of V(libvirt_port), V(libvirt_domain), V(macvtap), V(vfio), V(netns), V(host).
        - V(libvirt_network) is an active network whose pool goes stale with the VFs; M(vfpool.sriov.passthrough_network) refreshes it.
      type: str
      sample: libvirt_port
    name:
      description: The name of the guest, device, process, namespace or network.
      type: str
      sample: web1
    uuid:
      description: The UUID of the guest or network.
      type: str
      sample: 2c1b7a6e-2f43-4b4f-9d5c-2b8f5d9a8f10
    network:
      description: The libvirt network whose pool the VF was taken from.
      type: str
      sample: sriov
    active:
      description: V(false) for a guest that is not running but defined with the VF.
      returned: for such a guest
      type: bool
      sample: false
vf:
  description: The index of the VF whose settings were refused, or that did not get its driver.
  returned: when the module failed because of that
  type: int
  sample: 1
refused:
  description: The settings that the card's driver refused for RV(vf), with those that it sets together with these.
  returned: when the module failed because of that
  type: dict
  sample: {"max_tx_rate": 100, "min_tx_rate": 0}
diff:
  description: What is declared, before and after, as YAML.
  returned: success
  type: dict
  contains:
    before_header:
      description: The PF, as the title of what was before.
      type: str
    after_header:
      description: The PF, as the title of what is after.
      type: str
    before:
      description: What was.
      type: str
    after:
      description: What is, or would be in check mode.
      type: str
  sample: {"before": "num_vfs: 3\n", "after": "num_vfs: 4\n"}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.vfpool.sriov.plugins.module_utils._endings import fail_at_endings
from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._interpreter import require, respawn_where
from ansible_collections.vfpool.sriov.plugins.module_utils._pf_options import PF_SPEC, VF_SPEC
from ansible_collections.vfpool.sriov.plugins.module_utils._sriov_pf import bring_about
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Sysfs


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "pf": {"type": "str", "required": True},
            **PF_SPEC,
            "vfs": {"type": "list", "elements": "dict", "options": {"index": {"type": "str", "required": True}, **VF_SPEC}},
            "persist": {"type": "bool", "default": True},
            "on_in_use": {"type": "str", "choices": ["fail", "force"], "default": "fail"},
            "timeout": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    # pyudev waits for the VFs, libvirt's bindings tell which networks' pools a change makes stale.
    respawn_where("pyudev", "libvirt")
    fail_at_endings()
    try:
        require("pyudev")
        result = bring_about(module, Sysfs())
    except SriovError as error:
        module.fail_json(msg=str(error), **error.result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
