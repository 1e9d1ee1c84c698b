# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VFs that the host itself or a container uses: libvirt knows nothing of that, and hands them out."""

from __future__ import annotations

import pytest

from ansible_collections.vfpool.sriov.tests.integration.host import FIREWALL, ROUTER, Host
from ansible_collections.vfpool.sriov.tests.integration.warm import Warm
from ansible_collections.vfpool.sriov.tests.sysfs_tree import PF

IN_USE = "enp1s0v0 (host's own br0), enp1s0v1 (host's own 192.0.2.1/24), enp1s0v2 (link mv1)"


@pytest.fixture
def warm(host: Host, card: PF) -> Warm:
    """Three of the card's four VFs are a port of a bridge, have an address, and carry a macvlan."""
    for name, peer in (("enp1s0v0", "enp1s0v1"), ("enp1s0v2", "enp1s0v3"), ("enp1s0", "spare")):
        host.run("ip", "link", "add", name, "type", "veth", "peer", "name", peer)
    host.run("ip", "link", "add", "br0", "type", "bridge")
    host.run("ip", "link", "set", "enp1s0v0", "master", "br0")
    host.run("ip", "address", "add", "192.0.2.1/24", "dev", "enp1s0v1")
    host.run("ip", "link", "add", "link", "enp1s0v2", "name", "mv1", "type", "macvlan")
    return Warm(host)


def told(result: dict) -> list[str]:
    """The module's warnings, which Ansible puts into more words from 2.19 on."""
    return [warning if isinstance(warning, str) else warning["event"]["msg"] for warning in result.get("warnings", [])]


def test_libvirt_gives_a_guest_the_port_of_a_bridge(host: Host, warm: Warm):
    host.define("<network><name>n</name><forward mode='passthrough'><pf dev='enp1s0'/></forward></network>")
    assert host.port_create("n", "web")["member"] == "enp1s0v0"


def test_who_defines_a_network_is_warned_of_vfs_in_use_once(warm: Warm):
    for check in (True, False):
        (warning,) = told(warm.module("passthrough_network", name="n", pf="enp1s0", _ansible_check_mode=check))
        assert warning == f"libvirt gives guests of the network n also VFs that this host uses: {IN_USE}. Free them, or leave them out (vfs)."
    assert told(warm.module("passthrough_network", name="n", pf="enp1s0")) == []
    assert told(warm.module("passthrough_network", name="n", pf="enp1s0", vfs="3", on_in_use="force")) == []


def test_a_consumer_is_given_a_vf_that_nobody_uses_or_none(host: Host, warm: Warm):
    warm.module("passthrough_network", name="n", pf="enp1s0")
    for check in (True, False):
        warm.module("passthrough_port", **FIREWALL, _ansible_check_mode=check)
    assert [lease["member"] for lease in host.ports("n")] == ["enp1s0v3"]
    refusal = warm.refusal("passthrough_port", **ROUTER)
    assert "has no free member, for firewall holds enp1s0v3, host's own br0 holds enp1s0v0" in refusal
    host.run("ip", "link", "set", "enp1s0v0", "nomaster")
    assert warm.module("passthrough_port", **ROUTER)["port"]["plug"]["interface"] == "enp1s0v0"


def test_a_member_that_is_named_is_confirmed_whoever_uses_it(warm: Warm):
    warm.module("passthrough_network", name="n", pf="enp1s0")
    assert warm.module("passthrough_port", **FIREWALL, plug={"interface": "enp1s0v2"})["port"]["plug"]["interface"] == "enp1s0v2"
    assert not warm.module("passthrough_port", **FIREWALL)["changed"]


def test_a_vf_of_which_it_is_not_known_is_given_last_and_said_to_be_one(host: Host, warm: Warm):
    warm.module("passthrough_network", name="n", pf="enp1s0")
    host.run("ip", "link", "delete", "enp1s0v2")  # with its peer enp1s0v3, and both from what ip tells
    result = warm.module("passthrough_port", **FIREWALL)
    (warning,) = told(result)
    assert warning.startswith("Whether anything but libvirt's guests uses enp1s0v2 of the network n is not known: ip names no interface enp1s0v2")
