# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils._leases import member_of, parse_port
from ansible_collections.vfpool.sriov.plugins.module_utils._network_pool import fit, is_exclusive
from ansible_collections.vfpool.sriov.plugins.module_utils._network_xml import parse_network

PFS = [{"name": "enp1s0", "vfs": [{"name": "enp1s0v0", "pci_address": "0000:01:10.0"}, {"name": None, "pci_address": "0000:01:10.2"}]}]
MACVTAP = "<plug type='direct' dev='{}' mode='passthrough'/>"
VFIO = "<plug type='hostdev-pci'><address domain='0x0000' bus='0x01' slot='0x10' function='{}'/></plug>"


def lease(plug: str):
    return parse_port(f"<networkport><uuid>u</uuid><owner><name>web1</name><uuid>o</uuid></owner><mac address='m'/>{plug}<vlan/></networkport>")


@pytest.mark.parametrize(
    ("plug", "mode", "members", "here"),
    [
        (MACVTAP.format("enp1s0v0"), "hostdev", ["0000:01:10.0"], {"type": "hostdev-pci", "address": "0000:01:10.0", "mode": "hostdev"}),
        (VFIO.format("0x0"), "passthrough", ["enp1s0v0"], {"type": "direct", "interface": "enp1s0v0", "mode": "passthrough"}),
        (MACVTAP.format("enp1s0v0"), "bridge", ["enp1s0v0"], {"type": "direct", "interface": "enp1s0v0", "mode": "bridge"}),
    ],
)
def test_a_lease_goes_along_under_the_name_and_mode_of_its_new_pool(plug, mode, members, here):
    before = lease(plug)
    taken = fit(mode, members, PFS)(before) or {}
    assert taken["plug"] == here
    assert {**taken, "plug": None, "xml": None} == {**before, "plug": None, "xml": None}
    assert "<vlan/>" in taken["xml"]


@pytest.mark.parametrize(
    ("plug", "mode", "members"),
    [
        (MACVTAP.format("enp1s0v0"), "passthrough", ["enp1s0v1"]),
        (MACVTAP.format("enp1s0v0"), "hostdev", ["0000:01:10.2"]),
        (VFIO.format("0x2"), "passthrough", ["enp1s0v0"]),
        ("", "passthrough", ["enp1s0v0"]),
    ],
)
def test_a_pool_without_the_vf_does_not_take_the_lease(plug, mode, members):
    assert fit(mode, members, PFS)(lease(plug)) is None


@pytest.mark.parametrize("members", [["enp1s0v0"], None])
def test_a_lease_that_fits_stays_the_very_same(members):
    before = lease(MACVTAP.format("enp1s0v0"))
    assert fit("passthrough", members, None)(before) is before
    assert member_of(before) == "enp1s0v0"


QBH = "<virtualport type='802.1Qbh'/>"


@pytest.mark.parametrize(
    ("mode", "rest", "portgroup", "exclusive"),
    [
        ("passthrough", "", None, True),
        ("hostdev", "", None, True),
        ("private", "", None, False),
        ("private", QBH, None, True),
        ("private", "<virtualport type='802.1Qbg'/>", None, False),
        ("private", f"<portgroup name='g'>{QBH}</portgroup>", None, False),
        ("private", f"<portgroup name='g'>{QBH}</portgroup>", "g", True),
        ("private", f"<portgroup name='g' default='yes'>{QBH}</portgroup><portgroup name='h'/>", None, True),
        ("private", f"<portgroup name='g' default='yes'>{QBH}</portgroup><portgroup name='h'/>", "h", False),
        ("vepa", QBH, None, False),
        ("bridge", "", None, False),
    ],
)
def test_which_guests_share_a_member(mode, rest, portgroup, exclusive):
    network = parse_network(f"<network><name>n</name><forward mode='{mode}'><pf dev='enp1s0'/></forward>{rest}</network>")
    assert is_exclusive(network, portgroup) == exclusive
