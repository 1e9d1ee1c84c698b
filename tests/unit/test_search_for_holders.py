# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is found in any one place, or cannot be looked at there, reaches `used_by` of the VF that it is about."""

from __future__ import annotations

import ctypes
import fcntl
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils import _guests, _namespaces
from ansible_collections.vfpool.sriov.plugins.module_utils._claims import holder
from ansible_collections.vfpool.sriov.plugins.module_utils._holders import add_holders, without_repetition
from ansible_collections.vfpool.sriov.plugins.module_utils._pf import find_pfs, read_vfs
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Incomplete, Sysfs
from ansible_collections.vfpool.sriov.tests.sysfs_tree import Tree
from ansible_collections.vfpool.sriov.tests.unit.test_libvirt_rpc import ANSWERS, Reply, daemon, number, reply, text
from ansible_collections.vfpool.sriov.tests.unit.test_namespaces import Kernel, attribute, message
from ansible_collections.vfpool.sriov.tests.unit.test_namespaces import number as kernels_number

NO_GUESTS = {283: number(0), 273: number(0)}


def libvirt(**documents: str) -> Reply:
    """A libvirt with the `port` or the running `guest` of a document, or with neither."""
    answers = {**ANSWERS, **NO_GUESTS}
    if "port" in documents:
        answers |= {283: ANSWERS[283], 409: text(documents["port"])}
    if "guest" in documents:
        answers |= {273: ANSWERS[273], 14: text(documents["guest"])}
    return lambda procedure, serial: reply(procedure, serial, answers[procedure])


def search(tree: Tree, monkeypatch: pytest.MonkeyPatch, links: list[dict], said: Reply | None = None) -> tuple[list[Any], dict[str, str]]:
    """Who uses each VF of the first PF where ip tells of these links, and why some of that is not known."""
    sysfs, incomplete = Sysfs(str(tree.root)), Incomplete()
    pfs = find_pfs(sysfs, incomplete)
    read_vfs(pfs[0], {}, sysfs, incomplete)
    with daemon(said or libvirt()) as sockets:
        monkeypatch.setattr(_guests, "_SOCKETS", sockets)
        monkeypatch.setattr(_namespaces, "_PROC", sockets)
        add_holders(pfs, {link["ifname"]: link for link in links}, sysfs, incomplete)
    return [vf["used_by"] for vf in pfs[0]["vfs"]], {entry["part"]: entry["reason"] for entry in incomplete.entries() if "used_by" in entry["part"]}


def links_of(tree: Tree, **changes: dict) -> list[dict]:
    """Every interface of the tree as ip tells it, with an index, and what is said of some by name."""
    names = sorted(entry.name for entry in (tree.root / "class/net").iterdir())
    return [{"ifname": name, "ifindex": int((tree.root / f"class/net/{name}/ifindex").read_text()), **changes.get(name, {})} for name in names]


@pytest.fixture
def blue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Another network namespace. Who enters it stays in ours, so what the kernel says in there is to be told: a link, or an interface's PCI address."""
    (tmp_path / "netns").mkdir()
    (tmp_path / "netns/blue").symlink_to("/proc/self/ns/net")
    monkeypatch.setattr(_namespaces, "_NAMED", str(tmp_path / "netns"))
    really_open, really_ask = socket.socket, fcntl.ioctl

    def tell(lower: int = 0, kind: str = "", address: str = "") -> None:
        class Inside(Kernel):
            said = message(88, bytes(4) + attribute(1, kernels_number(0)))  # by which number it knows our namespace

        Inside.lower, Inside.kind = lower, kind.encode()

        def ask(file: Any, code: int, request: bytes) -> Any:
            name, buffer = struct.unpack("16sP", request)
            if name.rstrip(b"\0") != b"eth0":
                return really_ask(file, code, request)
            return ctypes.memmove(buffer + 100, address.encode(), len(address))

        monkeypatch.setattr(socket, "socket", lambda family=-1, *rest, **more: (Inside if family == socket.AF_NETLINK else really_open)(family, *rest, **more))
        monkeypatch.setattr(socket, "if_nameindex", lambda: [(5, "eth0")] if address else [])
        monkeypatch.setattr(fcntl, "ioctl", ask)

    return tell


@pytest.fixture
def card(tree: Tree) -> Tree:
    tree.pf("enp1s0", "0000:01:00.0", vfs=2, iommu_group=None)  # so that no process is looked at
    return tree


# The host's own links


def test_where_ip_gives_no_list_no_vf_with_an_interface_is_known_to_be_free(card: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    card.functions["0000:01:10.2"].nameless()
    assert search(card, monkeypatch, []) == ([None, []], {"vfs[0].used_by": "ip gave no list of the host's links"})


@pytest.mark.parametrize(
    "nonsense", [{"addr_info": [5]}, {"addr_info": [{"family": "inet"}]}, {"link": ["v0"]}], ids=["no object", "without an address", "a link of two"]
)
def test_where_a_link_makes_no_sense_no_vf_is_known_to_be_free(card: Tree, monkeypatch: pytest.MonkeyPatch, nonsense: dict) -> None:
    reason = "ip gave a list of links that makes no sense"
    assert search(card, monkeypatch, links_of(card, enp1s0=nonsense)) == ([None, None], {"vfs[0-1].used_by": reason})


def test_a_vf_is_held_by_what_its_second_interface_is_a_port_of(card: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a card with two ports on one function gives one to each VF for each port."""
    card.functions["0000:01:10.2"].named("enp1s0v1d1", dev_port=1)
    second = {"master": "br0", "parentdev": "0000:01:10.2"}
    assert search(card, monkeypatch, links_of(card, enp1s0v1d1=second)) == ([[], [holder("host", "br0")]], {})


def test_a_vf_is_held_by_what_names_it_by_its_altname(card: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    port = "<networkport><owner><name>web1</name><uuid>u</uuid></owner><plug type='direct' dev='wan0'/></networkport>"
    links = links_of(card, enp1s0v1={"altnames": ["wan0"]}, enp1s0v0={"altnames": None})
    assert search(card, monkeypatch, links, libvirt(port=port)) == ([[], [holder("libvirt_port", "web1", "u", "pool")]], {})


# Guests and what the kernel itself drives


def test_the_guest_on_a_macvtap_is_named_where_its_document_has_another_name_of_the_vf(card: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    interface = "<interface type='direct'><source dev='oldname'/><target dev='macvtap0'/></interface>"
    guest = f"<domain><name>db1</name><uuid>d</uuid><devices>{interface}</devices></domain>"
    card.virtual("macvtap0")
    links = links_of(card, macvtap0={"link": "enp1s0v1", "linkinfo": {"info_kind": "macvtap"}})
    assert search(card, monkeypatch, links, libvirt(guest=guest)) == ([[], [holder("libvirt_domain", "db1", "d")]], {})


def test_a_process_is_told_beside_a_guest_that_does_not_run() -> None:
    process, guest = holder("vfio", "pid 4711 (dpdk-testpmd)"), holder("libvirt_domain", "web1", "u", active=False)
    assert without_repetition([guest, process], {}) == [guest, process]
    running = holder("libvirt_domain", "web1", "u")
    assert without_repetition([running, process], {}) == [running]


def test_a_vf_that_virtio_vdpa_drives_is_held_by_the_host(card: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    vf = card.functions["0000:01:10.2"].nameless()
    (vf.folder / "vdpa7").mkdir()
    (card.root / "bus/vdpa/devices").mkdir(parents=True)
    (card.root / "bus/vdpa/devices/vdpa7").symlink_to(f"../../../bus/pci/devices/{vf.address}/vdpa7")
    (vf.folder / "vdpa7/driver").symlink_to("../../../../bus/vdpa/drivers/virtio_vdpa")
    assert search(card, monkeypatch, links_of(card)) == ([[], [holder("host", "vdpa7")]], {})


def test_a_vf_whose_address_is_not_known_is_not_known_to_be_free(card: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    link = Path(card.functions["0000:01:00.0"].path, "virtfn1")
    link.unlink()
    link.symlink_to("../nowhere")
    assert search(card, monkeypatch, links_of(card)) == ([[], None], {"vfs[1].used_by": "its PCI address is not known"})


def test_a_network_card_that_has_no_interface_is_no_disk_whose_users_are_not_looked_for(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as InfiniBand without IPoIB, which verbs alone use."""
    tree.pf("ib0", "0000:01:00.0", vfs=1, driver="mlx5_core", pci_class="0x020700", vf_driver="mlx5_core", vf_name=None, iommu_group=None)
    assert search(tree, monkeypatch, links_of(tree)) == ([[]], {})


def test_where_the_device_files_of_verbs_cannot_be_listed_no_vf_is_known_to_be_free(card: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    (card.root / "class/infiniband_verbs").symlink_to("infiniband_verbs")
    reason = "the device files of RDMA and vDPA are not known: Too many levels of symbolic links"
    assert search(card, monkeypatch, links_of(card)) == ([None, None], {"vfs[0-1].used_by": reason})


@pytest.mark.parametrize("folder", ["net", "vfio-dev", "uio"])
def test_a_nameless_vf_whose_folder_cannot_be_read_is_not_known_to_be_free(card: Tree, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    vf = card.functions["0000:01:10.2"].nameless().bound_to("vfio-pci")
    (vf.folder / folder).symlink_to(folder)
    used_by, why = search(card, monkeypatch, links_of(card))
    assert used_by == [[], None]
    assert why["vfs[1].used_by"] == f"{card.root}/bus/pci/devices/0000:01:10.2 cannot be read: Too many levels of symbolic links"


@pytest.mark.parametrize("driver", ["vfio-pci", "uio_pci_generic", "igb_uio", "pci-stub", "pciback"])
def test_a_disk_that_was_handed_to_user_space_and_is_not_open_is_free(tree: Tree, monkeypatch: pytest.MonkeyPatch, driver: str) -> None:
    tree.pf(None, "0000:01:00.0", vfs=1, driver="nvme", pci_class="0x010802", vf_driver=driver, vf_name=None, iommu_group=None)
    assert search(tree, monkeypatch, [{"ifname": "lo"}]) == ([[]], {})


# Other network namespaces


@pytest.mark.parametrize(
    ("kind", "held"),
    [
        *((kind, [holder("macvtap", "eth0 in blue")]) for kind in ("macvtap", "macvlan", "ipvtap", "ipvlan")),
        *((kind, [holder("netns", "blue")]) for kind in ("vlan", "macsec")),
        # The index of a tunnel's lower link is its own, and that of a veth its other end's.
        *((kind, []) for kind in ("veth", "gre", "sit", "")),
    ],
)
def test_a_device_in_another_namespace_holds_the_vf_that_it_stands_on(
    card: Tree, monkeypatch: pytest.MonkeyPatch, blue: Callable[..., None], kind: str, held: list
) -> None:
    links = links_of(card)
    (lower,) = (link["ifindex"] for link in links if link["ifname"] == "enp1s0v1")
    blue(lower, kind)
    assert search(card, monkeypatch, links) == ([[], held], {})


@pytest.mark.parametrize("ip_answers", [True, False])
def test_a_device_in_another_namespace_on_a_link_that_ip_does_not_tell_of_holds_none(
    card: Tree, monkeypatch: pytest.MonkeyPatch, blue: Callable[..., None], ip_answers: bool
) -> None:
    blue(99, "macvlan")
    used_by, _why = search(card, monkeypatch, links_of(card) if ip_answers else [])
    assert used_by == [[] if ip_answers else None] * 2


def test_an_interface_that_was_moved_is_held_by_the_namespace_that_has_it(
    card: Tree, monkeypatch: pytest.MonkeyPatch, blue: Callable[..., None]
) -> None:
    card.functions["0000:01:10.2"].elsewhere()
    blue(address="0000:01:10.2")
    assert search(card, monkeypatch, links_of(card)) == ([[], [holder("netns", "blue")]], {})
