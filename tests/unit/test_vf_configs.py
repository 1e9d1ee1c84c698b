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
# Seen on a real card by the authors of Parallel Virtual Cluster (github.com/parallelvirtualcluster/pvc, node-daemon/pvcnoded/Daemon.py).
SEEN_BY_PVC = """{"vf":3,"link_type":"ether","address":"00:00:00:00:00:00","broadcast":"ff:ff:ff:ff:ff:ff","vlan_list":[{"vlan":101,"qos":2}],
  "rate":{"max_tx":0,"min_tx":0},"spoofchk":true,"link_state":"auto","trust":false,"query_rss_en":false}"""
# What a real card's kernel sent, as iproute2 6.1 prints it; the message is in github.com/rust-netlink/netlink-packet-route, src/link/tests/sriov.rs.
SENT_BY_A_KERNEL = """{"vf":1,"link_type":"ether","address":"de:48:e1:e0:bb:ec","broadcast":"ff:ff:ff:ff:ff:ff","vlan_list":[{}],
  "rate":{"max_tx":0,"min_tx":0},"spoofchk":true,"link_state":"auto","trust":false,"query_rss_en":false}"""
# Of the remaining ones nobody published the JSON. The attributes are those of a real card where one is named, else what the kernel defines;
# and iproute2 6.1, given a message with these attributes, prints just this, but for the two of older releases.
# Mellanox: github.com/danm-cni/danm/issues/246
MLX5 = """{"vf":0,"link_type":"ether","address":"00:00:00:00:00:00","broadcast":"ff:ff:ff:ff:ff:ff","vlan_list":[{"vlan":10}],
  "rate":{"max_tx":0,"min_tx":0},"spoofchk":false,"link_state":"auto","trust":false,"query_rss_en":false}"""
# A card of a Dell server, whose driver has no switch for the RSS configuration: github.com/canonical/lxd/issues/14879
WITHOUT_RSS = """{"vf":1,"link_type":"ether","address":"02:00:01:01:28:13","broadcast":"ff:ff:ff:ff:ff:ff","vlan_list":[{"vlan":128}],
  "rate":{"max_tx":0,"min_tx":0},"spoofchk":false,"link_state":"auto","trust":false}"""
# A limited rate.
LIMITED = """{"vf":0,"link_type":"ether","address":"00:00:00:00:00:00","broadcast":"ff:ff:ff:ff:ff:ff","vlan_list":[{"vlan":101,"qos":2}],
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
        (SEEN_BY_PVC, {"vlan": 101, "qos": 2, "query_rss": False}),
        (SENT_BY_A_KERNEL, {"mac": "de:48:e1:e0:bb:ec", "query_rss": False}),
        (MLX5, {"vlan": 10, "spoofchk": False, "query_rss": False}),
        (WITHOUT_RSS, {"mac": "02:00:01:01:28:13", "vlan": 128, "spoofchk": False}),
        (LIMITED, {"vlan": 101, "qos": 2, "max_tx_rate": 500, "query_rss": False}),
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
    ids=[
        "igb", "seen by PVC", "sent by a kernel", "mlx5", "without RSS", "limited rate", "802.1ad", "guaranteed rate", "InfiniBand",
        "iproute2 before 5.3", "Linux before 4.9", "address alone",
    ],
)
def test_what_ip_says_of_a_vf_is_its_configuration_and_nothing_is_made_up(said: str, differs: dict) -> None:
    entry = json.loads(said)
    assert vf_configs({"vfinfo_list": [entry]}) == {entry["vf"]: {**NOTHING_SET, **differs}}


@pytest.mark.parametrize("link", [{}, {"vfinfo_list": []}, {"vfinfo_list": [{}]}])
def test_without_a_list_of_vfs_there_is_no_configuration(link: dict) -> None:
    assert vf_configs(link) == {}
