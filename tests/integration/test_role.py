# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role where it does not come to its end; the scenarios of molecule show it where it does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.vfpool.sriov.tests.integration.host import Host
from ansible_collections.vfpool.sriov.tests.sysfs_tree import PF

PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Run the role, whatever comes of it
      block:
        - ansible.builtin.include_role: {name: vfpool.sriov.sriov_host}
      rescue:
        - ansible.builtin.debug: {msg: it failed}
    - name: Tell
      ansible.builtin.debug:
        msg: "{{ ansible_facts['sriov']['pfs'] | map(attribute='name') }}"
"""


@pytest.mark.parametrize(("options", "failed"), [(["--check"], False), ([], True)], ids=["check mode", "failure"])
def test_the_facts_tell_of_every_pf_also_where_the_role_did_not_come_to_its_end(
    host: Host, card: PF, options: list[str], failed: bool, tmp_path: Path
):
    host.tree.pf("enp9s0", "0000:09:00.0", vfs=2)
    play = tmp_path / "play.yml"
    play.write_text(PLAY)
    network = {"name": "n", "pf": "enp1s0", **({"vlan": 5000} if failed else {})}
    variables = {"sriov_host_packages": False, "sriov_host_pfs": [{"pf": "enp1s0"}], "sriov_host_networks": [network]}
    tasks = host.ansible("ansible-playbook", *options, "-e", json.dumps(variables), str(play))
    assert any(task["result"].get("msg") == "it failed" for task in tasks) == failed
    assert tasks[-1]["result"]["msg"] == ["enp1s0", "enp9s0"]
