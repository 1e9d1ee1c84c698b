# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: sriov_vf_facts
short_description: Gather facts about SR-IOV PFs and each of their VFs
description:
  - Describes every physical function (PF) of the host that can make virtual functions (VFs), and every VF with its configuration and
    with who holds it.
  - Never answers partially without saying so. What could not be read is V(null) and named in RV(ansible_facts.sriov.incomplete), and
    everything else is there.
  - A property that a device does not have is V(null) as well, and not named there. So is all that belongs to a subset that was not asked for.
  - Is cheap enough to run everywhere. It starts one process for the host and one for each PF, none for a VF, and on a host without SR-IOV none at all.
    Where the VFs of a PF do not fit into one answer of the kernel, for their number or InfiniBand's long addresses, it starts as many again.
  - Can gather beside M(ansible.builtin.setup) whenever facts are gathered. See the examples.
author:
  - the vfpool.sriov authors (@vfpool)
extends_documentation_fragment:
  - vfpool.sriov.attributes.info_module
  - vfpool.sriov.attributes.facts
requirements:
  - ip and devlink (Debian package C(iproute2))
options:
  pfs:
    description:
      - Only these PFs (all when left out), each by interface name, altname, PCI address in any domain, or permanent MAC address.
      - A selector that fits no PF, or two, fails and lists the PFs that there are.
    type: list
    elements: str
  gather_subset:
    description:
      - What to gather, by words as in M(ansible.builtin.setup). V(!) before a subset leaves it out, from V(all) when nothing else is asked for.
        One that is named both ways is gathered, and V(min) always is.
      - V(min) is what the kernel finds, that is every key that no other subset is said to bring.
      - V(config) is how the VFs are configured, RV(ansible_facts.sriov.pfs[].vfs[].config), with
        RV(ansible_facts.sriov.pfs[].vfs[].msix_count), RV(ansible_facts.sriov.pfs[].eswitch_mode),
        RV(ansible_facts.sriov.pfs[].vendor) and RV(ansible_facts.sriov.pfs[].model).
      - V(usage) is who holds each VF, RV(ansible_facts.sriov.pfs[].vfs[].used_by).
    type: list
    elements: str
    choices: [all, min, config, usage, '!all', '!min', '!config', '!usage']
    default: [all]
notes:
  - Needs to run as root (C(become)) to see the open files of all processes, other network namespaces, MSI-X capabilities, the mode of a PF's
    switch, and libvirt where that answers root alone. As another user, it says in RV(ansible_facts.sriov.incomplete) what it could not see.
  - Of libvirt, the system's daemon for QEMU is asked; guests of others (LXC, session) are told as processes, macvtap devices or namespaces while they
    run. Not looked for are saved states of guests, packet filters, routes, sockets bound to a VF, and processes that map its memory by sysfs.
  - While VFs are being made, Linux before 6.9 answers no question about their number. The module then waits until they are there.
seealso:
  - module: vfpool.sriov.sriov_pf
  - module: vfpool.sriov.passthrough_network_info
  - plugin: vfpool.sriov.interface_pool
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Gather facts about every PF and VF
  vfpool.sriov.sriov_vf_facts:

- name: Show the interfaces of the VFs of enp1s0
  ansible.builtin.debug:
    msg: "{{ ansible_facts['sriov'] | vfpool.sriov.interface_pool('enp1s0') }}"

- name: Show which VFs nobody holds
  ansible.builtin.debug:
    msg: "{{ ansible_facts['sriov'] | vfpool.sriov.interface_pool('enp1s0', unused=true) }}"

- name: Show who holds which VF
  ansible.builtin.debug:
    msg: "{{ item.name or item.pci_address }} is held by {{ item.used_by | map(attribute='name') | join(', ') }}"
  loop: "{{ ansible_facts['sriov']['pfs'] | map(attribute='vfs') | flatten | selectattr('used_by') }}"
  loop_control:
    label: "{{ item.pci_address }}"

- name: Fail when it is not known of each VF whether it is in use
  ansible.builtin.assert:
    that: ansible_facts['sriov']['pfs'] | map(attribute='vfs') | flatten | selectattr('used_by', 'none') | length == 0
    fail_msg: "{{ ansible_facts['sriov']['incomplete'] | ansible.builtin.to_nice_yaml }}"

- name: Gather facts about one card only, without asking libvirt
  vfpool.sriov.sriov_vf_facts:
    pfs: ["0000:01:00.0"]
    gather_subset: ["!usage"]

# Gathering of facts at the start of each play brings these, too:
# - name: Provision hypervisors
#   hosts: hypervisors
#   vars:
#     ansible_facts_modules: [ansible.builtin.setup, vfpool.sriov.sriov_vf_facts]
#   module_defaults:
#     vfpool.sriov.sriov_vf_facts:
#       gather_subset: [min]
"""

RETURN = r"""
ansible_facts:
  description: The facts of the host that this module adds.
  returned: always
  type: dict
  contains:
    sriov:
      description: The PFs of the host, and what could not be read. Keys are always the same.
      type: dict
      contains:
        incomplete:
          description: What the answer lacks; empty when all that was asked for is there.
          type: list
          elements: dict
          contains:
            part:
              description:
                - The key that is V(null), in a PF (V(altnames)) or its VFs (V(vfs[0-3].config), also if the driver tells none), or a whole VF (V(vfs[3])).
                - V(vfs) where the list itself may lack VFs, because they are just being made or destroyed.
                - RV(ansible_facts.sriov.pfs[].vfs[].used_by) is listed, too, where holders were found and there may be more.
              type: str
              sample: vfs[0-6].used_by
            pf:
              description: PCI address of the PF, or V(null) for all of the host.
              type: str
              sample: "0000:01:00.0"
            reason:
              description: Why, and what to do about it where something can be done.
              type: str
              sample: "the command ip does not run: No such file or directory (install iproute2)"
        pfs:
          description: The PFs, ordered by PCI address.
          type: list
          elements: dict
          contains:
            name:
              description: Network interface of the PF. V(null) where it has none, has it in another network namespace, or where udev may still rename it.
              type: str
              sample: enp1s0
            altnames:
              description: Alternative names of that interface.
              type: list
              elements: str
              sample: [enx525400aa0001]
            other_interfaces:
              description:
                - Further interfaces of a card with several ports on one PCI function, by port.
                - Every key of the PF is about the first port; the VFs belong to all.
              returned: for such a card
              type: list
              elements: str
              sample: [enp1s0d1]
            pci_address:
              description: PCI address with its domain.
              type: str
              sample: "0000:01:00.0"
            driver:
              description: Kernel driver, V(null) for none.
              type: str
              sample: igb
            vendor_id:
              description: PCI vendor, four hexadecimal digits.
              type: str
              sample: "8086"
            device_id:
              description: PCI device, four hexadecimal digits.
              type: str
              sample: "10c9"
            vendor:
              description: Name of the vendor in udev's hardware database. Of subset V(config).
              type: str
              sample: Intel Corporation
            model:
              description: Name of the device in udev's hardware database. Of subset V(config).
              type: str
              sample: 82576 Gigabit Network Connection
            mac:
              description: MAC address now in use.
              type: str
              sample: 52:54:00:aa:00:01
            permanent_mac:
              description: MAC address that the hardware came with, V(null) where its driver knows none.
              type: str
              sample: 52:54:00:aa:00:01
            mtu:
              description: MTU in bytes.
              type: int
              sample: 1500
            operstate:
              description: State of the link, as in RFC 2863 (V(up), V(down), V(lowerlayerdown), V(dormant), V(testing), V(notpresent), V(unknown)).
              type: str
              sample: up
            speed:
              description: Speed of the link in Mbit/s, V(null) while it is down.
              type: int
              sample: 1000
            numa_node:
              description: NUMA node, V(-1) where the host names none.
              type: int
              sample: 0
            total_vfs:
              description: How many VFs the PF can have.
              type: int
              sample: 7
            num_vfs:
              description: How many VFs the PF has.
              type: int
              sample: 2
            vf_offset:
              description: Distance of the first VF from its PF, in PCI functions.
              type: int
              sample: 128
            vf_stride:
              description: Distance of one VF from the next, in PCI functions.
              type: int
              sample: 2
            vf_device_id:
              description: PCI device of the VFs, four hexadecimal digits.
              type: str
              sample: "10ca"
            drivers_autoprobe:
              description: Whether the kernel binds new VFs to their driver.
              type: bool
              sample: true
            vf_total_msix:
              description: How many MSI-X vectors there are to share among the VFs, V(0) where the driver cannot share them out.
              type: int
              sample: 0
            eswitch_mode:
              description: Mode of the embedded switch, V(legacy) or V(switchdev), V(null) where it cannot be chosen. Of subset V(config).
              type: str
              sample: null
            dev_port:
              description: Number of the port of RV(ansible_facts.sriov.pfs[].name) on this PCI function.
              type: int
              sample: 0
            vfs:
              description: The VFs, ordered by index.
              type: list
              elements: dict
              contains:
                index:
                  description: Index on the PF, from 0.
                  type: int
                  sample: 0
                pci_address:
                  description: PCI address with its domain.
                  type: str
                  sample: "0000:01:10.0"
                name:
                  description:
                    - Network interface. V(null) for a nameless VF, which is bound to another kind of driver or to none, or has its
                      interface in another network namespace. V(null) also while udev may still rename it.
                  type: str
                  sample: enp1s0v0
                driver:
                  description: Kernel driver, V(null) for none.
                  type: str
                  sample: igbvf
                mac:
                  description: MAC address that the VF's own interface uses; another thing than the admin MAC in its configuration.
                  type: str
                  sample: ca:a1:9e:cb:58:98
                operstate:
                  description: State of the link, as in RFC 2863.
                  type: str
                  sample: down
                iommu_group:
                  description: IOMMU group, V(null) on a host without IOMMU.
                  type: int
                  sample: 9
                msix_count:
                  description: How many MSI-X vectors the VF has. Of subset V(config).
                  type: int
                  sample: 3
                rdma:
                  description: RDMA device.
                  type: str
                  sample: null
                representor:
                  description: Interface on the PF that represents the VF, in eswitch mode V(switchdev).
                  type: str
                  sample: null
                config:
                  description:
                    - What the PF's driver keeps for the VF. Of subset V(config).
                    - An attribute that the driver does not have is V(null). Of a PF with more than 334 VFs the kernel has no room to tell all.
                  type: dict
                  contains:
                    mac:
                      description: Admin MAC address, V(00:00:00:00:00:00) when none is set.
                      type: str
                      sample: ca:a1:9e:cb:58:98
                    vlan:
                      description: VLAN, V(0) for none.
                      type: int
                      sample: 0
                    qos:
                      description: Priority of the VLAN.
                      type: int
                      sample: 0
                    vlan_proto:
                      description: Protocol of the VLAN, V(802.1Q) or V(802.1ad).
                      type: str
                      sample: 802.1Q
                    spoofchk:
                      description: Whether the card drops frames with another sender address.
                      type: bool
                      sample: true
                    trust:
                      description: Whether the VF may do what is reserved for trusted ones, such as to be promiscuous.
                      type: bool
                      sample: false
                    link_state:
                      description: Link that the VF sees, V(auto) for the card's, or always V(enable) or V(disable).
                      type: str
                      sample: auto
                    min_tx_rate:
                      description: Least guaranteed rate of transmission in Mbit/s, V(0) for none.
                      type: int
                      sample: 0
                    max_tx_rate:
                      description: Highest rate of transmission in Mbit/s, V(0) for no limit.
                      type: int
                      sample: 0
                    query_rss:
                      description: Whether the VF may read the RSS configuration of the PF.
                      type: bool
                      sample: null
                used_by:
                  description:
                    - Who holds the VF, V([]) for nobody. Of subset V(usage).
                    - V(null) where that is not known, because a place to look at could not be seen and no other names a holder, or because the VF is
                      a disk or an accelerator that a driver of the kernel has, whose users are not looked for. Such a VF is not free.
                  type: list
                  elements: dict
                  contains:
                    kind:
                      description:
                        - V(libvirt_port) for a guest, or another consumer, that took the VF from a libvirt network, also while a rebuild of the network
                          is yet to put its lease back.
                        - V(libvirt_domain) for a guest whose definition names the VF outright.
                        - V(macvtap) for a macvtap, macvlan or ipvlan device on the VF's interface that is no guest's of libvirt, such as a
                          container's.
                        - V(vfio) for a process that has the VF open through VFIO, UIO, vDPA or RDMA's verbs and is no guest of libvirt.
                        - V(netns) for another network namespace that the VF's interface was moved to, or that has another device on it, such
                          as a VLAN. Namespaces are looked into that a process is in, or that C(ip netns) lists.
                        - V(host) for the host itself, by a bridge, a bond, another device on the VF's interface, an XDP program (AF_XDP),
                          virtio_vdpa, or an address, other than the IPv6 ones that the kernel gives unasked (link-local, or by a router's prefix).
                      type: str
                      sample: libvirt_port
                    name:
                      description:
                        - Name of the guest or owner, of the device, the process, the network namespace or the address, or V(XDP program).
                          A macvtap device and its like in another network namespace is named with that, such as V(eth0 in blue).
                        - V(null) for a network namespace that could not be found.
                      type: str
                      sample: web1
                    uuid:
                      description: UUID of the guest or owner, V(null) for other kinds.
                      type: str
                      sample: 261117d6-aecc-4266-a838-aeb30837632d
                    network:
                      description: Network of libvirt's that handed out the VF.
                      type: str
                      sample: passthrough
                    active:
                      description: V(false) for a guest that does not use the VF now, but will when it starts, because its persistent definition names it.
                      returned: for such a guest
                      type: bool
                      sample: false
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._facts import gather, subsets


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "pfs": {"type": "list", "elements": "str"},
            "gather_subset": {
                "type": "list",
                "elements": "str",
                "default": ["all"],
                "choices": ["all", "min", "config", "usage", "!all", "!min", "!config", "!usage"],
            },
        },
        supports_check_mode=True,
    )
    wanted = subsets(module.params["gather_subset"])
    try:
        sriov = gather(module.params["pfs"], wanted)
    except SriovError as error:
        module.fail_json(msg=str(error), **error.result)
    module.exit_json(changed=False, ansible_facts={"sriov": sriov})


if __name__ == "__main__":
    main()
