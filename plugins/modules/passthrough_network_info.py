# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: passthrough_network_info
short_description: Describe the libvirt networks of a host, their interface pools and their leases
description:
  - Describes every network of a libvirt daemon, of any kind, a NAT bridge included.
  - For a network that hands out devices it tells the pool, which guest holds which member, and whether the live pool is stale.
    Leases that libvirt has forgotten, or that an interrupted rebuild is yet to put back, are among these, and C(stale) says what is to be done.
author:
  - the vfpool.sriov authors (@vfpool)
extends_documentation_fragment:
  - vfpool.sriov.attributes.info_module
  - vfpool.sriov.libvirt
options:
  names:
    description:
      - Only these networks. One that does not exist fails.
      - All networks when left out.
    type: list
    elements: str
  inactive:
    description:
      - Describe the definitions in place of the live networks, as C(virsh net-dumpxml --inactive) does.
        An implicit pool is then without members.
    type: bool
    default: false
notes:
  - Needs root while a guest runs to which a network gave a PCI device. Which lease that is, libvirt keeps in a file that root alone can read.
  - Only root can read the records of interrupted rebuilds, once there has been a run of M(vfpool.sriov.passthrough_network). Without root a warning
    says that leases may be missing which wait there to be put back.
seealso:
  - module: vfpool.sriov.passthrough_network
  - module: vfpool.sriov.passthrough_port
  - module: vfpool.sriov.sriov_vf_facts
"""

EXAMPLES = r"""
- name: Look at every network
  vfpool.sriov.passthrough_network_info:
  register: info

- name: Show who holds which VF
  ansible.builtin.debug:
    msg: "{{ item.interface | default(item.address) }}: {{ item.lease.owner_name }}"
  loop: "{{ info.networks | map(attribute='pool.members') | flatten | selectattr('lease') }}"

- name: Look at the definition of one network
  vfpool.sriov.passthrough_network_info:
    names: [sriov]
    inactive: true
"""

RETURN = r"""
networks:
  description: The networks, ordered by name.
  returned: success
  type: list
  elements: dict
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
      description: The XML that O(inactive) chooses, the live one or the definition.
      type: str
    xml_inactive:
      description: The definition.
      type: str
    pool:
      description: The interface pool, as M(vfpool.sriov.passthrough_network) returns it.
      type: dict
      sample:
        kind: implicit
        pf: enp1s0
        members: [{interface: enp1s0v0, index: 0, lease: null}]
        missing: []
        surplus: []
        stale: []
        leases: []
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._interpreter import respawn_where
from ansible_collections.vfpool.sriov.plugins.module_utils._passthrough_network import describe_networks


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "names": {"type": "list", "elements": "str"},
            "uri": {"type": "str", "default": "qemu:///system"},
            "inactive": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    respawn_where("libvirt", "lxml")
    try:
        networks = describe_networks(**module.params, warn=module.warn)
    except SriovError as error:
        module.fail_json(msg=str(error), **error.result)
    module.exit_json(changed=False, networks=networks)


if __name__ == "__main__":
    main()
