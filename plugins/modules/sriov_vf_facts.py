# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: sriov_vf_facts
short_description: Gather facts about SR-IOV PFs and each of their VFs
description:
  - Describes every physical function (PF) of the host that can make virtual functions (VFs), and every VF with its configuration.
  - Never answers partially without saying so. What could not be read is V(null) and named in RV(ansible_facts.sriov.incomplete).
author:
  - the vfpool.sriov authors (@vfpool)
extends_documentation_fragment:
  - vfpool.sriov.attributes
  - vfpool.sriov.attributes.facts_module
options:
  pfs:
    description:
      - Only these PFs, each by interface name, altname, PCI address in any domain, or permanent MAC address.
      - A selector that fits no PF, or two, fails and lists the PFs that there are.
      - All PFs of the host when left out.
    type: list
    elements: str
  gather_subset:
    description:
      - What to gather. A subset with V(!) before it is left out.
      - V(min) is what sysfs tells and always gathered. V(config) is the VF configuration that the PF's driver keeps, such as VLAN and spoof check.
      - V(usage) is who holds each VF.
    type: list
    elements: str
    choices: [all, min, config, usage, '!all', '!min', '!config', '!usage']
    default: [all]
seealso:
  - module: vfpool.sriov.sriov_pf
  - plugin: vfpool.sriov.interface_pool
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Gather facts about every PF and VF
  vfpool.sriov.sriov_vf_facts:

- name: Show the interfaces of the VFs of enp1s0
  ansible.builtin.debug:
    msg: "{{ ansible_facts['sriov'] | vfpool.sriov.interface_pool('enp1s0') }}"
"""

RETURN = r"""
ansible_facts:
  description: The facts.
  returned: always
  type: dict
  contains:
    sriov:
      description: The PFs of the host, and what could not be read.
      type: dict
      contains:
        pfs:
          description: PFs in PCI address order.
          type: list
          elements: dict
        incomplete:
          description: What the answer lacks.
          type: list
          elements: dict
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
    try:
        sriov = gather(module.params["pfs"], subsets(module.params["gather_subset"]), module.run_command)
    except SriovError as error:
        module.fail_json(msg=str(error), **error.result)
    module.exit_json(changed=False, ansible_facts={"sriov": sriov})


if __name__ == "__main__":
    main()
