# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `ip -json -details` says of VFs, in the forms of several drivers and releases, and what becomes of it."""

from __future__ import annotations

import json

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils._link import vf_configs

NO_MAC = "00:00:00:00:00:00"
NOTHING_SET = {
    "mac": NO_MAC, "vlan": 0, "qos": 0, "vlan_proto": "802.1Q", "spoofchk": True, "trust": False, "link_state": "auto",
    "min_tx_rate": 0, "max_tx_rate": 0, "query_rss": None,
}  # fmt: skip

# Seen on an emulated Intel 82576 under Linux 6.12 with iproute2 6.15.
IGB = """{"vf":0,"link_type":"ether","address":"00:00:00:00:00:00","broadcast":"ff:ff:ff:ff:ff:ff","vlan_list":[{}],
  "rate":{"max_tx":0,"min_tx":0},"spoofchk":true,"link_state":"auto","trust":false}"""
# The remaining ones are what print_vfinfo() of iproute2 (ip/ipaddress.c) writes for a driver that tells the attribute at all.
# ixgbe has the switch for the RSS configuration, too.
IXGBE = """{"vf":0,"link_type":"ether","address":"00:00:00:00:00:00","broadcast":"ff:ff:ff:ff:ff:ff","vlan_list":[{"vlan":101,"qos":2}],
  "tx_rate":500,"rate":{"max_tx":500,"min_tx":0},"spoofchk":true,"link_state":"auto","trust":false,"query_rss_en":false}"""
# A service VLAN, which i40e, ice and mlx5 take.
STACKED = """{"vf":0,"link_type":"ether","address":"02:00:00:00:00:01","broadcast":"ff:ff:ff:ff:ff:ff",
  "vlan_list":[{"vlan":7,"protocol":"802.1ad"}],"rate":{"max_tx":0,"min_tx":0},"spoofchk":false,"link_state":"disable","trust":true}"""
# A guaranteed rate, as mlx5 has it.
GUARANTEED = """{"vf":0,"link_type":"ether","address":"02:00:00:00:00:01","broadcast":"ff:ff:ff:ff:ff:ff","vlan_list":[{}],
  "tx_rate":2000,"rate":{"max_tx":2000,"min_tx":100},"spoofchk":false,"link_state":"enable","trust":false,"query_rss_en":true}"""
# On InfiniBand (IPoIB on mlx5) addresses have 20 bytes, and GUIDs take the place of the MAC address; since iproute2 5.5.
INFINIBAND = """{"vf":0,"link_type":"infiniband","address":"00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00",
  "broadcast":"00:ff:ff:ff:ff:12:40:1b:ff:ff:00:00:00:00:00:00:ff:ff:ff:ff","vlan_list":[{}],"rate":{"max_tx":0,"min_tx":0},"spoofchk":false,
  "node guid":"00:11:22:33:44:55:66:77","port guid":"77:66:55:44:33:22:11:00","link_state":"disable","trust":false,"query_rss_en":false}"""
# Before iproute2 5.3 the address was called mac, and before Linux 4.9 there was no list of VLANs.
BEFORE_5_3 = '{"vf":0,"mac":"02:00:00:00:00:01","vlan_list":[{"vlan":7}],"rate":{"max_tx":0,"min_tx":0},"spoofchk":true}'
BEFORE_4_9 = '{"vf":0,"mac":"02:00:00:00:00:01","vlan":7,"qos":2,"spoofchk":true}'
# A driver that tells of nothing but the address; for what a driver leaves at -1, ip writes no key.
BARE = '{"vf":0,"link_type":"ether","address":"02:00:00:00:00:01","broadcast":"ff:ff:ff:ff:ff:ff","vlan_list":[{}],"rate":{"max_tx":0,"min_tx":0}}'
UNTOLD = {"spoofchk": None, "trust": None, "link_state": None}


@pytest.mark.parametrize(
    ("said", "differs"),
    [
        (IGB, {}),
        (IXGBE, {"vlan": 101, "qos": 2, "max_tx_rate": 500, "query_rss": False}),
        (STACKED, {"mac": "02:00:00:00:00:01", "vlan": 7, "vlan_proto": "802.1ad", "spoofchk": False, "trust": True, "link_state": "disable"}),
        (
            GUARANTEED,
            {"mac": "02:00:00:00:00:01", "spoofchk": False, "link_state": "enable", "min_tx_rate": 100, "max_tx_rate": 2000, "query_rss": True},
        ),
        (INFINIBAND, {"mac": ":".join(["00"] * 20), "spoofchk": False, "link_state": "disable", "query_rss": False}),
        (BEFORE_5_3, {"mac": "02:00:00:00:00:01", "vlan": 7, "trust": None, "link_state": None}),
        (BEFORE_4_9, {"mac": "02:00:00:00:00:01", "vlan": 7, "qos": 2, "trust": None, "link_state": None, "min_tx_rate": None, "max_tx_rate": None}),
        (BARE, {"mac": "02:00:00:00:00:01", **UNTOLD}),
    ],
    ids=["igb", "ixgbe", "802.1ad", "guaranteed rate", "InfiniBand", "iproute2 before 5.3", "Linux before 4.9", "address alone"],
)
def test_what_ip_says_of_a_vf_is_its_configuration_and_nothing_is_made_up(said: str, differs: dict) -> None:
    assert vf_configs({"vfinfo_list": [json.loads(said)]}) == {0: {**NOTHING_SET, **differs}}


@pytest.mark.parametrize("link", [{}, {"vfinfo_list": []}, {"vfinfo_list": [{}]}])
def test_without_a_list_of_vfs_there_is_no_configuration(link: dict) -> None:
    assert vf_configs(link) == {}
