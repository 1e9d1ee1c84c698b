# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""libvirt by itself: how it gives out members, how it forgets who holds them, and how a pool is rebuilt without that.

These tests use nothing of this collection. They hold down the behaviour that it exists for: where one of them fails,
libvirt has changed, and the collection's answer to it should be looked at again.
"""

from __future__ import annotations

import pytest

from ansible_collections.vfpool.sriov.tests.integration.host import Host, network
from ansible_collections.vfpool.sriov.tests.sysfs_tree import PF

UUID = "6e9f0b9c-3a55-4a4b-8a7b-3f1f3c3f5a11"
OWNER = "<owner><name>web1</name><uuid>0c3c0f6d-3b0b-4e39-9a4a-0d0d2a0c6a01</uuid></owner>"
MAC = "<mac address='52:54:00:00:00:01'/>"
PORT = f"<networkport><uuid>{UUID}</uuid>{OWNER}{MAC}</networkport>"
NEW_INTERFACE = "<interface dev='enp1s0v9'/>"
REBUILD = """
import libvirt
pool = libvirt.open("qemu:///system").networkLookupByName("pool")
ports = [port.XMLDesc() for port in pool.listAllPorts()]
pool.destroy()
pool.create()
for port in ports:
    pool.portCreateXML(port, libvirt.VIR_NETWORK_PORT_CREATE_RECLAIM)
"""
REFUSE = """
import json, sys, libvirt
libvirt.registerErrorHandler(lambda context, error: None, None)
connection = libvirt.open("qemu:///system")
pool = connection.networkLookupByName("pool")
try:
    {call}
except libvirt.libvirtError as error:
    print(json.dumps(error.get_error_code()))
"""


# Giving out

@pytest.mark.parametrize(("mode", "rest"), [
    ("passthrough", ""), ("hostdev", ""),
    ("private", "<virtualport type='802.1Qbh'><parameters profileid='finance'/></virtualport>"),
])
def test_an_exclusive_pool_gives_each_member_once_and_then_says_that_none_is_left(host: Host, card: PF, mode: str, rest: str) -> None:
    host.define(network(mode=mode, rest=rest))
    members = [host.port_create("pool", f"web{number}")["member"] for number in range(4)]
    assert members == host.members("pool")
    refusal = host.virsh_error("net-port-create pool /dev/stdin", stdin=PORT)
    assert "network 'pool' requires exclusive access to interfaces, but none are available" in refusal


@pytest.mark.parametrize("mode", ["private", "vepa", "bridge"])
def test_a_shared_pool_gives_the_least_used_member(host: Host, card: PF, mode: str) -> None:
    host.define(network(mode=mode))
    leases = [host.port_create("pool", f"web{number}") for number in range(6)]
    assert [lease["member"] for lease in leases] == [f"enp1s0v{index}" for index in (0, 1, 2, 3, 0, 1)]
    host.port_delete("pool", leases[2])
    assert host.port_create("pool", "web6")["member"] == "enp1s0v2"


def test_two_networks_give_out_the_same_vf(host: Host, card: PF) -> None:
    host.define(network())
    host.define(network(name="other"))
    host.define(network(name="addresses", mode="hostdev"))
    assert host.port_create("pool", "web1")["member"] == host.port_create("other", "web2")["member"] == "enp1s0v0"
    assert host.port_create("addresses", "web3")["member"] == "0000:01:10.0"  # the same VF under its address


def test_the_members_of_a_hostdev_pool_never_show_connections(host: Host, card: PF) -> None:
    host.define(network(mode="hostdev"))
    host.port_create("pool", "web1")
    assert host.xml("pool").get("connections") == "1"
    assert host.connections("pool") == {}
    assert [(port["owner"], port["member"]) for port in host.ports("pool")] == [("web1", "0000:01:10.0")]


def test_a_port_needs_its_uuid_its_owner_and_a_mac(host: Host, card: PF) -> None:
    host.define(network())
    for part in (f"<uuid>{UUID}</uuid>", OWNER, "<name>web1</name>", MAC):
        host.virsh_error("net-port-create pool /dev/stdin", stdin=PORT.replace(part, ""))
    host.virsh("net-port-create pool /dev/stdin", stdin=PORT)


# Forgetting

def test_a_network_is_destroyed_while_guests_hold_leases_and_then_gives_out_what_they_hold(host: Host, card: PF) -> None:
    host.define(network())
    assert host.port_create("pool", "web1")["member"] == "enp1s0v0"
    host.virsh("net-destroy pool")
    host.virsh("net-start pool")
    assert host.ports("pool") == []
    assert host.port_create("pool", "web2")["member"] == "enp1s0v0"


@pytest.mark.parametrize("cause", ["net-update", "SIGHUP"])
def test_a_live_update_or_a_reload_forgets_every_connection_and_the_pf(host: Host, card: PF, cause: str) -> None:
    host.define(network())
    first = host.port_create("pool", "web1")
    assert host.connections("pool") == {"enp1s0v0": 1}
    if cause == "SIGHUP":
        host.sighup()
    else:
        host.virsh("net-update pool add forward-interface", NEW_INTERFACE, "--live")
    assert host.connections("pool") == {} and host.xml("pool").get("connections") is None
    assert host.xml("pool").find("forward/pf") is None
    assert host.xml("pool", inactive=True).find("forward/pf") is not None
    assert host.ports("pool") == [first]  # the port is known, the count is not
    assert host.port_create("pool", "web2")["member"] == "enp1s0v0"


def test_a_member_released_more_often_than_counted_is_never_given_out_again(host: Host, card: PF) -> None:
    host.define(network())
    first = host.port_create("pool", "web1")
    host.virsh("net-update pool add forward-interface", NEW_INTERFACE, "--live")
    host.port_delete("pool", first)  # the count is now -1
    members = [host.port_create("pool", f"web{number}")["member"] for number in range(4)]
    assert members == ["enp1s0v1", "enp1s0v2", "enp1s0v3", "enp1s0v9"]
    host.virsh_error("net-port-create pool /dev/stdin", stdin=PORT)


def test_a_restart_of_the_daemon_keeps_counts_and_loses_the_pf_from_the_live_xml(host: Host, card: PF) -> None:
    host.define(network())
    lease = host.port_create("pool", "web1")
    host.restart_libvirtd()
    assert host.connections("pool") == {"enp1s0v0": 1} and host.ports("pool") == [lease]
    assert host.xml("pool").find("forward/pf") is None
    assert host.xml("pool", inactive=True).find("forward/pf") is not None


def test_after_a_restart_of_the_daemon_even_the_inactive_xml_of_a_transient_network_lists_members(host: Host, card: PF) -> None:
    host.virsh("net-create /dev/stdin", stdin=network())
    assert host.members("pool", inactive=True) == []
    host.restart_libvirtd()
    assert len(host.members("pool", inactive=True)) == 4
    assert host.xml("pool", inactive=True).find("forward/pf") is None


# Not forgetting

@pytest.mark.parametrize("mode", ["passthrough", "hostdev", "private", "vepa", "bridge"])
def test_ports_that_are_read_before_and_reclaimed_after_a_restart_of_the_network_keep_every_lease(host: Host, card: PF, mode: str) -> None:
    host.define(network(mode=mode))
    released = host.port_create("pool", "web1")
    leases = [host.port_create("pool", "web2"), host.port_create("pool", "web3")]
    host.port_delete("pool", released)  # the leases are not simply the first members
    counts = host.connections("pool"), host.xml("pool").get("connections")
    card.resize(6)
    host.python(REBUILD)
    assert host.ports("pool") == leases
    assert (host.connections("pool"), host.xml("pool").get("connections")) == counts
    assert len(host.members("pool")) == 6
    assert host.port_create("pool", "web4")["member"] == released["member"]
    for lease in host.ports("pool"):
        host.port_delete("pool", lease)
    assert host.connections("pool") == {} and host.xml("pool").get("connections") is None


def test_a_rebuilt_pool_has_its_pf_in_the_live_xml_again(host: Host, card: PF) -> None:
    host.define(network())
    lease = host.port_create("pool", "web1")
    host.sighup()
    host.python(REBUILD)
    assert host.xml("pool").find("forward/pf") is not None
    assert host.connections("pool") == {"enp1s0v0": 1} and host.ports("pool") == [lease]


def test_a_lease_whose_member_left_the_pool_cannot_be_reclaimed(host: Host, card: PF) -> None:
    host.define(network(mode="hostdev"))
    host.port_create("pool", "web1")
    host.port_create("pool", "web2")
    card.resize(1)
    refusal = host.run("/usr/bin/python3", "-c", REBUILD, check=False).stderr
    assert "network 'pool' doesn't have PCI device 0000:01:10.2 in use by network port" in refusal


def test_the_refusal_of_such_a_lease_may_hold_raw_bytes_of_a_uuid_that_python_cannot_read(host: Host, card: PF) -> None:
    host.define(network())
    host.virsh("net-port-create pool /dev/stdin", stdin=PORT.replace(UUID, "ffffffff-ffff-ffff-ffff-ffffffffffff"))
    card.resize(3).vf(0).renamed("gone0")
    refusal = host.run("/usr/bin/python3", "-c", REBUILD, check=False).stderr
    assert r"doesn't have dev='enp1s0v0' in use by network port '\xff\xff\xff" in refusal
    assert "UnicodeDecodeError" in refusal  # and not, or not only, a libvirtError


# Saying no

def test_libvirt_refuses_with_the_code_that_tells_why(host: Host, card: PF) -> None:
    host.define(network())
    host.virsh("net-port-create pool /dev/stdin", stdin=PORT)
    for call, code in (
        ("connection.networkDefineXML('<network><name>x</name><forward mode=\"vepa\"/><mtu size=\"9000\"/></network>')", 27),
        ("pool.create()", 55),
        ("connection.networkDefineXML('<network><name>x</name><forward mode=\"vepa\"/><domain name=\"x\"/></network>')", 67),
        ("connection.networkDefineXMLFlags('<network><name>x</name><y/></network>', libvirt.VIR_NETWORK_DEFINE_VALIDATE)", 92),
        ("pool.portCreateXML(sys.argv[1])", 106),
        ("pool.portLookupByUUIDString('00000000-0000-0000-0000-000000000001')", 107),
    ):
        assert host.python(REFUSE.format(call=call), PORT) == code, call
