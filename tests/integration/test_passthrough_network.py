# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""passthrough_network and passthrough_network_info against a real libvirtd; what they did is checked with virsh."""

from __future__ import annotations

import pytest

from ansible_collections.vfpool.sriov.tests.integration.cut import URI, Cut
from ansible_collections.vfpool.sriov.tests.integration.host import Host
from ansible_collections.vfpool.sriov.tests.integration.warm import Warm

METADATA = """<metadata>
    <o:owner xmlns:o="http://example.org/owner" team="a'b">
      <!-- kept -->
      <o:note>two  spaces</o:note>
    </o:owner>
  </metadata>"""
SMALLEST = "<network>\n  <name>n</name>\n  <forward mode='passthrough'>\n    <pf dev='enp1s0'/>\n  </forward>\n</network>\n"


def members(host: Host, name: str, inactive: bool = False) -> list[str | None]:
    return [entry.get("dev") for entry in host.xml(name, inactive).findall("forward/interface")]


@pytest.mark.parametrize("mode", ["passthrough", "private", "vepa", "bridge"])
def test_a_network_of_a_pf_hands_out_its_interfaces(host: Host, card, mode):
    result = host.module("passthrough_network", name="n", pf="enp1s0", mode=mode)
    assert result["changed"]
    assert result["actions"] == ["define the network n", "switch on autostart of the network n", "start the network n"]
    assert members(host, "n") == [f"enp1s0v{index}" for index in range(4)]
    assert members(host, "n", inactive=True) == []
    assert host.xml("n", inactive=True).find("forward/pf").get("dev") == "enp1s0"
    assert [line.split() for line in host.virsh("net-list --all").splitlines()] == [["n", "active", "yes", "yes"]]
    again = host.module("passthrough_network", name="n", pf="enp1s0", mode=mode)
    assert (again["changed"], again["actions"]) == (False, [])


def test_a_hostdev_network_hands_out_pci_devices(host: Host, card):
    options = {"name": "n", "pf": "0000:01:00.0", "mode": "hostdev", "managed": True, "vlan": 42}
    pool = host.module("passthrough_network", **options)["network"]["pool"]
    assert [member["address"] for member in pool["members"]] == ["0000:01:10.0", "0000:01:10.2", "0000:01:10.4", "0000:01:10.6"]
    assert host.xml("n").find("forward").get("managed") == "yes"
    assert not host.module("passthrough_network", **options)["changed"]


@pytest.mark.parametrize(
    "options",
    [
        {"interfaces": ["enp1s0v3", "enp1s0v0"]},
        {"mode": "hostdev", "addresses": ["0000:01:10.6", "01:10.0"]},
        {"pf": "enp1s0", "vfs": "0-1,3"},
        {"xml": "<network><forward mode='passthrough'><pf dev='enp1s0'/></forward></network>"},
        {"pf": "enp1s0", "portgroups": [{"name": "a", "default": True, "vlan": 5}, {"name": "b", "trust_guest_rx_filters": True}]},
        {"pf": "enp1s0", "virtualport": {"type": "802.1Qbg", "managerid": 11, "typeid": 1193047, "typeidversion": 2}},
        {"pf": "enp1s0", "trust_guest_rx_filters": False, "port_isolated": False},
        {"pf": "enp1s0", "mode": "hostdev", "driver": "vfio", "managed": False},
    ],
)
def test_a_second_run_changes_nothing(host: Host, card, options):
    assert host.module("passthrough_network", name="n", **options)["changed"]
    assert host.module("passthrough_network", name="n", **options)["actions"] == []


def test_an_explicit_list_stays_exactly_as_given(host: Host, card):
    host.module("passthrough_network", name="n", interfaces=["enp1s0v3", "enp1s0v0"])
    assert members(host, "n") == members(host, "n", inactive=True) == ["enp1s0v3", "enp1s0v0"]


def test_check_mode_foretells_what_a_run_does_and_writes_nothing(host: Host, card):
    options = {"name": "n", "pf": "enp1s0"}
    foretold = host.module("passthrough_network", check=True, **options)
    assert host.virsh("net-list --all --name") == ""
    done = host.module("passthrough_network", **options)
    assert [foretold[key] for key in ("changed", "actions", "diff")] == [done[key] for key in ("changed", "actions", "diff")]
    assert foretold["network"] is None
    assert done["diff"]["before"] == ""
    assert "<pf dev='enp1s0'/>" in done["diff"]["after"]


def test_a_changed_definition_is_applied_to_the_live_network_too(host: Host, card):
    host.module("passthrough_network", name="n", pf="enp1s0")
    result = host.module("passthrough_network", name="n", pf="enp1s0", vlan=7)
    assert result["actions"][0] == "change the definition of the network n"
    assert host.xml("n").find("vlan/tag").get("id") == host.xml("n", inactive=True).find("vlan/tag").get("id") == "7"
    assert host.module("passthrough_network", name="n", pf="enp1s0")["changed"]
    assert host.xml("n").find("vlan") is None


def test_a_definition_that_stays_shows_no_difference_however_it_is_written(host: Host, card):
    document = "<network><!-- ours --><portgroup name='b'/><forward mode='passthrough'><pf dev='enp1s0'/></forward></network>"
    first = host.module("passthrough_network", name="n", xml=document)["diff"]
    assert "portgroup" in first["after"]
    for autostart in (True, False):
        diff = host.module("passthrough_network", name="n", xml=document, autostart=autostart)["diff"]
        assert diff["before"] == diff["after"] != ""
    gone = host.module("passthrough_network", name="n", state="absent")["diff"]
    assert (gone["before"], gone["after"]) == (diff["before"], "")


def test_metadata_survives_a_change_byte_for_byte(host: Host, card):
    host.define(f"<network><name>n</name>{METADATA}<forward mode='passthrough'><pf dev='enp1s0'/></forward></network>")
    before = host.virsh("net-dumpxml n --inactive")
    host.module("passthrough_network", name="n", pf="enp1s0", vlan=7)
    after = host.virsh("net-dumpxml n --inactive")
    stored = before[before.index("<metadata>"):before.index("</metadata>")]
    assert stored == after[after.index("<metadata>"):after.index("</metadata>")]
    assert "two  spaces" in stored
    assert not host.module("passthrough_network", name="n", pf="enp1s0", vlan=7)["changed"]


def test_a_network_stops_and_goes(host: Host, card):
    host.module("passthrough_network", name="n", pf="enp1s0")
    assert host.module("passthrough_network", name="n", pf="enp1s0", active=False, autostart=False)["actions"] == [
        "switch off autostart of the network n", "stop the network n"]
    assert host.virsh("net-list --name") == ""
    gone = host.module("passthrough_network", name="n", state="absent")
    assert (gone["actions"], gone["network"]) == (["remove the definition of the network n"], None)
    assert not host.module("passthrough_network", name="n", state="absent")["changed"]


def test_in_check_mode_an_inactive_network_is_not_removed(host: Host, card):
    host.module("passthrough_network", name="n", pf="enp1s0", active=False)
    assert host.module("passthrough_network", name="n", state="absent", check=True)["changed"]
    assert host.virsh("net-list --all --name") == "n"


@pytest.mark.parametrize("options", [{"state": "absent"}, {"pf": "enp1s0", "active": False}])
def test_a_network_with_leases_is_never_stopped(host: Host, card, options):
    host.module("passthrough_network", name="n", pf="enp1s0")
    lease = host.port_create("n", "web1")
    before = host.ports("n"), host.virsh("net-dumpxml n --inactive")
    assert "web1 holds enp1s0v0" in host.refusal("passthrough_network", name="n", **options)
    assert (host.ports("n"), host.virsh("net-dumpxml n --inactive")) == before
    host.port_delete("n", lease)
    host.module("passthrough_network", name="n", **options)


def test_a_network_that_cannot_start_leaves_no_definition_behind(host: Host, card):
    hook = host.root / "etc/libvirt/hooks/network"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    try:
        host.restart_libvirtd()
        failure = host.refusal("passthrough_network", name="n", pf="enp1s0")
    finally:
        hook.unlink()
    assert failure.endswith(" Undone: switch on autostart of the network n; define the network n.")
    assert host.virsh("net-list --all --name") == ""


def test_rendered_asks_no_daemon(host: Host, card):
    host.stop_libvirtd()
    result = host.module("passthrough_network", name="n", pf="enp1s0", state="rendered")
    assert (result["changed"], result["xml"]) == (False, SMALLEST)


def test_info_tells_implicit_from_explicit_and_describes_a_bridge_too(host: Host, card):
    host.module("passthrough_network", name="implicit", pf="enp1s0")
    host.module("passthrough_network", name="explicit", interfaces=["enp1s0v2"], overlap="warn")
    host.define("<network><name>plain</name><bridge name='virbr7'/></network>", start=False)
    found = {network["name"]: network for network in host.module("passthrough_network_info")["networks"]}
    assert {name: network["pool"]["kind"] for name, network in found.items()} == {"implicit": "implicit", "explicit": "explicit", "plain": "none"}
    assert [member["interface"] for member in found["implicit"]["pool"]["members"]] == [f"enp1s0v{index}" for index in range(4)]
    assert found["explicit"]["pool"]["members"] == [{"interface": "enp1s0v2", "index": 2, "lease": None}]
    (inactive,) = host.module("passthrough_network_info", names=["implicit"], inactive=True)["networks"]
    assert inactive["xml"].strip() == host.virsh("net-dumpxml implicit --inactive")
    assert [inactive["pool"][key] for key in ("kind", "members", "missing")] == ["implicit", [], []]


def test_info_tells_who_holds_a_member(host: Host, card):
    host.module("passthrough_network", name="n", pf="enp1s0", mode="hostdev")
    lease = host.port_create("n", "web1", mac="52:54:00:00:00:07")
    (network,) = host.module("passthrough_network_info", names=["n", "n"])["networks"]
    assert network["pool"]["members"][0] == {
        "address": "0000:01:10.0", "index": 0,
        "lease": {"port": lease["port"], "owner_name": "web1", "owner_uuid": lease["owner_uuid"], "mac": "52:54:00:00:00:07"}}
    assert network["pool"]["members"][1]["lease"] is None


def test_info_of_a_network_that_does_not_exist_names_those_that_do(host: Host, card):
    host.module("passthrough_network", name="n", pf="enp1s0")
    assert host.refusal("passthrough_network_info", names=["m"]) == "There is no network m: the networks are n."


BAD_PFS = [
    # ip knows nothing of synthetic cards, and so nothing of their altnames.
    ("nosuch", "No PF of this host is 'nosuch' (no interface has that name, and which altnames the PFs have is not known)"),
    ("plain0", "No PF of this host is 'plain0' (an interface that stands on no PCI device)"),
    ("enp1s0v1", "is a VF of enp1s0"),
    ("enp9s0", "The PF enp9s0 (0000:09:00.0) has no VFs"),
    ("enp17s0", "None of the 2 VFs of PF enp17s0"),
    ("enp25s0", "The PF enp25s0 (0000:19:00.0) is down"),
    ("../net/enp1s0", "interface name"),
]


@pytest.mark.parametrize(("pf", "words"), BAD_PFS)
def test_a_pf_that_gives_no_pool_is_told_by_its_reason_and_nothing_is_written(host: Host, card, pf, words):
    host.tree.virtual("plain0")
    host.tree.pf("enp9s0", "0000:09:00.0", vfs=0)
    nameless = host.tree.pf("enp17s0", "0000:11:00.0", vfs=2)
    for index in range(2):
        nameless.vf(index).nameless()
    host.tree.pf("enp25s0", "0000:19:00.0", vfs=2)
    (host.tree.root / "class/net/enp25s0/flags").write_text("0x1002\n")
    assert words in host.refusal("passthrough_network", name="n", pf=pf)
    assert words in host.refusal("passthrough_network", name="n", xml=f"<network><forward mode='passthrough'><pf dev='{pf}'/></forward></network>")
    assert host.virsh("net-list --all --name") == ""


@pytest.mark.parametrize(("break_", "words"), [("gap", "stop at the first gap"), ("elsewhere", "is in another network namespace")])
def test_a_document_that_names_a_pf_which_libvirt_cannot_expand_is_refused(host: Host, card, break_, words):
    card.remove_vf(1) if break_ == "gap" else card.vf(1).elsewhere()
    refusal = host.refusal("passthrough_network", name="n", xml=SMALLEST)
    assert words in refusal
    assert "use the option pf" in refusal
    assert host.virsh("net-list --all --name") == ""


def test_an_altname_is_not_said_to_be_none_where_ip_does_not_run(host: Host, card):
    host.run("rm", "/usr/bin/ip")
    refusal = host.refusal("passthrough_network", name="n", pf="wan")
    assert "No PF of this host is 'wan' (no interface has that name, and which altnames the PFs have is not known)" in refusal


def test_a_pf_without_an_interface_is_told_what_it_lacks_in_each_mode(host: Host, card):
    host.tree.pf(None, "0000:09:00.0", vfs=2)
    for pool in ({"pf": "0000:09:00.0"}, {"addresses": ["0000:09:10.0"]}):
        refusal = host.refusal("passthrough_network", name="n", mode="hostdev", **pool)
        assert refusal.startswith("The PF 0000:09:00.0 has no network interface, through which libvirt sets up a VF in mode hostdev")
        assert "bind its network driver" in refusal
    said = "has no network interface, and libvirt finds a PF by its interface alone: bind its network driver."
    assert host.refusal("passthrough_network", name="n", pf="0000:09:00.0").endswith(said)


@pytest.mark.parametrize("pool", [{"pf": "enp1s0"}, {"pf": "enp1s0", "vfs": "0-3"}, {"xml": SMALLEST}])
def test_a_vf_without_an_interface_that_is_no_member_is_told_once(host: Host, card, pool):
    card.vf(2).nameless().bound_to("vfio-pci")
    result = host.module("passthrough_network", name="n", **pool)
    assert members(host, "n") == ["enp1s0v0", "enp1s0v1", "enp1s0v3"]
    assert result["warnings"] == [
        "VF 2 of PF enp1s0 (0000:01:00.0) has no network interface, so it is no member: bind its network driver, or use mode hostdev."]
    assert "warnings" not in host.module("passthrough_network", name="h", pf="enp1s0", mode="hostdev", overlap="warn", state="rendered")


def test_info_expects_what_libvirt_makes_of_a_pf_whose_vfs_have_a_gap(host: Host, card):
    card.remove_vf(1)
    host.define(SMALLEST)
    (network,) = host.module("passthrough_network_info")["networks"]
    assert (members(host, "n"), network["pool"]["missing"]) == (["enp1s0v0"], [])


def test_a_daemon_that_does_not_run_is_told_with_the_remedy(host: Host, card):
    host.stop_libvirtd()
    assert host.refusal("passthrough_network", name="n", pf="enp1s0").startswith("libvirt is not running at qemu:///system: install and start it")


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("metadata", ["<a/>", "<o:a xmlns:o='urn:o'/><o:b xmlns:o='urn:o'/>"])
def test_what_libvirt_would_lose_of_a_definition_is_refused_and_the_former_one_stays(host: Host, card, there, metadata):
    if there:
        host.module("passthrough_network", name="n", pf="enp1s0", vlan=5)
    before = host.virsh("net-list --all --uuid"), host.virsh("net-dumpxml n --inactive") if there else ""
    refusal = host.refusal("passthrough_network", name="n", xml=SMALLEST.replace("<forward", f"<metadata>{metadata}</metadata><forward"))
    assert "libvirt stored the network n otherwise than it was given, so that part of it would be lost" in refusal
    assert f"Undone: {'change the definition of' if there else 'define'} the network n." in refusal
    assert (host.virsh("net-list --all --uuid"), host.virsh("net-dumpxml n --inactive") if there else "") == before


@pytest.mark.parametrize("uri", ["qemu+ssh://[::1", "", "qemu"])
def test_what_is_no_uri_is_refused_by_every_module_in_one_sentence(host: Host, card, uri):
    warm = Warm(host)
    owner = {"owner_name": "fw", "owner_uuid": "c4b0a5a6-6a4a-4f3b-9d2e-3d6f8f0f5b7a"}
    for module, options in (
        ("passthrough_network", {"name": "n", "pf": "enp1s0"}), ("passthrough_network", {"name": "n", "state": "absent"}),
        ("passthrough_network", {"name": "n", "pf": "enp1s0", "state": "rendered"}),
        ("passthrough_network_info", {}), ("passthrough_port", {"network": "n", **owner}),
    ):
        result = warm.attempt(module, **options, uri=uri)
        assert result and result["msg"] == f"uri {uri!r} is no URI of libvirt: write one such as qemu:///system or qemu+ssh://host/system."


def test_a_misspelt_element_is_refused_by_the_schema_and_nothing_is_written(host: Host, card):
    document = "<network><forward mode='passthrough'><pf dev='enp1s0'/></forward><valn><tag id='5'/></valn></network>"
    refusal = host.refusal("passthrough_network", name="n", xml=document)
    assert "valn" in refusal
    assert host.refusal("passthrough_network", name="n", xml=document, check=True) == refusal
    assert "Undone" not in refusal
    assert host.virsh("net-list --all --name") == ""


def test_another_uuid_than_that_of_the_network_removes_nothing(host: Host, card):
    host.module("passthrough_network", name="n", pf="enp1s0")
    assert "has the UUID" in host.refusal("passthrough_network", name="n", uuid="0b2d64da-3d0e-431e-afdd-804415d6ebbc", state="absent")
    assert host.virsh("net-list --name") == "n"


@pytest.mark.parametrize("pool", [{"pf": "enp1s0"}, {"addresses": ["0000:01:10.0", "0000:01:10.2"]}])
def test_a_hostdev_network_that_nobody_manages_warns_of_vfs_with_which_no_guest_starts(host: Host, card, pool):
    card.vf(1).nameless().bound_to("vfio-pci")
    (warning,) = host.module("passthrough_network", name="n", mode="hostdev", **pool)["warnings"]
    assert "0000:01:10.0 has igbvf" in warning and "0000:01:10.2" not in warning
    assert warning.endswith(": say managed: true, or bind them with vfpool.sriov.sriov_pf, driver: vfio-pci.")
    assert "warnings" not in host.module("passthrough_network", name="n", mode="hostdev", managed=True, **pool)


def test_a_network_that_hands_out_no_devices_is_not_removed(host: Host):
    nat = "<forward mode='nat'/><bridge name='virbr9'/><ip address='192.0.2.1' netmask='255.255.255.0'/>"
    host.define(f"<network><name>default</name>{nat}</network>", start=False)
    host.define("<network><name>alone</name><bridge name='virbr8'/></network>", start=False)
    assert "default has mode nat and hands out no devices" in host.refusal("passthrough_network", name="default", state="absent")
    assert "alone has mode none and hands out no devices" in host.refusal("passthrough_network", name="alone", state="absent")
    assert host.virsh("net-list --all --name").split() == ["alone", "default"]
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=1)
    assert "default has mode nat and hands out no devices, so this module neither changes" in host.refusal("passthrough_network", name="default", pf="enp1s0")


def test_a_list_of_vfs_whose_pf_has_no_interface_is_warned_of_where_libvirt_needs_that(host: Host):
    card = host.tree.pf(None, "0000:09:00.0", vfs=2)
    card.vf(0).nameless().named("stray0")
    wanted = {"name": "n", "interfaces": ["stray0"]}
    (warning,) = host.module("passthrough_network", **wanted)["warnings"]
    assert warning.startswith("libvirt starts no guest with VF 0 in mode passthrough, because the PF 0000:09:00.0 has no network interface here")
    assert "warnings" not in host.module("passthrough_network", **wanted, mode="private")


@pytest.mark.parametrize("mode", ["passthrough", "hostdev"])
def test_where_all_vfs_are_in_another_namespace_that_is_what_is_said(host: Host, card, mode):
    card.vf(1).elsewhere()
    said = host.refusal("passthrough_network", name="n", pf="enp1s0", vfs="1", mode=mode, managed=True if mode == "hostdev" else None)
    assert said == "VF 1 of PF enp1s0 (0000:01:00.0) is in another network namespace, so there is nothing to hand out: give it back."


@pytest.mark.parametrize("pool", [{"interfaces": ["enp1s0v0", "nosuch0"]}, {"mode": "hostdev", "addresses": ["0000:ff:00.0"]}])
def test_a_member_that_is_not_there_is_refused_in_check_mode_awaited_and_rendered_with_a_warning(host: Host, card, pool):
    assert "is not there on this host" in host.refusal("passthrough_network", name="n", **pool)
    planned = host.module("passthrough_network", name="n", **pool, check=True)
    assert planned["changed"]
    assert "is not there on this host" in planned["warnings"][0]
    rendered = host.module("passthrough_network", name="n", **pool, state="rendered")
    assert "is not there on this host" in rendered["warnings"][0]
    assert rendered["xml"] == planned["diff"]["after"]


def test_a_pci_device_that_is_no_vf_is_refused_also_in_check_mode(host: Host, card):
    for check in (False, True):
        assert "0000:01:00.0, which is to be a member of the pool, is no VF" in host.refusal(
            "passthrough_network", name="n", mode="hostdev", addresses=["0000:01:10.0", "0000:01:00.0"], check=check)


def test_a_list_of_vfs_whose_pf_is_down_is_refused(host: Host, card):
    (host.tree.root / "class/net/enp1s0/flags").write_text("0x1002\n")
    assert "The PF enp1s0 (0000:01:00.0) is down" in host.refusal("passthrough_network", name="n", interfaces=["enp1s0v1"])


def test_the_uuid_of_a_network_cannot_be_changed(host: Host, card):
    host.module("passthrough_network", name="n", pf="enp1s0", uuid="0b2d64da-3d0e-431e-afdd-804415d6ebbb")
    assert "cannot be changed" in host.refusal("passthrough_network", name="n", pf="enp1s0", uuid="0b2d64da-3d0e-431e-afdd-804415d6ebbc")


@pytest.mark.parametrize("check", [True, False])
def test_the_uuid_of_another_network_is_told_with_its_name(host: Host, card, check):
    host.define("<network><name>m</name><uuid>0b2d64da-3d0e-431e-afdd-804415d6ebbb</uuid><bridge name='virbr7'/></network>", start=False)
    for uuid in ("0B2D64DA-3D0E-431E-AFDD-804415D6EBBB", "0b2d64da3d0e431eafdd804415d6ebbb"):
        refusal = host.refusal("passthrough_network", name="n", pf="enp1s0", uuid=uuid, check=check)
        assert refusal == "The network m has the UUID 0b2d64da-3d0e-431e-afdd-804415d6ebbb, so n cannot have it: leave it out."


def test_a_uuid_may_be_written_without_dashes(host: Host, card):
    options = {"name": "n", "pf": "enp1s0", "uuid": "0B2D64DA3D0E431EAFDD804415D6EBBB"}
    host.module("passthrough_network", **options)
    assert not host.module("passthrough_network", **options)["changed"]


def test_a_run_asks_libvirt_a_fixed_number_of_times_and_once_for_each_lease(host: Host, card):
    """And twice for each guest that runs, of which there is none here."""
    warm = Warm(host)

    def calls() -> int:
        with Cut(host) as counter:
            assert not warm.module("passthrough_network", name="n", pf="enp1s0", vfs="0-2", uri=URI)["changed"]
        return counter.calls

    warm.module("passthrough_network", name="n", pf="enp1s0", vfs="0-2")
    alone = calls()
    for guest in range(3):
        warm.lease("n", f"web{guest}", f"52:54:00:00:00:0{guest}")
    assert calls() == alone + 3
    warm.module("passthrough_network", name="other", interfaces=["enp1s0v3"])
    assert calls() == alone + 3 + 3  # whether it runs, its definition, its live XML
    warm.lease("other", "web3", "52:54:00:00:00:03")
    assert calls() == alone + 3 + 3
