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
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

from ansible_collections.vfpool.sriov.plugins.module_utils._pci import function_below, is_pci_address, pci_sort_key
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Incomplete, Sysfs

__all__ = ["ALWAYS_TOLD", "find_pfs", "read_vfs"]

# Of so few VFs of a PF rtnetlink has room to tell each: one takes some 300 bytes of 64 KiB.
ALWAYS_TOLD = 128

_DEVICES = "bus/pci/devices"
_Answer = TypeVar("_Answer")

_PF_KEYS = (
    "name", "altnames", "pci_address", "driver", "vendor_id", "device_id", "vendor", "model", "mac", "permanent_mac", "mtu", "operstate", "speed",
    "numa_node", "total_vfs", "num_vfs", "vf_offset", "vf_stride", "vf_device_id", "drivers_autoprobe", "vf_total_msix", "eswitch_mode", "dev_port",
    "vfs",
)  # fmt: skip
_VF_KEYS = (
    "index", "pci_address", "name", "driver", "mac", "operstate", "iommu_group", "msix_count", "rdma", "representor", "config", "used_by",
)  # fmt: skip

_VIRTFN = re.compile(r"virtfn([0-9]+)", re.ASCII)
# How devlink calls a port that represents a PF, a VF or a subfunction; those of another host begin with its controller, c1.
_REPRESENTOR = re.compile(r"(c[0-9]+)?(?=[pvs]f)(?:pf[0-9]+)?(?:vf([0-9]+)|sf[0-9]+)?", re.ASCII)
_KERNEL_NAME = re.compile(r"eth[0-9]+", re.ASCII)
_PERMANENT = 0  # addr_assign_type: NET_ADDR_PERM of linux/netdevice.h


class _Form(NamedTuple):
    """What a file of sysfs holds: the words for it, whether a text is one, and the value that is made of it."""

    words: str
    fits: Callable[[str], Any]
    value: Callable[[str], Any] = str


_NUMBER = _Form("number", re.compile("-?[0-9]+").fullmatch, int)
_FLAG = _NUMBER._replace(value=lambda text: int(text) != 0)
# In Mbit/s; not above 0 while the link is down.
_SPEED = _NUMBER._replace(value=lambda text: int(text) if int(text) > 0 else None)
# As ``lspci -n`` writes it: four hexadecimal digits.
_IDENTIFIER = _Form("identifier", re.compile("(0x)?[0-9a-f]{1,4}").fullmatch, lambda text: f"{int(text, 16):04x}")
_MAC = _Form("MAC address", re.compile("[0-9a-f]{2}(:[0-9a-f]{2})+").fullmatch)
# RFC 2863, as net/core/net-sysfs.c writes them.
_OPERSTATE = _Form("state of a link", {"unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up"}.__contains__)
_PORT_NAME = _Form("name of a port", str.isprintable)

# Key, file and form of what a PF has; and whether every kernel has it.
_OF_PF = (
    ("vendor_id", "vendor", _IDENTIFIER, True),
    ("device_id", "device", _IDENTIFIER, True),
    ("numa_node", "numa_node", _NUMBER, False),
    ("total_vfs", "sriov_totalvfs", _NUMBER, True),
    ("num_vfs", "sriov_numvfs", _NUMBER, True),
    ("vf_offset", "sriov_offset", _NUMBER, False),
    ("vf_stride", "sriov_stride", _NUMBER, False),
    ("vf_device_id", "sriov_vf_device", _IDENTIFIER, False),
    ("drivers_autoprobe", "sriov_drivers_autoprobe", _FLAG, False),
    ("vf_total_msix", "sriov_vf_total_msix", _NUMBER, False),
)
# With these errors the kernel says that there is no value now, which is no failure to read: while the link is down, or of a port without a name.
_NO_VALUE = {"speed": errno.EINVAL, "name": errno.EOPNOTSUPP}
_OF_VF_INTERFACE = (("mac", "address", _MAC, True), ("operstate", "operstate", _OPERSTATE, True))
_OF_PF_INTERFACE = (*_OF_VF_INTERFACE, ("mtu", "mtu", _NUMBER, True), ("speed", "speed", _SPEED, False), ("dev_port", "dev_port", _NUMBER, False))


def find_pfs(sysfs: Sysfs, incomplete: Incomplete) -> list[dict]:
    """Every PF of the host in PCI address order; of its VFs only what names them, until `read_vfs`."""
    host = _Reader(None, sysfs, incomplete)
    addresses = host.ask("pfs", _DEVICES, sysfs.names) or ()
    if not sysfs.exists("bus"):  # which a machine without PCI has, too
        host.note("pfs", f"{sysfs.root} is no sysfs: mount it")
    pfs = []
    # VFs come after their PF, and need not be asked whether they are PFs.
    known_vfs: set[str | None] = set()
    for address in sorted(filter(is_pci_address, addresses), key=pci_sort_key):
        if address not in known_vfs and sysfs.exists(f"{_DEVICES}/{address}/sriov_totalvfs"):
            pf = _read_pf(address, _Reader(address, sysfs, incomplete))
            known_vfs.update(vf["pci_address"] for vf in pf["vfs"])
            pfs.append(pf)
    # After the VFs: one that was just made would lack its interface in a list that is older than itself.
    interfaces, rdma = _by_function("net", "name", host), _by_function("infiniband", "rdma", host)
    for pf in pfs:
        _add_interfaces(pf, interfaces or {}, rdma or {}, _Reader(pf["pci_address"], sysfs, incomplete))
        if interfaces is None:
            pf["altnames"] = None
            for part in ("name", "altnames"):
                host.note(part, "class/net is not there to be read")
    return pfs


def _by_function(device_class: str, part: str, host: _Reader) -> dict[str, list[str]] | None:
    """The devices of a class by the PCI address that they stand on, None without the class: one system call for each, and a few for all."""
    found: dict[str, list[str]] = {}
    folder = f"class/{device_class}"
    names = host.ask(part, folder, host.sysfs.names)
    if names is None:
        return None
    for name in names:
        function = function_below(host.ask(part, f"{folder}/{name}", host.sysfs.place) or "")
        if function:
            found.setdefault(function, []).append(name)
    return found


def _read_pf(address: str, read: _Reader) -> dict:
    folder = f"{_DEVICES}/{address}"
    pf: dict = dict.fromkeys(_PF_KEYS)
    pf.update(pci_address=address, driver=read.link_name("driver", f"{folder}/driver"))
    read.files(pf, folder, _OF_PF)
    # Ordered by number: as text, virtfn10 comes before virtfn2.
    indices = sorted(int(match[1]) for match in map(_VIRTFN.fullmatch, read.ask("vfs", folder, read.sysfs.names) or ()) if match)
    number = pf["num_vfs"]
    if number is None:
        read.note("vfs", f"sriov_numvfs is not known, so there may be more VFs than the {len(indices)} that the PF has links to")
    elif len(indices) != number or indices[-1:] not in ([], [number - 1]):
        read.note("vfs", f"sriov_numvfs is {number}, but there are {len(indices)} links to VFs: some are being made or destroyed, or one was removed by itself")
    pf["vfs"] = [_find_vf(index, read) for index in indices]
    return pf


def _find_vf(index: int, read: _Reader) -> dict:
    vf: dict = dict.fromkeys(_VF_KEYS)
    vf["index"] = read.vf = index
    address = read.link_name("pci_address", f"{_DEVICES}/{read.pf}/virtfn{index}")
    if address is not None and is_pci_address(address):
        vf["pci_address"] = address
    else:
        read.note("", "its link of the PF leads to no PCI function")
    return vf


def _add_interfaces(pf: dict, interfaces: dict[str, list[str]], rdma: dict[str, list[str]], read: _Reader) -> None:
    """The interfaces and RDMA devices of a PF and its VFs."""
    own, representors = _ports(interfaces.get(pf["pci_address"], []), read)
    if own[1:]:
        pf["other_interfaces"] = own[1:]
    if own:
        read.files(pf, f"class/net/{own[0]}", _OF_PF_INTERFACE)
        pf.update(name=read.settled(own[0], "name", "altnames"), permanent_mac=read.permanent_mac(own[0], pf["mac"]))
    else:
        from ansible_collections.vfpool.sriov.plugins.module_utils._interfaces import interfaces_of  # most PFs have one

        pf["altnames"] = []
        if read.ask("name", pf["pci_address"], lambda address: interfaces_of(address, read.sysfs)) == []:
            pf["altnames"] = None
            for part in ("altnames", "mac", "permanent_mac", "mtu", "operstate", "speed", "dev_port"):
                read.note(part, "its interface was moved to another network namespace")
    for vf in pf["vfs"]:
        read.vf = vf["index"]
        vf["representor"] = representors.get(vf["index"])
        vf["rdma"] = rdma.get(vf["pci_address"], [None])[0]
        names = interfaces.get(vf["pci_address"])
        if names:
            vf["name"] = read.settled(_by_port(names, read)[0], "name", "mac", "operstate")


def _ports(interfaces: list[str], read: _Reader) -> tuple[list[str], dict[int, str]]:
    """The interfaces on a PF: its own, by ``dev_port`` (a card may have two on one function), and its VFs' representors."""
    own, representors = [], {}
    for name in interfaces:
        match = _REPRESENTOR.fullmatch(read.file("name", f"class/net/{name}/phys_port_name", _PORT_NAME) or "")
        if match is None:
            own.append(name)
        elif match[1] is None and match[2] is not None:
            representors[int(match[2])] = name
    return _by_port(own, read), representors


def _by_port(interfaces: list[str], read: _Reader) -> list[str]:
    if len(interfaces) < 2:
        return interfaces
    return sorted(interfaces, key=lambda name: (read.file("dev_port", f"class/net/{name}/dev_port", _NUMBER) or 0, name))


def read_vfs(pf: dict, links: dict[str, dict], sysfs: Sysfs, incomplete: Incomplete) -> None:
    """The rest of each VF of a PF found by `find_pfs`: one system call for each, and six more for an interface that is not in ``links``.

    ``links`` are the host's interfaces by name, as ``ip -json`` tells them: the kernel gives the same for all at once that sysfs has for each.
    """
    read = _Reader(pf["pci_address"], sysfs, incomplete)
    bound: dict[str, str] = {}
    for vf in pf["vfs"]:
        if vf["pci_address"] is None:
            continue
        read.vf = vf["index"]
        folder = f"{_DEVICES}/{vf['pci_address']}"
        vf["driver"] = bound.get(vf["pci_address"]) or _driver(folder, bound, read)
        group = f"{folder}/iommu_group"
        vf["iommu_group"] = read.value("iommu_group", group, read.link_name("iommu_group", group), _NUMBER)
        link = links.get(vf["name"], {})
        mac, state = str(link.get("address")), str(link.get("operstate")).lower()
        if _MAC.fits(mac) and _OPERSTATE.fits(state):
            vf.update(mac=mac, operstate=state)
        elif vf["name"] is not None:
            read.files(vf, f"class/net/{vf['name']}", _OF_VF_INTERFACE)
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
    """Reads properties of a PF or, while ``vf`` is set, of one of its VFs, or of the host; a failure is noted and gives None."""

    def __init__(self, pf: str | None, sysfs: Sysfs, incomplete: Incomplete) -> None:
        self.pf, self.sysfs, self.incomplete = pf, sysfs, incomplete
        self.vf: int | None = None

    def note(self, part: str, reason: str) -> None:
        self.incomplete.note(part, self.pf, reason, self.vf)

    def ask(self, part: str, path: str, question: Callable[[str], _Answer | None], no_value: int = 0) -> _Answer | None:
        """The answer to a question of `Sysfs`; with the error number ``no_value`` the kernel says that there is nothing to be read."""
        try:
            return question(path)
        except OSError as error:
            if error.errno != no_value:
                self.note(part, f"{self._named(path)} cannot be read: {error.strerror}")
            return None

    def link_name(self, part: str, path: str) -> str | None:
        return self.ask(part, path, self.sysfs.link_name)

    def files(self, facts: dict, folder: str, files: tuple[tuple[str, str, _Form, bool], ...]) -> None:
        """Set the key of each file of a folder."""
        for key, file, form, required in files:
            facts[key] = self.file(key, f"{folder}/{file}", form, required)

    def file(self, part: str, path: str, form: _Form, required: bool = False) -> Any:
        """What a file says; a ``required`` one is there on every kernel."""
        text = self.ask(part, path, self.sysfs.text, _NO_VALUE.get(part, 0))
        if text is None and required and not self.sysfs.exists(path):
            self.note(part, f"{self._named(path)} does not exist")
        return self.value(part, path, text, form)

    def value(self, part: str, path: str, text: str | None, form: _Form) -> Any:
        """What a text of sysfs means, or None where it has not the form."""
        if text is None or form.fits(text):
            return text and form.value(text)
        self.note(part, f"{self._named(path)} is {text[:40]!r}, which is no {form.words}")
        return None

    def _named(self, path: str) -> str:
        """Of a PF or VF only the file's name, so that VFs which lack the same share a note."""
        return path.rpartition("/")[2] if self.pf else path

    def permanent_mac(self, interface: str, mac: str | None) -> str | None:
        """Until somebody sets another one, an interface's address is its permanent one; after that ethtool knows it."""
        if mac is not None and self.file("permanent_mac", f"class/net/{interface}/addr_assign_type", _NUMBER) == _PERMANENT:
            return mac
        from ansible_collections.vfpool.sriov.plugins.module_utils._ethtool import permanent_mac

        try:
            return permanent_mac(interface)
        except OSError as error:
            self.note("permanent_mac", f"ethtool gives no permanent address: {error.strerror}")
            return None

    def settled(self, name: str, *parts: str) -> str | None:
        """An interface's name, unless udev may still change it, for the kernel calls every new interface ethN: then ``parts`` are not known."""
        if self.sysfs.udev and _KERNEL_NAME.fullmatch(name):
            known = Sysfs(self.sysfs.udev)
            ifindex = self.file("name", f"class/net/{name}/ifindex", _NUMBER)
            if known.exists("control") and not known.exists(f"data/n{ifindex}"):
                for part in parts:
                    self.note(part, "udev has not finished with the interface, and may rename it")
                return None
        return name
