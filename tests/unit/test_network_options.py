# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.vfpool.sriov.plugins.filter.passthrough_network_xml import passthrough_network_xml

PF = {"name": "n", "pf": "enp1s0"}


def test_the_filter_renders_the_options_of_the_module():
    assert "<tag id='5'/>" in passthrough_network_xml({**PF, "vlan": 5})


def test_a_whole_document_goes_through_and_gets_its_name_from_the_option():
    text = passthrough_network_xml({"name": "n", "xml": "<network><forward mode='vepa'><pf dev='enp1s0'/></forward></network>"})
    assert text == "<network>\n  <name>n</name>\n  <forward mode='vepa'>\n    <pf dev='enp1s0'/>\n  </forward>\n</network>\n"


def test_a_uuid_is_the_same_in_any_spelling():
    uuid = "261117d6-aecc-4266-a838-aeb30837632d"
    document = f"<network><name>n</name><uuid>{uuid}</uuid><forward mode='passthrough'><pf dev='p'/></forward></network>"
    assert uuid in passthrough_network_xml({"name": "n", "uuid": uuid.upper(), "xml": document})


def test_an_openvswitch_bridge_may_carry_a_trunk():
    document = (
        "<network><name>n</name><forward mode='bridge'/><bridge name='ovs0'/><virtualport type='openvswitch'/>"
        "<portgroup name='all'><vlan trunk='yes'><tag id='1'/><tag id='2'/></vlan></portgroup></network>"
    )
    assert "trunk='yes'" in passthrough_network_xml({"name": "n", "xml": document})


@pytest.mark.parametrize(
    "content",
    [
        "<forward mode='passthrough'><pf dev='p'/></forward><dns/>",
        "<forward mode='passthrough'><pf dev='p'/></forward><dns enable='yes' forwardPlainNames='no'><forwarder addr='192.0.2.1'/></dns>",
        "<forward mode='passthrough'><pf dev='p'/></forward><uuid>0b2d64da3d0e431eafdd804415d6ebbb</uuid>",
        "<forward mode='bridge'/><bridge name='b'/><portgroup name='g'><bandwidth><inbound average='1'/></bandwidth></portgroup>",
    ],
)
def test_documents_that_libvirt_takes_as_they_are_go_through(content):
    assert passthrough_network_xml({"name": "n", "xml": f"<network><name>n</name>{content}</network>"})


def virtualport(kind, **parameters):
    return {**PF, "virtualport": {"type": kind, **parameters}}


UUID = "09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f"


@pytest.mark.parametrize(
    "options",
    [
        virtualport("802.1Qbg", managerid=255, typeid=0xFFFFFF, typeidversion=0, instanceid=UUID),
        virtualport("802.1Qbh", profileid="x" * 39),
        virtualport("802.1Qbh", profileid=" a  b "),
        {**PF, "portgroups": [{"name": "a\\b:c/d.e_F-1"}]},
        {"name": "n", "xml": "<network><forward mode='vepa'><pf dev='p'/></forward>"
            "<virtualport type='802.1Qbg'><parameters managerid='0x0b' typeid='0x123457' typeidversion='02'/></virtualport></network>"},
    ],
)
def test_what_the_schema_of_libvirt_allows_goes_through(options):
    assert passthrough_network_xml(options)


REFUSED = {
    "name": [
        ({"name": "a/b", "pf": "p"}, "'a/b' is no name for a network"),
        ({"name": " ", "pf": "p"}, "is no name for a network"),
        ({**PF, "uuid": "12"}, "UUID '12' of network n is malformed"),
        ({**PF, "uuid": ""}, "UUID '' of network n is malformed"),
        ({**PF, "uuid": " 0b2d64da-3d0e-431e-afdd-804415d6ebbb"}, "is malformed"),
        ({"name": "a\rb", "pf": "p"}, "is no name for a network"),
        ({**PF, "title": "a\rb"}, "title of network n is not one line of text"),
        ({**PF, "title": "a\nb"}, "title of network n is not one line of text"),
    ],
    "pool": [
        ({"name": "n"}, "one of the following is required: pf, interfaces, addresses, xml"),
        ({**PF, "interfaces": ["a"]}, "mutually exclusive"),
        ({"name": "n", "interfaces": []}, "empty pool"),
        ({"name": "n", "interfaces": ["a", "b", "a"]}, "a is in the pool of network n twice"),
        ({"name": "n", "addresses": ["01:10.0", "0000:01:10.0"], "mode": "hostdev"}, "0000:01:10.0 is in the pool of network n twice"),
        ({"name": "n", "addresses": ["enp1s0v0"], "mode": "hostdev"}, "'enp1s0v0' is no PCI address"),
        ({"name": "n", "addresses": ["0000:01:10.0"]}, "mode passthrough hands out interfaces"),
        ({"name": "n", "interfaces": ["a"], "mode": "hostdev"}, "mode hostdev hands out PCI devices"),
        ({"name": "n", "pf": "../net/pf0"}, "is no interface name"),
        ({"name": "n", "interfaces": ["averyveryverylongname"]}, "is no interface name"),
    ],
    "ports": [
        ({**PF, "vlan": 5, "mode": "vepa"}, "mode vepa cannot set one"),
        ({**PF, "vlan": 4095}, "VLAN 4095 of network n does not exist"),
        ({**PF, "vlan": -1}, "VLAN -1 of network n does not exist"),
        ({**PF, "portgroups": [{"name": "g", "vlan": 4095}]}, "VLAN 4095 of port group g of network n"),
        ({**PF, "portgroups": [{"name": "g"}, {"name": "g"}]}, "two port groups named g"),
        ({**PF, "portgroups": [{"name": "g", "default": True}, {"name": "h", "default": True}]}, "more than one default port group"),
        ({**PF, "virtualport": {"type": "openvswitch"}}, "virtualport of type openvswitch"),
        *((virtualport("802.1Qbg", managerid=number), f"The managerid of network n is '{number}': write 0 to 255.") for number in (-1, 256, 2**70)),
        (virtualport("802.1Qbg", typeid=2**24), "write 0 to 16777215"),
        (virtualport("802.1Qbg", instanceid="zz"), "write 8-4-4-4-12 hexadecimal digits"),
        *((virtualport("802.1Qbh", profileid=text), "write one line of 1 to 39 bytes") for text in ("", "x" * 40, "é" * 20, "a\nb", "a\tb")),
        *((virtualport("802.1Qbh", profileid=text), "without a tab, <, & or '.") for text in ("R&D", "a<b", "it's")),
        (virtualport("802.1Qbh", managerid=1), "has the parameter managerid, which a virtualport of type 802.1Qbh has not: it has profileid."),
        ({**PF, "portgroups": [{"name": "g", "virtualport": {"type": "802.1Qbg", "profileid": "x"}}]}, "group g of network n has the parameter profileid"),
        *(({**PF, "portgroups": [{"name": name}]}, f"{name!r} is no name for a port group of network n") for name in ("", " ", "a b", "é", "a\nb")),
        ({**PF, "virtualport": {"type": "802.1Qbg"}, "mode": "hostdev"}, "use 802.1Qbh"),
        ({**PF, "virtualport": {"type": "802.1Qbh"}, "vlan": 5, "mode": "hostdev"}, "both a VLAN and a virtualport"),
        ({**PF, "vlan": 5, "mode": "hostdev", "portgroups": [{"name": "g", "virtualport": {"type": "802.1Qbh"}}]}, "group g of network n has both a VLAN and"),
        ({**PF, "virtualport": {"type": "802.1Qbh"}, "mode": "hostdev", "portgroups": [{"name": "g", "vlan": 5}]}, "group g of network n has both a VLAN and"),
        ({**PF, "portgroups": [{"name": "g", "vlan": 5, "virtualport": {"type": "802.1Qbg"}}]}, "but for no port group"),
        ({**PF, "vlan": 5, "portgroups": [{"name": "g", "virtualport": {"type": "802.1Qbg"}}]}, "but for no port group"),
        (
            {**PF, "virtualport": {"type": "802.1Qbh"}, "portgroups": [{"name": "g", "virtualport": {"type": "802.1Qbg"}}]},
            "group g has a virtualport with type 802.1Qbg, its network one with 802.1Qbh",
        ),
        (
            {**PF, "virtualport": {"type": "802.1Qbg", "managerid": 1}, "portgroups": [{"name": "g", "virtualport": {"type": "802.1Qbg", "managerid": 2}}]},
            "virtualport with managerid 2, its network one with 1, so no guest of the group would start",
        ),
        ({**PF, "port_isolated": True}, "works on a Linux bridge alone"),
        ({**PF, "managed": True}, "mode hostdev alone"),
        ({**PF, "driver": "vfio"}, "mode hostdev alone"),
        ({**PF, "driver": "kvm", "mode": "hostdev"}, "must be one of: vfio"),
        ({**PF, "title": "a\x07"}, "title has a control character"),
        ({**PF, "portgroups": [{"name": "a\x00"}]}, "name has a control character"),
        ({**PF, "virtualport": {"type": "802.1Qbh", "profileid": "\x1b"}}, "profileid has a control character"),
        ({"name": "n", "xml": "<network><forward mode='passthrough'><pf dev='p'/></forward></network>\0<rest"}, "xml has a control character"),
        ({"name": "ü" * 124, "pf": "p"}, "too long for a network, of which libvirt names files: write at most 247 bytes"),
        ({"name": "n\x01", "xml": "<network><forward mode='passthrough'><pf dev='p'/></forward></network>"}, "name has a control character"),
    ],
    "document": [
        ("<forward mode='passthrough'><pf dev='p'/><interface dev='v'/></forward>", "names both interfaces and pf, and libvirt would silently drop pf"),
        ("<forward mode='hostdev' managed='Yes'><pf dev='p'/></forward>", "managed of network n is 'Yes', which libvirt takes for no"),
        ("<forward mode='nat'/>", "forward mode nat, which hands out no devices"),
        ("", "has no forward mode"),
        *((f"<title>{title}</title><forward mode='passthrough'><pf dev='p'/></forward>", "The title of network n is not one line of text: leave it out")
          for title in ("  ", "", "\t", "\u3000", "a&#10;b")),
        ("<forward mode='passthrough' dev='w'><interface dev='v'/></forward>", "has dev w at its <forward>, which can only be the first of its interfaces"),
        ("<forward mode='hostdev'><address type='usb' bus='1' device='2'/></forward>", "lists an address of type usb, and only PCI devices are handed out"),
        ("<forward mode='passthrough'><pf dev='p'/></forward><vlan/>", "has a <vlan> without a <tag>"),
        ("<title>a</title>", "has no forward mode, which hands out no devices"),
        ("<forward mode='passthrough'/>", "empty pool"),
        ("<forward mode='passthrough'><pf dev='p'/></forward><vlan trunk='yes'><tag id='1'/><tag id='2'/></vlan>", "VLAN trunk"),
        ("<forward mode='passthrough'><pf dev='p'/></forward><ip address='10.0.0.1'/>", "has <ip>"),
        ("<forward mode='passthrough'><nat/><pf dev='p'/></forward>", "has <forward/nat>"),
        *((f"<forward mode='passthrough'><pf dev='p'/></forward><dns><{record}/></dns>", f"has <dns/{record}>") for record in ("host", "txt", "srv")),
        ("<forward mode='passthrough'><pf dev='p'/></forward><portgroup name='g'><bandwidth/></portgroup>", "has <bandwidth>"),
        ("<forward mode='passthrough'><interface/></forward>", "'' in the pool of network n is no interface name"),
        *((f"<forward mode='passthrough'><pf dev='p'/></forward><vlan><tag id='{tag}'/></vlan>", f"The VLAN {tag} of network n does not exist")
          for tag in ("²", "٣", "0x5", "4095", "9" * 5000)),
        ("<forward mode='bridge'><pf dev='p'/></forward><bridge name='b'/>", "names a bridge"),
        ("<forward mode='hostdev'><address type='pci' bus='zz'/></forward>", "The bus 'zz' of a PCI address is no number"),
        ("<forward mode='hostdev'><pf dev='p'/><driver name='kvm'/></forward>", "Linux no longer has"),
    ],
}


@pytest.mark.parametrize(("options", "words"), [*REFUSED["name"], *REFUSED["pool"], *REFUSED["ports"]])
def test_options_that_libvirt_would_bend_or_fail_on_are_refused_in_one_sentence(options, words):
    with pytest.raises(AnsibleFilterError) as caught:
        passthrough_network_xml(options)
    assert words in str(caught.value)


@pytest.mark.parametrize(("content", "words"), REFUSED["document"])
def test_documents_that_libvirt_would_bend_or_fail_on_are_refused_in_one_sentence(content, words):
    with pytest.raises(AnsibleFilterError) as caught:
        passthrough_network_xml({"name": "n", "xml": f"<network><name>n</name>{content}</network>"})
    assert words in str(caught.value)


def test_the_name_in_a_document_must_be_the_name_in_the_option():
    with pytest.raises(AnsibleFilterError, match="The xml says name a, but the option name says n"):
        passthrough_network_xml({"name": "n", "xml": "<network><name>a</name></network>"})


def test_what_becomes_of_the_network_on_a_host_makes_no_difference_to_its_definition():
    assert passthrough_network_xml({**PF, "state": "present", "active": False, "refresh": "idle", "uri": "qemu:///session"}) == passthrough_network_xml(PF)


def test_the_filter_does_not_guess_the_names_of_vfs():
    with pytest.raises(AnsibleFilterError, match="vfs is 0-3, but the names of a PF's VFs are known on its host alone"):
        passthrough_network_xml({**PF, "vfs": "0-3"})
