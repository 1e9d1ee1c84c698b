# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks of a PF whose VFs are just being made, or renamed by udev."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.vfpool.sriov.tests.integration.host import Host


def still_at_work_on(host: Host, interface: str) -> None:
    """A udev that is done with every interface but this one."""
    known = host.root / "run/udev/data"
    known.mkdir(parents=True)
    (host.root / "run/udev/control").touch()
    for folder in Path(host.tree.root, "class/net").iterdir():
        if folder.name != interface:
            (known / f"n{(folder / 'ifindex').read_text().strip()}").touch()


def test_a_vf_that_udev_is_still_renaming_does_not_drop_out_of_its_pool(host: Host) -> None:
    card = host.tree.pf("enp1s0", "0000:01:00.0", vfs=4)
    host.module("passthrough_network", name="n", pf="enp1s0", vfs="0-3")
    card.vf(2).renamed("eth7")
    still_at_work_on(host, "eth7")
    assert host.refusal("passthrough_network", name="n", pf="enp1s0", vfs="0-3") == (
        "udev has not finished with the interface of VF 2 of PF enp1s0 (0000:01:00.0), and may rename it: run this again in a moment."
    )
    assert host.members("n") == ["enp1s0v0", "enp1s0v1", "enp1s0v2", "enp1s0v3"]


def test_a_pf_that_udev_is_still_renaming_is_not_said_to_have_no_interface(host: Host) -> None:
    host.tree.pf("eth0", "0000:01:00.0", vfs=2, vf_name="v{index}")
    still_at_work_on(host, "eth0")
    assert "udev has not finished with the interface of PF 0000:01:00.0" in host.refusal("passthrough_network", name="n", pf="0000:01:00.0")


def test_vfs_that_are_not_there_yet_are_warned_of(host: Host) -> None:
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=4).remove_vf(3).remove_vf(2)
    warnings = host.module("passthrough_network", name="n", pf="enp1s0")["warnings"]
    assert any("enp1s0 (0000:01:00.0) has 4 VFs by its count and 2 to be found" in warning for warning in warnings), warnings
