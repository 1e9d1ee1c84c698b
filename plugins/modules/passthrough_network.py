# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: passthrough_network
short_description: Manage a libvirt network that hands out SR-IOV VFs to guests
description:
  - Defines, changes, starts, stops and removes one libvirt network whose interface pool is the VFs of a PF, or a list of devices.
  - Compares with the inactive definition, so an implicit pool stays implicit and a second run changes nothing.
  - A changed definition is applied to the live network too, and no lease is ever lost or handed out twice.
    A live pool is rebuilt by stopping and starting the network and putting every lease back. Guests that run keep their
    devices and what they were given, such as their VLAN, until they are started anew.
    A run that is cut short while it does this is finished by the next run, from a record below C(/run/vfpool.sriov).
  - Puts back the leases of running guests that libvirt has forgotten, as after C(virsh net-destroy) under them.
  - What libvirt would accept and then quietly drop, or refuse only when a guest starts, is refused before anything is written.
  - The options describe the whole definition. An element that an option describes and that is not declared is removed;
    metadata, and elements that this module does not know, stay byte for byte as they are.
author:
  - the vfpool.sriov authors (@vfpool)
extends_documentation_fragment:
  - vfpool.sriov.attributes
  - vfpool.sriov.libvirt
  - vfpool.sriov.network_definition
attributes:
  diff_mode:
    support: partial
    details: Shows the definition before and after. What is started, stopped or rebuilt is in RV(actions).
options:
  state:
    description: What there is to be.
    type: str
    choices:
      present: The network is defined as declared.
      absent: There is no such network. One of another kind, such as libvirt's C(default), which hands out no devices, is not removed.
      rendered: Return the definition as RV(xml), and touch no libvirt daemon. Listed members that are not there are only warned of.
    default: present
  active:
    description: Whether the network runs.
    type: bool
    default: true
  autostart:
    description: Whether libvirt starts the network when the host boots.
    type: bool
    default: true
  refresh:
    description: What becomes of a stale live pool, one whose members differ from what its definition and its PF give now.
    type: str
    choices:
      safe: Rebuild it and keep every lease.
      idle: Rebuild it only while no guest holds a lease. One that takes a lease right before keeps it.
      never: Leave it. RV(network.pool.missing) and RV(network.pool.surplus) tell what is stale.
    default: safe
  on_in_use:
    description: What to do when the plan would take a member from the guest that holds it.
    type: str
    choices:
      fail: Fail before anything is written, and name the guests.
      force: Go on, and the guests lose their leases. Leases that an interrupted run was to put back are given up as well where their VF or
        the network is gone.
    default: fail
  overlap:
    description:
      - What to do when a VF of this pool may be given to two guests, which libvirt itself does not notice.
      - That is so when another network has the VF in its pool too, or will have it again once its interrupted rebuild is finished.
      - It is so as well when a running guest has the VF without a lease of this network, by its own definition or from a network that does not run.
        A run that neither defines nor starts nor rebuilds the network only warns of such a guest.
      - Of VFs that the host uses (by a bridge, an address or a device on them), a run that defines, starts or rebuilds the network only warns,
        whatever is said here, as that may be over when a guest gets them.
    type: str
    choices:
      fail: Fail before anything is written, and name the other network or the guest.
      warn: Warn, and go on.
    default: fail
notes:
  - Where a PF has more than 221 VFs, libvirt starts guests in the modes V(passthrough) and V(hostdev) with some of them at most, for want of room
    in the kernel's answer. This module warns of the others.
  - A VF that a consumer of M(vfpool.sriov.passthrough_port) has taken into a network namespace of its own, or to a driver for user space, is still
    its member of the running pool. A change that needs the pool made anew waits until the consumer gives it back.
  - With a O(uri) of another host, O(pf) is the name of its interface, and O(vfs) is refused. Whether that PF exists, has VFs and is up cannot be
    checked from here, so a mistake shows only when libvirt starts the network.
  - With a O(uri) of another host, a changed definition is applied with every lease kept. But it is not noticed that VFs came or went, a VF is not
    recognised where another network knows it by its other name, interface or PCI address, and a hostdev lease that libvirt has forgotten is not
    put back.
  - With a O(uri) of another host, who else has a VF of O(pf) is seen only once the network runs. If that is somebody, it is stopped again, or gets
    its former pool and leases back.
  - A hostdev lease that libvirt has forgotten is not put back either with a O(uri) whose socket is not below C(/run/libvirt), as that is of another daemon.
  - Needs root for a daemon of this host's system, even where nothing changes, for its lock and its records are root's, in C(/run/vfpool.sriov).
    So does check mode, once root has run this.
  - One run at a time changes the networks of a daemon. The lock is on the host where the module runs, so let one host alone manage a daemon.
  - Asks libvirt a fixed number of times for each network of the daemon, once for each lease of this one, and twice for each guest that runs.
seealso:
  - module: vfpool.sriov.passthrough_network_info
  - module: vfpool.sriov.passthrough_port
  - module: vfpool.sriov.sriov_pf
  - plugin: vfpool.sriov.passthrough_network_xml
    plugin_type: filter
  - plugin: vfpool.sriov.interface_pool
    plugin_type: filter
  - name: Network XML format of libvirt
    description: What each element of a network means.
    link: https://libvirt.org/formatnetwork.html
"""

EXAMPLES = r"""
- name: Hand out every VF of a card, one for each guest
  vfpool.sriov.passthrough_network:
    name: sriov
    pf: enp1s0

- name: Give guests whole PCI devices, on VLAN 42
  vfpool.sriov.passthrough_network:
    name: storage
    mode: hostdev
    pf: "0000:81:00.0"
    managed: true
    vlan: 42

- name: Hand out the first sixteen VFs alone
  vfpool.sriov.passthrough_network:
    name: tenants
    pf: enp1s0
    vfs: 0-15

- name: List the members oneself
  vfpool.sriov.passthrough_network:
    name: lab
    interfaces: [enp1s0v3, enp1s0v5]

- name: See what would be defined, without libvirt
  vfpool.sriov.passthrough_network:
    name: sriov
    pf: enp1s0
    state: rendered
  register: sriov

- name: Remove a network that no guest uses
  vfpool.sriov.passthrough_network:
    name: lab
    state: absent
"""

RETURN = r"""
network:
  description: The network as it is now; in check mode, as it was found. V(null) where there is none.
  returned: when O(state=present) or O(state=absent)
  type: dict
  contains:
    name:
      description: Name of the network.
      type: str
      sample: sriov
    uuid:
      description: UUID of the network.
      type: str
      sample: 0b2d64da-3d0e-431e-afdd-804415d6ebbb
    active:
      description: Whether it runs.
      type: bool
    autostart:
      description: Whether libvirt starts it when the host boots.
      type: bool
    persistent:
      description: Whether it has a definition that outlives it.
      type: bool
    xml:
      description: The live XML, as C(virsh net-dumpxml) prints it.
      type: str
    xml_inactive:
      description: The definition, as C(virsh net-dumpxml --inactive) prints it.
      type: str
    pool:
      description: The interface pool.
      type: dict
      contains:
        kind:
          description:
            - V(implicit) when the definition names a PF, V(explicit) when it lists members, V(none) for a network that hands out no devices.
          type: str
          sample: implicit
        pf:
          description: The PF, or the PF that all members of an explicit pool belong to. V(null) where there is none such.
          type: str
          sample: enp1s0
        members:
          description: The members in the order in which libvirt lists them; of an inactive network, those that the definition lists.
          type: list
          elements: dict
          contains:
            interface:
              description: Name of the interface, unless the mode is hostdev.
              type: str
              sample: enp1s0v0
            address:
              description: PCI address, when the mode is hostdev.
              type: str
              sample: "0000:01:10.0"
            index:
              description: Index of the VF. V(null) where the member is no VF of this host.
              type: int
              sample: 0
            lease:
              description: The lease, a dictionary of C(port), C(owner_name), C(owner_uuid) and C(mac). V(null) while nobody holds the member.
              type: dict
              sample: {port: 5d7c1d16-4c24-4d2f-8a43-2d0a0f2a5e8d, owner_name: web1, owner_uuid: c4b0a5a6-6a4a-4f3b-9d2e-3d6f8f0f5b7a, mac: "52:54:00:00:00:01"}
        missing:
          description: What the definition and the PF give now but the live pool has not. V(null) where that is not known.
          type: list
          elements: str
        surplus:
          description: What the live pool has but the definition and the PF no longer give. V(null) where that is not known.
          type: list
          elements: str
        stale:
          description:
            - Why the live network is not what its definition gives now, in words; empty for one that is as it should be.
            - Tells of missing and surplus members, of a definition that has changed, and of leases that libvirt has lost count of,
              as after C(virsh net-update --live) or a reload of the daemon.
            - Tells also that the live XML no longer names the PF, as after a restart of the daemon. That alone does no harm and is left as it is.
          type: list
          elements: str
        leases:
          description:
            - Every lease of the network. Members of the modes private, vepa and bridge can have several.
          type: list
          elements: dict
          contains:
            port:
              description: UUID of the lease.
              type: str
              sample: 5d7c1d16-4c24-4d2f-8a43-2d0a0f2a5e8d
            owner_name:
              description: Name of the guest, or of the other consumer, that holds it.
              type: str
              sample: web1
            owner_uuid:
              description: UUID of the one that holds it.
              type: str
              sample: c4b0a5a6-6a4a-4f3b-9d2e-3d6f8f0f5b7a
            mac:
              description: MAC address of the lease.
              type: str
              sample: "52:54:00:00:00:01"
            plug:
              description: What is held, as C(type), C(mode), and C(interface) or C(address). V(null) for a lease of no device.
              type: dict
              sample: {type: direct, interface: enp1s0v0, mode: passthrough}
xml:
  description: The definition that the options describe.
  returned: when O(state=rendered)
  type: str
  sample: "<network>\n  <name>sriov</name>\n  <forward mode='passthrough'>\n    <pf dev='enp1s0'/>\n  </forward>\n</network>\n"
actions:
  description: The steps that were taken, or in check mode would be.
  returned: when O(state=present) or O(state=absent)
  type: list
  elements: str
  sample: ["define the network sriov", "switch on autostart of the network sriov", "start the network sriov"]
diff:
  description: The definition before and after.
  returned: when O(state=present) or O(state=absent)
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._interpreter import respawn_where
from ansible_collections.vfpool.sriov.plugins.module_utils._network_options import DEFINITION_SPEC, EXCLUSIVE, HOST_SPEC, POOL, REQUIRED_BY
from ansible_collections.vfpool.sriov.plugins.module_utils._passthrough_network import bring_to_state


def main() -> None:
    module = AnsibleModule(
        argument_spec={**DEFINITION_SPEC, **HOST_SPEC},
        mutually_exclusive=EXCLUSIVE,
        required_by=REQUIRED_BY,
        required_if=[("state", "present", POOL, True), ("state", "rendered", POOL, True)],
        supports_check_mode=True,
    )
    respawn_where(*(("lxml",) if module.params["state"] == "rendered" else ("libvirt", "lxml")))
    try:
        result = bring_to_state(module.params, module.check_mode, module.warn)
    except SriovError as error:
        module.fail_json(msg=str(error), **error.result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
