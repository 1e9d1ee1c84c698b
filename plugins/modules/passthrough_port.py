# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: passthrough_port
short_description: Take, confirm and give back one member of an interface pool
description:
  - Takes a lease of a libvirt network for something that libvirt does not start itself, such as a container, a DPDK process or another hypervisor.
  - The lease is in libvirt's own ledger, as one of its network ports, so no guest is ever given the same VF.
  - A member that another network has leased too, or that a running guest has in any other way, is not given. Nor is one chosen that the host
    itself, a container, a process or a guest that is shut off uses; who names it in O(plug) is taken to know of that.
    In modes in which guests share members, nobody holds one alone, and this is not checked.
  - While libvirt has lost count of the leases, as after a SIGHUP or C(net-update --live), it hands out VFs that are held.
    Then no lease is made. A run of M(vfpool.sriov.passthrough_network) puts that right and keeps every lease.
  - Does nothing to the VF itself.
author:
  - the vfpool.sriov authors (@vfpool)
extends_documentation_fragment:
  - vfpool.sriov.attributes
  - vfpool.sriov.libvirt
options:
  network:
    description: Name of the network. It must run for a lease to be taken.
    type: str
    required: true
  state:
    description: What there is to be.
    type: str
    choices:
      present: The lease is held. A lease that is there already stays as it is.
      absent: >-
        The lease is given back. Where the network is gone, so is the lease. Refused for the lease of a libvirt guest that runs,
        because libvirt gives that back itself, and for a lease that is not as O(owner_name), O(owner_uuid), O(mac) or O(plug) say.
    default: present
  uuid:
    description:
      - UUID of the lease. libvirt's ledger knows it by this.
      - A new lease gets this UUID. When this is left out, it gets one that its network, its owner and O(mac) always give.
      - Either this or O(owner_uuid) is required.
    type: str
  owner_name:
    description: Name of the one that holds the lease, as people read it.
    type: str
  owner_uuid:
    description:
      - UUID of the one that holds the lease. A lease is found by it when O(uuid) is left out.
      - Needed to make a lease. O(owner_name) is needed with it.
    type: str
  mac:
    description:
      - MAC address that the consumer will use. One is derived from the UUID of a new lease when this is left out.
      - Tells apart several leases of one owner.
    type: str
  portgroup:
    description: Port group of the network that the lease is in.
    type: str
  vlan:
    description: VLAN of the lease, V(0) to V(4094), in modes passthrough and hostdev.
    type: int
  plug:
    description:
      - Confirm that this member is held, as after a restart of a consumer whose lease is gone. Named by O(plug.interface) or by O(plug.address).
      - When left out, the first free member is taken, or the one that libvirt chooses in modes in which guests share members.
      - Refused where a lease of this network holds the member, or a running guest or another network's lease with another UUID than O(owner_uuid).
      - RV(port.plug) of an earlier run goes in as it came out.
    type: dict
    suboptions:
      interface:
        description: The interface, in every mode but hostdev.
        type: str
      address:
        description: The PCI address, in mode hostdev.
        type: str
      type:
        description: Kind of the plug. It must fit the network.
        type: str
        choices: [direct, hostdev-pci]
      mode:
        description: Mode of the network. It must fit the network.
        type: str
notes:
  - Needs root for a daemon of this host's system, even where nothing changes, for its lock and its records are root's, in C(/run/vfpool.sriov).
    So does check mode, once root has run this.
  - While a network is rebuilt, its ledger is empty for milliseconds, and a guest that starts just then may try a VF that is leased. It finds the VF
    busy where the consumer has moved it into a network namespace, has a macvtap on it or has it open by VFIO, and not where it merely uses
    the interface in the host's own namespace.
seealso:
  - module: vfpool.sriov.passthrough_network
  - module: vfpool.sriov.passthrough_network_info
"""

EXAMPLES = r"""
- name: Take a VF for a container
  vfpool.sriov.passthrough_port:
    network: sriov
    owner_name: firewall
    owner_uuid: "{{ 'firewall' | ansible.builtin.to_uuid }}"
  register: taken

- name: Show which VF it is
  ansible.builtin.debug:
    var: taken.port.plug.interface

- name: Confirm after a restart that the container still holds it
  vfpool.sriov.passthrough_port:
    network: sriov
    uuid: "{{ taken.port.uuid }}"
    owner_name: firewall
    owner_uuid: "{{ taken.port.owner_uuid }}"
    mac: "{{ taken.port.mac }}"
    plug: "{{ taken.port.plug }}"

- name: Give it back
  vfpool.sriov.passthrough_port:
    network: sriov
    uuid: "{{ taken.port.uuid }}"
    state: absent
"""

RETURN = r"""
port:
  description: The lease. V(null) when there is none, and in check mode when it would be made.
  returned: success
  type: dict
  contains:
    uuid:
      description: UUID of the lease.
      type: str
      sample: 5d7c1d16-4c24-4d2f-8a43-2d0a0f2a5e8d
    owner_name:
      description: Name of the one that holds it.
      type: str
      sample: firewall
    owner_uuid:
      description: UUID of the one that holds it.
      type: str
      sample: c4b0a5a6-6a4a-4f3b-9d2e-3d6f8f0f5b7a
    mac:
      description: MAC address of the lease.
      type: str
      sample: "52:54:00:1f:20:21"
    plug:
      description: What is held, as C(type), C(mode), and C(interface) or C(address).
      type: dict
      sample: {type: direct, interface: enp1s0v0, mode: passthrough}
    xml:
      description: The port as C(virsh net-port-dumpxml) prints it.
      type: str
actions:
  description: The steps that were taken, or in check mode would be.
  returned: success
  type: list
  elements: str
  sample: ["take a member of the network sriov"]
diff:
  description:
    - The port's XML before and after, the same in check mode as in the run that follows.
    - On a bridge of the host, check mode does not know the plug of a port that would be made.
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._interpreter import respawn_where
from ansible_collections.vfpool.sriov.plugins.module_utils._passthrough_port import bring_port_to_state


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "network": {"type": "str", "required": True},
            "uri": {"type": "str", "default": "qemu:///system"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "uuid": {"type": "str"},
            "owner_name": {"type": "str"},
            "owner_uuid": {"type": "str"},
            "mac": {"type": "str"},
            "portgroup": {"type": "str"},
            "vlan": {"type": "int"},
            "plug": {
                "type": "dict",
                "options": {
                    "interface": {"type": "str"},
                    "address": {"type": "str"},
                    "type": {"type": "str", "choices": ["direct", "hostdev-pci"]},
                    "mode": {"type": "str"},
                },
                "mutually_exclusive": [("interface", "address")],
                "required_one_of": [("interface", "address")],
            },
        },
        required_one_of=[("uuid", "owner_uuid")],
        required_together=[("owner_name", "owner_uuid")],
        supports_check_mode=True,
    )
    respawn_where("libvirt", "lxml")
    try:
        result = bring_port_to_state(module.params, module.check_mode, module.warn)
    except SriovError as error:
        module.fail_json(msg=str(error), **error.result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
