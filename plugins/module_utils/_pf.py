# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: the PFs of a host with their VFs, as the plain dicts that `sriov_vf_facts` returns.

Sources: Documentation/ABI/testing/sysfs-bus-pci and sysfs-class-net of the Linux kernel. One pass, and for each VF the
same few system calls whatever the number of VFs: what belongs to many devices (interfaces, RDMA devices) is read once
for the host, and a VF's own folder is never listed.
"""

from __future__ import annotations

import errno
import re
from contextlib import suppress
from typing import Any

from ansible_collections.vfpool.sriov.plugins.module_utils._pci import is_pci_address, pci_sort_key
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Incomplete, Sysfs

__all__ = ["find_pfs", "read_pfs", "read_vfs"]

_DEVICES = "bus/pci/devices"

_PF_KEYS = (
    "name", "altnames", "other_interfaces", "pci_address", "driver", "vendor_id", "device_id", "vendor", "model", "mac", "permanent_mac", "mtu",
    "operstate", "speed", "numa_node", "total_vfs", "num_vfs", "vf_offset", "vf_stride", "vf_device_id", "drivers_autoprobe", "vf_total_msix",
    "eswitch_mode", "dev_port", "vfs",
)  # fmt: skip
_VF_KEYS = (
    "index", "pci_address", "name", "driver", "mac", "operstate", "iommu_group", "msix_count", "rdma", "representor", "config", "used_by",
)  # fmt: skip

# The function that a device of a class stands on; virtio keeps its own device between the two.
_FUNCTION = re.compile(r"/([0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7])(?:/virtio[0-9]+)?/(?:net|infiniband)/[^/]+$")
_VIRTFN = re.compile(r"virtfn([0-9]+)", re.ASCII)
# How devlink calls a port that represents a PF, a VF or a subfunction; those of another host begin with its controller, c1.
_REPRESENTOR = re.compile(r"(c[0-9]+)?(?=[pvs]f)(?:pf[0-9]+)?(?:vf([0-9]+)|sf[0-9]+)?", re.ASCII)
_KERNEL_NAME = re.compile(r"eth[0-9]+", re.ASCII)
_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2})+", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]+", re.ASCII)
_IDENTIFIER = re.compile(r"(?:0x)?([0-9a-f]{1,4})", re.ASCII)
_PERMANENT = 0  # addr_assign_type: NET_ADDR_PERM of linux/netdevice.h
# RFC 2863, as net/core/net-sysfs.c writes them.
_OPERSTATES = frozenset(("unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up"))


def read_pfs(sysfs: Sysfs, incomplete: Incomplete) -> list[dict[str, Any]]:
    """Every PF of the host with its VFs, in PCI address order; what cannot be read is None and noted in ``incomplete``."""
    pfs = find_pfs(sysfs, incomplete)
    for pf in pfs:
        read_vfs(pf, sysfs, incomplete)
    return pfs


def find_pfs(sysfs: Sysfs, incomplete: Incomplete) -> list[dict[str, Any]]:
    """Every PF of the host in PCI address order; of its VFs only what names them, until `read_vfs`."""
    try:
        addresses = sysfs.names(_DEVICES) or []
    except OSError as error:
        incomplete.note("pfs", None, f"{_DEVICES} cannot be read: {error.strerror}")
        return []
    interfaces = _by_function("net", "name", sysfs, incomplete)
    rdma = _by_function("infiniband", "rdma", sysfs, incomplete)
    pfs = []
    # VFs come after their PF, and need not be asked whether they are PFs.
    known_vfs: set[str | None] = set()
    for address in sorted(filter(is_pci_address, addresses), key=pci_sort_key):
        if address not in known_vfs and sysfs.exists(f"{_DEVICES}/{address}/sriov_totalvfs"):
            pf = _read_pf(address, interfaces, rdma, _Reader(address, sysfs, incomplete))
            known_vfs.update(vf["pci_address"] for vf in pf["vfs"])
            pfs.append(pf)
    return pfs


def _by_function(device_class: str, part: str, sysfs: Sysfs, incomplete: Incomplete) -> dict[str, list[str]]:
    """The devices of a class by the PCI address that they stand on: one system call for each, and a few for all."""
    found: dict[str, list[str]] = {}
    folder = f"class/{device_class}"
    try:
        names = sysfs.names(folder) or ()
    except OSError as error:
        incomplete.note(part, None, f"{folder} cannot be read: {error.strerror}")
        return {}
    for name in names:
        try:
            match = _FUNCTION.search(sysfs.link(f"{folder}/{name}") or "")
        except OSError as error:
            if error.errno != errno.EINVAL:  # a file of the class itself, such as bonding_masters
                incomplete.note(part, None, f"{folder}/{name} cannot be read: {error.strerror}")
            continue
        if match:
            found.setdefault(match[1], []).append(name)
    return found


def _read_pf(address: str, interfaces: dict[str, list[str]], rdma: dict[str, list[str]], read: _Reader) -> dict[str, Any]:
    folder = f"{_DEVICES}/{address}"
    autoprobe = read.number("drivers_autoprobe", f"{folder}/sriov_drivers_autoprobe")
    own, representors = _ports(interfaces.get(address, []), read)
    pf: dict[str, Any] = dict.fromkeys(_PF_KEYS)
    pf.update(
        other_interfaces=own[1:],
        pci_address=address,
        driver=read.link_name("driver", f"{folder}/driver"),
        vendor_id=read.identifier("vendor_id", f"{folder}/vendor", required=True),
        device_id=read.identifier("device_id", f"{folder}/device", required=True),
        numa_node=read.number("numa_node", f"{folder}/numa_node"),
        total_vfs=read.number("total_vfs", f"{folder}/sriov_totalvfs", required=True),
        num_vfs=read.number("num_vfs", f"{folder}/sriov_numvfs", required=True),
        vf_offset=read.number("vf_offset", f"{folder}/sriov_offset"),
        vf_stride=read.number("vf_stride", f"{folder}/sriov_stride"),
        vf_device_id=read.identifier("vf_device_id", f"{folder}/sriov_vf_device"),
        drivers_autoprobe=None if autoprobe is None else autoprobe != 0,
        vf_total_msix=read.number("vf_total_msix", f"{folder}/sriov_vf_total_msix"),
    )
    if own:
        net = f"class/net/{own[0]}"
        pf["mac"] = read.mac(f"{net}/address")
        pf.update(
            name=read.settled(own[0]),
            permanent_mac=read.permanent_mac(own[0], pf["mac"]),
            mtu=read.number("mtu", f"{net}/mtu", required=True),
            operstate=read.operstate(f"{net}/operstate"),
            speed=read.speed(f"{net}/speed"),
            dev_port=read.number("dev_port", f"{net}/dev_port"),
        )
    # Ordered by number: as text, virtfn10 comes before virtfn2.
    indices = sorted(int(match[1]) for match in map(_VIRTFN.fullmatch, read.names("vfs", folder)) if match)
    pf["vfs"] = [_find_vf(index, interfaces, rdma, representors, read) for index in indices]
    read.vf = None
    if pf["num_vfs"] is not None and indices != list(range(pf["num_vfs"])):
        read.note("vfs", f"sriov_numvfs is {pf['num_vfs']}, but there are {len(indices)} links to VFs: VFs are just being made or destroyed")
    return pf


def _ports(interfaces: list[str], read: _Reader) -> tuple[list[str], dict[int, str]]:
    """The interfaces on a PF: its own, by ``dev_port`` (a card may have two on one function), and its VFs' representors."""
    if len(interfaces) < 2:
        return interfaces, {}
    own, representors = [], {}
    for name in interfaces:
        match = _REPRESENTOR.fullmatch(read.port_name(f"class/net/{name}/phys_port_name") or "")
        if match is None:
            own.append(name)
        elif match[1] is None and match[2] is not None:
            representors[int(match[2])] = name
    return _by_port(own, read), representors


def _by_port(interfaces: list[str], read: _Reader) -> list[str]:
    return sorted(interfaces, key=lambda name: (read.number("dev_port", f"class/net/{name}/dev_port") or 0, name))


def _find_vf(index: int, interfaces: dict[str, list[str]], rdma: dict[str, list[str]], representors: dict[int, str], read: _Reader) -> dict[str, Any]:
    vf: dict[str, Any] = dict.fromkeys(_VF_KEYS)
    vf["index"] = read.vf = index
    vf["representor"] = representors.get(index)
    address = read.link_name("pci_address", f"{_DEVICES}/{read.pf}/virtfn{index}")
    if address is None or not is_pci_address(address):
        read.note("", "its link of the PF leads to no PCI function")
        return vf
    vf["pci_address"] = address
    if address in rdma:
        vf["rdma"] = rdma[address][0]
    names = interfaces.get(address)
    if names:
        vf["name"] = read.settled(names[0] if len(names) == 1 else _by_port(names, read)[0])
    return vf


def read_vfs(pf: dict[str, Any], sysfs: Sysfs, incomplete: Incomplete) -> None:
    """What sysfs tells of each VF of a PF found by `find_pfs`: seven system calls for each that has an interface, one for others."""
    read = _Reader(pf["pci_address"], sysfs, incomplete)
    bound: dict[str, str] = {}
    for vf in pf["vfs"]:
        if vf["pci_address"] is None:
            continue
        read.vf = vf["index"]
        folder = f"{_DEVICES}/{vf['pci_address']}"
        vf["driver"] = bound.get(vf["pci_address"]) or _driver(folder, bound, read)
        vf["iommu_group"] = read.group(f"{folder}/iommu_group")
        name = vf["name"]
        if name is not None:
            vf["mac"] = read.mac(f"class/net/{name}/address")
            vf["operstate"] = read.operstate(f"class/net/{name}/operstate")
        elif vf["driver"] is None and vf["iommu_group"] is None and not sysfs.exists(folder):
            read.note("", "it went away while it was read")


def _driver(folder: str, bound: dict[str, str], read: _Reader) -> str | None:
    """The driver of a function; with it, ``bound`` learns of every other function that it has, most likely all VFs."""
    name = read.link_name("driver", f"{folder}/driver")
    if name is not None:
        with suppress(OSError):  # then each function is asked
            bound.update(dict.fromkeys(read.sysfs.names(f"bus/pci/drivers/{name}") or (), name))
    return name


class _Reader:
    """Reads properties of a PF or, while ``vf`` is set, of one of its VFs; a failure is noted and gives None."""

    def __init__(self, pf: str, sysfs: Sysfs, incomplete: Incomplete) -> None:
        self.pf, self.sysfs, self.incomplete = pf, sysfs, incomplete
        self.vf: int | None = None

    def note(self, part: str, reason: str) -> None:
        self.incomplete.note(part, self.pf, reason, self.vf)

    def _refused(self, part: str, path: str, error: OSError) -> None:
        self.note(part, f"{_last(path)} cannot be read: {error.strerror}")

    def _strange(self, part: str, path: str, text: str, expected: str) -> None:
        self.note(part, f"{_last(path)} is {text[:40]!r}, which is no {expected}")

    def names(self, part: str, path: str) -> list[str]:
        try:
            return self.sysfs.names(path) or []
        except OSError as error:
            self._refused(part, path, error)
            return []

    def link_name(self, part: str, path: str) -> str | None:
        try:
            return self.sysfs.link_name(path)
        except OSError as error:
            self._refused(part, path, error)
            return None

    def _text(self, part: str, path: str, required: bool = False, refusals: tuple[int, ...] = ()) -> str | None:
        """The content of a file; a ``required`` one is there on every kernel, and ``refusals`` say that it has no content."""
        try:
            text = self.sysfs.text(path)
        except OSError as error:
            if error.errno not in refusals:
                self._refused(part, path, error)
            return None
        if text is None and required:
            self.note(part, f"{_last(path)} does not exist")
        return text

    def number(self, part: str, path: str, required: bool = False, refusals: tuple[int, ...] = ()) -> int | None:
        text = self._text(part, path, required, refusals)
        if text is None or _NUMBER.fullmatch(text):
            return None if text is None else int(text)
        self._strange(part, path, text, "number")
        return None

    def identifier(self, part: str, path: str, required: bool = False) -> str | None:
        """As ``lspci -n`` writes it: four hexadecimal digits."""
        text = self._text(part, path, required)
        if text is None or _IDENTIFIER.fullmatch(text):
            return None if text is None else f"{int(text, 16):04x}"
        self._strange(part, path, text, "identifier")
        return None

    def group(self, path: str) -> int | None:
        name = self.link_name("iommu_group", path)
        if name is None or name.isdigit():
            return None if name is None else int(name)
        self._strange("iommu_group", path, name, "number")
        return None

    def mac(self, path: str) -> str | None:
        text = self._text("mac", path, required=True)
        if text is None or _MAC.fullmatch(text):
            return text
        self._strange("mac", path, text, "MAC address")
        return None

    def permanent_mac(self, interface: str, mac: str | None) -> str | None:
        """Until somebody sets another one, an interface's address is its permanent one; after that ethtool knows it."""
        if mac is not None and self.number("permanent_mac", f"class/net/{interface}/addr_assign_type") == _PERMANENT:
            return mac
        from ansible_collections.vfpool.sriov.plugins.module_utils._ethtool import permanent_mac

        try:
            return permanent_mac(interface)
        except OSError as error:
            self.note("permanent_mac", f"ethtool gives no permanent address: {error.strerror}")
            return None

    def operstate(self, path: str) -> str | None:
        text = self._text("operstate", path, required=True)
        if text is None or text in _OPERSTATES:
            return text
        self._strange("operstate", path, text, "state of a link")
        return None

    def speed(self, path: str) -> int | None:
        """Mbit/s; while the link is down the kernel says EINVAL or -1, which is no failure to read."""
        speed = self.number("speed", path, refusals=(errno.EINVAL,))
        return speed if speed and speed > 0 else None

    def port_name(self, path: str) -> str | None:
        return self._text("representor", path, refusals=(errno.EOPNOTSUPP,))

    def settled(self, name: str) -> str | None:
        """An interface's name, unless udev may still change it: the kernel calls every new interface ethN."""
        if self.sysfs.udev and _KERNEL_NAME.fullmatch(name):
            known = Sysfs(self.sysfs.udev)
            ifindex = self.number("name", f"class/net/{name}/ifindex")
            if known.exists("control") and not known.exists(f"data/n{ifindex}"):
                self.note("name", "udev has not finished with the interface, and may rename it")
                return None
        return name


def _last(path: str) -> str:
    """A file as notes name it: alike for each VF, so that VFs which lack the same share a note."""
    return path.rpartition("/")[2]
