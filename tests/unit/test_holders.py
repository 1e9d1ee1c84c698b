# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils import _guests, _namespaces
from ansible_collections.vfpool.sriov.plugins.module_utils._claims import describe_holder, domain_claims, holder, port_claims
from ansible_collections.vfpool.sriov.plugins.module_utils._guests import NO_LIBVIRT
from ansible_collections.vfpool.sriov.plugins.module_utils._holders import add_holders, without_repetition
from ansible_collections.vfpool.sriov.plugins.module_utils._in_use import without_libvirt
from ansible_collections.vfpool.sriov.plugins.module_utils._link_claims import link_claims
from ansible_collections.vfpool.sriov.plugins.module_utils._other_drivers import other_drivers
from ansible_collections.vfpool.sriov.plugins.module_utils._pf import find_pfs, read_vfs
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Incomplete, Sysfs
from ansible_collections.vfpool.sriov.tests.sysfs_tree import Tree
from ansible_collections.vfpool.sriov.tests.unit.test_libvirt_rpc import daemon, reply, text

DOMAIN = """
<domain type='qemu' id='1'>
  <name>web1</name>
  <uuid>261117d6-aecc-4266-a838-aeb30837632d</uuid>
  <devices>
    <interface type='direct'>
      <source network='two' portid='04654d3f-36e4-4165-8dbf-ae455efda488' dev='enp2s0v3' mode='passthrough'/>
      <target dev='macvtap0'/>
      <address type='pci' domain='0x0000' bus='0x02' slot='0x01' function='0x0'/>
    </interface>
    <interface type='hostdev'>
      <source><address type='pci' domain='0x0001' bus='0x02' slot='0x11' function='0x4'/></source>
      <address type='pci' domain='0x0000' bus='0x03' slot='0x01' function='0x0'/>
    </interface>
    <interface type='network'><source network='three'/></interface>
    <interface type='bridge'><source bridge='br0'/><target dev='vnet3'/></interface>
    <hostdev mode='subsystem' type='pci'><source><address domain='0x0000' bus='0x02' slot='0x10' function='0x0'/></source></hostdev>
    <hostdev mode='subsystem' type='usb'><source><address bus='1' device='2'/></source></hostdev>
  </devices>
</domain>
"""
UUID = "261117d6-aecc-4266-a838-aeb30837632d"


def test_a_domain_holds_the_devices_that_its_document_names_outright_and_no_others() -> None:
    guests = domain_claims(DOMAIN, active=True)
    assert guests.claims == [
        ("enp2s0v3", holder("libvirt_domain", "web1", UUID, "two")),
        ("0001:02:11.4", holder("libvirt_domain", "web1", UUID)),
        ("0000:02:10.0", holder("libvirt_domain", "web1", UUID)),
    ]
    assert guests.interfaces == {"macvtap0": holder("libvirt_domain", "web1", UUID, "two")}


def test_a_domain_holds_the_function_that_it_has_as_a_disk() -> None:
    disk = "<disk type='nvme'><source type='pci' namespace='1'><address domain='0x0000' bus='0x02' slot='0x10' function='0x1'/></source></disk>"
    file = "<disk type='block'><source dev='enp1s0v0'/></disk>"
    claims = domain_claims(f"<domain><name>db1</name><uuid>d</uuid><devices>{disk}{file}</devices></domain>", active=True).claims
    assert claims == [("0000:02:10.1", holder("libvirt_domain", "db1", "d"))]


def test_a_domain_that_does_not_run_is_marked_so() -> None:
    assert [claim.holder.get("active", True) for claim in domain_claims(DOMAIN, active=False).claims] == [False, False, False]


def test_a_port_holds_its_member_by_name_or_by_pci_address() -> None:
    port = "<networkport><owner><name>web1</name><uuid>u</uuid></owner><plug {}</networkport>"
    entry = holder("libvirt_port", "web1", "u", "n")
    assert port_claims(port.format("type='direct' dev='enp2s0v3' mode='passthrough'/>"), "n") == [("enp2s0v3", entry)]
    address = "type='hostdev-pci' managed='yes'><address domain='0x0000' bus='0x02' slot='0x10' function='0x6'/></plug>"
    assert port_claims(port.format(address), "n") == [("0000:02:10.6", entry)]
    assert port_claims(port.format("type='bridge' bridge='virbr0'/>"), "n") == []
    assert port_claims("<networkport><owner><name>web1</name><uuid>u</uuid></owner></networkport>", "n") == []


def test_a_device_of_a_domain_that_has_no_source_holds_nothing() -> None:
    assert domain_claims("<domain><devices><interface type='vdpa'/><hostdev type='pci'/></devices></domain>", active=True) == ([], {}, None)


def test_links_hold_what_they_stand_on_and_the_host_holds_what_it_bridges_addresses_or_reads() -> None:
    links: list[dict] = [
        {"ifname": "macvtap7", "link": "v0", "linkinfo": {"info_kind": "macvtap"}},
        {"ifname": "v1.5", "link": "v1", "linkinfo": {"info_kind": "vlan"}},
        {"ifname": "v2", "master": "br0", "linkinfo": {"info_slave_kind": "bridge"}},
        {"ifname": "v3", "addr_info": [{"family": "inet", "local": "192.0.2.1", "prefixlen": 24, "scope": "global"}]},
        {"ifname": "v4", "xdp": {"mode": 2, "prog": {"id": 97, "name": "", "tag": "614b434cd8324ecc", "jited": 1}}},
    ]
    assert list(link_claims(links)) == [
        ("v0", holder("macvtap", "macvtap7")),
        ("v1", holder("host", "v1.5")),
        ("v2", holder("host", "br0")),
        ("v3", holder("host", "192.0.2.1/24")),
        ("v4", holder("host", "XDP program")),
    ]


def test_a_link_that_names_what_it_stands_on_by_its_kinds_own_words_holds_that() -> None:
    """As ip 6.1 tells them; the kernel links both to their VFs in sysfs (upper_h0), and ip has neither ``link`` nor ``master`` for them."""
    ring = {"ifname": "h0", "linkinfo": {"info_kind": "hsr", "info_data": {"slave1": "v0", "slave2": "v1", "proto": 0}}}
    tunnel = {"ifname": "vx0", "linkinfo": {"info_kind": "vxlan", "info_data": {"id": 7, "group": "ff02::77", "link": "v2", "port": 4789}}}
    assert sorted(link_claims([ring, tunnel])) == [("v0", holder("host", "h0")), ("v1", holder("host", "h0")), ("v2", holder("host", "vx0"))]


def test_addresses_that_nobody_asked_for_hold_nothing() -> None:
    unasked = [
        {"family": "inet6", "local": "fe80::1", "prefixlen": 64, "scope": "link"},
        {"family": "inet6", "local": "2001:db8::1", "prefixlen": 64, "scope": "global", "dynamic": True, "mngtmpaddr": True},
        {"family": "inet6", "local": "2001:db8::2", "prefixlen": 64, "scope": "global", "dynamic": True, "temporary": True},
    ]
    assert list(link_claims([{"ifname": "v0", "addr_info": unasked}])) == []


@pytest.mark.parametrize("flags", [{}, {"dynamic": True}, {"mngtmpaddr": True}, {"dynamic": True, "mngtmpaddr": True, "noprefixroute": True}])
def test_an_ipv6_address_of_an_administrator_dhcpv6_or_networkmanager_was_asked_for(flags: dict) -> None:
    address = {"family": "inet6", "local": "2001:db8::1", "prefixlen": 64, "scope": "global", **flags}
    assert list(link_claims([{"ifname": "v0", "addr_info": [address]}])) == [("v0", holder("host", "2001:db8::1/64"))]


def test_an_ipv4_address_is_always_asked_for_even_a_link_local_one() -> None:
    address = {"family": "inet", "local": "169.254.9.1", "prefixlen": 16, "scope": "link"}
    assert list(link_claims([{"ifname": "v0", "addr_info": [address]}])) == [("v0", holder("host", "169.254.9.1/16"))]


def test_a_link_whose_lower_link_lives_in_another_namespace_stands_on_none_of_ours() -> None:
    assert list(link_claims([{"ifname": "eth0", "link": "v0", "link_netnsid": 0, "linkinfo": {"info_kind": "macvlan"}}])) == []


def test_every_holder_can_be_put_into_words() -> None:
    assert describe_holder(holder("libvirt_port", "web1", "u", "n")) == "guest web1 (network n)"
    assert describe_holder(holder("libvirt_domain", "web1", "u", active=False)) == "guest web1 (not running, but defined with it)"
    assert describe_holder(holder("netns", None)) == "network namespace of unknown name"


def test_for_a_plan_a_vf_is_free_when_libvirt_is_not_installed_but_not_when_anything_else_is_in_doubt() -> None:
    vfs = [{"index": index, "used_by": None} for index in range(3)] + [{"index": 3, "used_by": [holder("netns", "blue")]}]
    incomplete = [
        {"part": "vfs[0-3].used_by", "pf": "0000:01:00.0", "reason": NO_LIBVIRT},
        {"part": "vfs[1].used_by", "pf": "0000:01:00.0", "reason": "the open files of some processes (3) cannot be seen"},
    ]
    (pf,) = without_libvirt({"pfs": [{"pci_address": "0000:01:00.0", "vfs": vfs}], "incomplete": incomplete})
    assert [vf["used_by"] for vf in pf["vfs"]] == [[], None, [], [holder("netns", "blue")]]
    assert vfs[0]["used_by"] is None


def test_a_guest_whose_vf_was_renamed_is_known_by_its_macvtap() -> None:
    guest = holder("libvirt_domain", "web1", UUID, "n")
    assert without_repetition([holder("macvtap", "macvtap0")], {"macvtap0": guest}) == [guest]


def test_the_macvtap_of_a_guest_is_not_told_beside_the_guest() -> None:
    port = holder("libvirt_port", "web1", UUID, "n")
    guest = holder("libvirt_domain", "web1", UUID, "n")
    assert without_repetition([holder("macvtap", "macvtap0"), port], {"macvtap0": guest}) == [port]
    assert without_repetition([holder("macvtap", "macvtap0"), guest], {"macvtap0": guest}) == [guest]


def test_a_vf_whose_interface_ip_does_not_name_is_not_known_to_be_free(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.pf("enp1s0", "0000:01:00.0", vfs=2)
    sysfs, incomplete = Sysfs(str(tree.root)), Incomplete()
    pfs = find_pfs(sysfs, incomplete)
    with daemon(reply) as sockets:
        monkeypatch.setattr(_guests, "_SOCKETS", sockets)
        monkeypatch.setattr(_namespaces, "_PROC", sockets)
        add_holders(pfs, {name: {"ifname": name} for name in ("enp1s0", "enp1s0v1")}, sysfs, incomplete)
    assert [vf["used_by"] for vf in pfs[0]["vfs"]] == [None, []]
    assert [(entry["part"], entry["reason"]) for entry in incomplete.entries()] == [("vfs[0].used_by", "ip names no interface enp1s0v0")]


def used_by(tree: Tree, monkeypatch: pytest.MonkeyPatch, links: list[str]) -> tuple[list, list[str]]:
    """Who uses each VF of the first PF where libvirt has guests of its own, and why some of that is not known."""
    sysfs, incomplete = Sysfs(str(tree.root)), Incomplete()
    pfs = find_pfs(sysfs, incomplete)
    read_vfs(pfs[0], {}, sysfs, incomplete)
    with daemon(reply) as sockets:
        monkeypatch.setattr(_guests, "_SOCKETS", sockets)
        monkeypatch.setattr(_namespaces, "_PROC", sockets)
        add_holders(pfs, {name: {"ifname": name} for name in links}, sysfs, incomplete)
    return [vf["used_by"] for vf in pfs[0]["vfs"]], [entry["reason"] for entry in incomplete.entries() if "used_by" in entry["part"]]


def test_a_vf_that_ip_does_not_name_is_not_free_where_its_pf_has_no_name_either(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.pf(None, "0000:01:00.0", vfs=2, vf_name="wan{index}")
    assert used_by(tree, monkeypatch, ["wan1"]) == ([None, []], ["ip names no interface wan0"])


def test_a_disk_with_the_kernels_driver_is_not_known_to_be_free(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system on it, say, is nowhere looked for."""
    pf = tree.pf(None, "0000:01:00.0", vfs=3, driver="nvme", pci_class="0x010802", vf_driver="nvme", vf_name=None, iommu_group=None)
    pf.vf(1).bound_to("vfio-pci")
    pf.vf(2).bound_to(None)
    reason = "who uses what the driver nvme makes of it, which is no network interface, cannot be told"
    assert used_by(tree, monkeypatch, ["lo"]) == ([None, [], []], [reason])


@pytest.mark.parametrize(
    ("called", "master", "used_by"),
    [("eth0", "br0", [holder("host", "br0")]), ("eth0", None, None), ("eth1", "br0", None)],
    ids=["a name that udev may change", "a name that guests do not know yet", "a name that udev just changed"],
)
def test_a_vf_is_held_by_whatever_name_its_interface_has_now(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, called: str, master: str | None, used_by: list | None
) -> None:
    tree.pf("enp1s0", "0000:01:00.0", vfs=2).vf(1).renamed("eth0")
    (tmp_path / "udev").mkdir()
    (tmp_path / "udev/control").touch()
    sysfs, incomplete = Sysfs(str(tree.root), str(tmp_path / "udev")), Incomplete()
    pfs = find_pfs(sysfs, incomplete)
    links = {"enp1s0": {"ifname": "enp1s0"}, "enp1s0v0": {"ifname": "enp1s0v0"}, called: {"ifname": called, "master": master}}
    with daemon(reply) as sockets:
        monkeypatch.setattr(_guests, "_SOCKETS", sockets)
        monkeypatch.setattr(_namespaces, "_PROC", sockets)
        add_holders(pfs, links, sysfs, incomplete)
    assert [(vf["name"], vf["used_by"]) for vf in pfs[0]["vfs"]] == [("enp1s0v0", []), (None, used_by)]
    reasons = ["udev may still rename its interface, and who names it by its later name is not known", "ip names no interface eth0"]
    assert [entry["reason"] for entry in incomplete.entries() if "used_by" in entry["part"]] == reasons[: 1 if called == "eth0" else 2]


def test_verbs_and_vdpa_are_found_by_the_function_that_they_stand_on(tree: Tree) -> None:
    pf = tree.pf("enp1s0", "0000:01:00.0", vfs=2)
    vf = pf.vf(1)
    (vf.folder / "infiniband_verbs/uverbs3").mkdir(parents=True)
    (vf.folder / "vdpa7/vhost-vdpa-0").mkdir(parents=True)
    verbs, vdpa = tree.root / "class/infiniband_verbs", tree.root / "bus/vdpa/devices"
    for folder in (verbs, vdpa, tree.root / "devices/virtual/vdpa/simulated"):
        folder.mkdir(parents=True)
    (verbs / "abi_version").write_text("6\n")
    (verbs / "uverbs3").symlink_to(f"../../bus/pci/devices/{vf.address}/infiniband_verbs/uverbs3")
    (vdpa / "vdpa7").symlink_to(f"../../../bus/pci/devices/{vf.address}/vdpa7")
    (vdpa / "simulated").symlink_to("../../../devices/virtual/vdpa/simulated")
    assert other_drivers(Sysfs(str(tree.root))) == ({vf.address: ["/dev/infiniband/uverbs3", "/dev/vhost-vdpa-0"]}, [])


@pytest.mark.parametrize(("driver", "claims"), [("virtio_vdpa", [holder("host", "vdpa7")]), ("vhost_vdpa", []), (None, [])])
def test_the_host_holds_a_vf_whose_vdpa_device_its_own_kernel_drives(tree: Tree, driver: str | None, claims: list[dict]) -> None:
    vf = tree.pf("enp1s0", "0000:01:00.0", vfs=1).vf(0)
    device = vf.folder / "vdpa7"
    device.mkdir()
    (tree.root / "bus/vdpa/devices").mkdir(parents=True)
    (tree.root / "bus/vdpa/devices/vdpa7").symlink_to(f"../../../bus/pci/devices/{vf.address}/vdpa7")
    if driver:
        (device / "driver").symlink_to(f"../../../../bus/vdpa/drivers/{driver}")
    assert other_drivers(Sysfs(str(tree.root))).claims == [(vf.address, claim) for claim in claims]


def test_a_host_without_verbs_and_vdpa_has_none(tree: Tree) -> None:
    assert other_drivers(Sysfs(str(tree.root))) == ({}, [])


def test_a_guest_holds_the_vf_that_its_vdpa_device_stands_on(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    pf = tree.pf("enp1s0", "0000:01:00.0", vfs=2)
    (pf.vf(1).folder / "vdpa7/vhost-vdpa-0").mkdir(parents=True)
    (tree.root / "bus/vdpa/devices").mkdir(parents=True)
    (tree.root / "bus/vdpa/devices/vdpa7").symlink_to(f"../../../bus/pci/devices/{pf.vf(1).address}/vdpa7")
    guest = "<domain><name>db1</name><uuid>u</uuid><devices><interface type='vdpa'><source dev='/dev/vhost-vdpa-0'/></interface></devices></domain>"
    sysfs, incomplete = Sysfs(str(tree.root)), Incomplete()
    pfs = find_pfs(sysfs, incomplete)
    read_vfs(pfs[0], {}, sysfs, incomplete)
    with daemon(lambda procedure, serial: reply(procedure, serial, text(guest) if procedure == 14 else None)) as sockets:
        monkeypatch.setattr(_guests, "_SOCKETS", sockets)
        monkeypatch.setattr(_namespaces, "_PROC", sockets)
        add_holders(pfs, {"lo": {"ifname": "lo"}}, sysfs, incomplete)
    assert [vf["used_by"] for vf in pfs[0]["vfs"]] == [[], [holder("libvirt_domain", "db1", "u")]]
