# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""libvirt by itself: how it expands `<pf>` into members, and where it does not.

These tests use nothing of this collection. They hold down the behaviour that it exists for: where one of them fails,
libvirt has changed, and the collection's answer to it should be looked at again.
"""

from __future__ import annotations

import pytest

from ansible_collections.vfpool.sriov.tests.integration.host import Host, network
from ansible_collections.vfpool.sriov.tests.sysfs_tree import PF

NETDEV_MODES = ("passthrough", "private", "vepa", "bridge")
EVERY_MODE = (*NETDEV_MODES, "hostdev")


@pytest.fixture
def pf(host: Host) -> PF:
    return host.tree.pf("enp1s0", "0000:01:00.0", vfs=6, total=8)


@pytest.mark.parametrize("mode", NETDEV_MODES)
def test_a_pf_becomes_the_interfaces_of_its_vfs(host: Host, pf: PF, mode: str) -> None:
    host.define(network(mode=mode))
    assert host.members("pool") == [f"enp1s0v{index}" for index in range(6)]


def test_in_hostdev_mode_a_pf_becomes_the_addresses_of_its_vfs(host: Host, pf: PF) -> None:
    host.define(network(mode="hostdev"))
    assert host.members("pool") == [f"0000:01:{slot}" for slot in ("10.0", "10.2", "10.4", "10.6", "11.0", "11.2")]


@pytest.mark.parametrize("vfs", [64, 256])
def test_members_follow_the_number_of_their_vf_not_the_order_of_its_text(host: Host, vfs: int) -> None:
    host.tree.pf("enp1s0", "0001:01:00.0", vfs=vfs)
    host.define(network())
    assert host.members("pool") == [f"enp1s0v{index}" for index in range(vfs)]


def test_a_pf_is_expanded_when_the_network_starts_and_only_then(host: Host, pf: PF) -> None:
    host.define(network(), start=False)
    pf.resize(2)
    host.virsh("net-start pool")
    assert host.members("pool") == ["enp1s0v0", "enp1s0v1"]
    pf.resize(4)
    assert host.members("pool") == ["enp1s0v0", "enp1s0v1"]
    pf.resize(1)
    assert host.members("pool") == ["enp1s0v0", "enp1s0v1"]
    assert host.port_create("pool", "web1")["member"] == "enp1s0v0"
    assert host.port_create("pool", "web2")["member"] == "enp1s0v1"  # a VF that is no more
    host.virsh("net-destroy pool")
    host.virsh("net-start pool")
    assert host.members("pool") == ["enp1s0v0"]


def test_the_inactive_xml_shows_the_pf_alone(host: Host, pf: PF) -> None:
    host.define(network())
    assert [element.tag for element in host.xml("pool", inactive=True).findall("forward/*")] == ["pf"]


@pytest.mark.parametrize("mode", EVERY_MODE)
def test_the_pool_ends_at_the_first_gap_in_the_numbers_of_the_vfs(host: Host, pf: PF, mode: str) -> None:
    pf.remove_vf(3)
    host.define(network(mode=mode))
    assert len(host.members("pool")) == 3


@pytest.mark.parametrize("mode", NETDEV_MODES)
def test_a_vf_without_a_name_is_left_out_without_a_word(host: Host, pf: PF, mode: str) -> None:
    pf.vf(2).nameless().bound_to("vfio-pci")
    host.define(network(mode=mode))
    assert host.members("pool") == [f"enp1s0v{index}" for index in (0, 1, 3, 4, 5)]


def test_in_hostdev_mode_a_vf_without_a_name_is_a_member_like_any_other(host: Host, pf: PF) -> None:
    pf.vf(2).nameless().bound_to("vfio-pci")
    host.define(network(mode="hostdev"))
    assert len(host.members("pool")) == 6


@pytest.mark.parametrize("mode", EVERY_MODE)
def test_one_vf_in_another_network_namespace_keeps_the_whole_network_from_starting(host: Host, pf: PF, mode: str) -> None:
    pf.vf(2).elsewhere()
    host.define(network(mode=mode), start=False)
    assert "Could not get Virtual functions on enp1s0" in host.virsh_error("net-start pool")


def test_four_different_mistakes_are_accepted_at_define_and_give_the_same_words_at_start(host: Host) -> None:
    host.tree.function("0000:02:00.0", name="plain0")
    host.tree.pf("empty0", "0000:03:00.0", vfs=0, total=8)
    host.tree.pf("bound0", "0000:04:00.0", vfs=4, vf_name=None, vf_driver="vfio-pci")
    for name in ("nosuch", "plain0", "empty0", "bound0"):
        host.define(network(f"<pf dev='{name}'/>", name=name), start=False)
        assert f"No usable Vf's present on SRIOV PF {name}" in host.virsh_error(f"net-start {name}")


@pytest.mark.parametrize("mode", EVERY_MODE)
def test_the_vfs_of_a_virtio_card_are_not_found(host: Host, mode: str) -> None:
    host.tree.pf("enp3s0", "0000:03:00.0", vfs=4, virtio=True, driver="virtio-pci", vf_driver="virtio-pci")
    host.define(network("<pf dev='enp3s0'/>", mode=mode), start=False)
    assert "No usable Vf's present on SRIOV PF enp3s0" in host.virsh_error("net-start pool")


def test_the_vfs_of_a_virtio_card_are_members_where_they_are_listed(host: Host) -> None:
    host.tree.pf("enp3s0", "0000:03:00.0", vfs=4, virtio=True, driver="virtio-pci", vf_driver="virtio-pci")
    host.define(network("<interface dev='enp3s0v0'/><interface dev='enp3s0v1'/>"))
    assert host.port_create("pool", "web1")["member"] == "enp3s0v0"


def test_a_network_whose_vfs_come_after_the_daemon_stays_inactive(host: Host) -> None:
    pf = host.tree.pf("enp1s0", "0000:01:00.0", vfs=0, total=8)
    host.define(network(), start=False)
    host.virsh("net-autostart pool")
    host.restart_libvirtd()
    pf.resize(8)
    host.restart_libvirtd()  # the same boot: autostart had its one chance
    assert host.virsh("net-list") == ""
    host.virsh("net-start pool")
