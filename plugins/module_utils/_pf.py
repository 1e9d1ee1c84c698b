# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: the PFs of a host with their VFs, as the plain dicts that `sriov_vf_facts` returns.

Sources: Documentation/ABI/testing/sysfs-bus-pci and sysfs-class-net of the Linux kernel.
"""

from __future__ import annotations

from typing import Any, Callable, TypeVar

from ansible_collections.vfpool.sriov.plugins.module_utils._pci import is_pci_address, pci_sort_key
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Incomplete, Sysfs

__all__ = ["read_pf", "read_pfs"]

_DEVICES = "bus/pci/devices"
_T = TypeVar("_T")


def read_pfs(sysfs: Sysfs, incomplete: Incomplete) -> list[dict[str, Any]]:
    """Every PF of the host in PCI address order; what cannot be read is None and noted in ``incomplete``."""
    try:
        addresses = sysfs.names(_DEVICES) or []
    except OSError as error:
        incomplete.note("pfs", None, f"{sysfs.root}/{_DEVICES} cannot be read: {error.strerror}")
        return []
    devices = sorted(filter(is_pci_address, addresses), key=pci_sort_key)
    pfs = (read_pf(address, sysfs, incomplete) for address in devices)
    return [pf for pf in pfs if pf is not None]


def read_pf(address: str, sysfs: Sysfs, incomplete: Incomplete) -> dict[str, Any] | None:
    """The PF at a PCI address with its VFs, or None where that device is no PF."""
    read = _Reader(f"{_DEVICES}/{address}", address, sysfs, incomplete)
    if not read.exists("sriov_totalvfs"):
        return None
    name = read.interface()
    pf: dict[str, Any] = {
        "name": name,
        "altnames": None,
        "pci_address": address,
        "driver": read.link("driver", "driver"),
        "vendor_id": read.hexadecimal("vendor_id", "vendor"),
        "device_id": read.hexadecimal("device_id", "device"),
        "vendor": None,
        "model": None,
        "mac": None,
        "permanent_mac": None,
        "mtu": None,
        "operstate": None,
        "speed": None,
        "numa_node": read.number("numa_node", "numa_node"),
        "total_vfs": read.number("total_vfs", "sriov_totalvfs"),
        "num_vfs": read.number("num_vfs", "sriov_numvfs"),
        "vf_offset": read.number("vf_offset", "sriov_offset"),
        "vf_stride": read.number("vf_stride", "sriov_stride"),
        "vf_device_id": read.text("vf_device_id", "sriov_vf_device"),
        "drivers_autoprobe": _flag(read.number("drivers_autoprobe", "sriov_drivers_autoprobe")),
        "vf_total_msix": read.number("vf_total_msix", "sriov_vf_total_msix"),
        "eswitch_mode": None,
        "dev_port": None,
    }
    if name is not None:
        net = f"{read.net}/{name}/"
        pf.update(
            mac=read.text("mac", net + "address"),
            mtu=read.number("mtu", net + "mtu"),
            operstate=read.text("operstate", net + "operstate"),
            speed=read.speed(net + "speed"),
            dev_port=read.number("dev_port", net + "dev_port"),
        )
    pf["vfs"] = _read_vfs(read)
    return pf


def _read_vfs(pf: _Reader) -> list[dict[str, Any]]:
    # Ordered by number: as text, virtfn10 comes before virtfn2.
    indices = sorted(int(name[6:]) for name in pf.names("vfs", "") if name.startswith("virtfn") and name[6:].isdigit())
    return [_read_vf(index, pf) for index in indices]


def _read_vf(index: int, pf: _Reader) -> dict[str, Any]:
    address = pf.link(f"vfs[{index}].pci_address", f"virtfn{index}")
    vf: dict[str, Any] = dict.fromkeys(
        ("index", "pci_address", "name", "driver", "mac", "operstate", "iommu_group", "msix_count", "rdma", "representor", "config", "used_by")
    )
    vf.update(index=index, pci_address=address)
    if address is None:
        return vf
    read = _Reader(f"{_DEVICES}/{address}", pf.pf, pf.sysfs, pf.incomplete, prefix=f"vfs[{index}].")
    vf["name"] = read.interface()
    vf["driver"] = read.link("driver", "driver")
    group = read.link("iommu_group", "iommu_group")
    vf["iommu_group"] = int(group) if group and group.isdigit() else None
    if vf["name"] is not None:
        vf["mac"] = read.text("mac", f"{read.net}/{vf['name']}/address")
        vf["operstate"] = read.text("operstate", f"{read.net}/{vf['name']}/operstate")
    return vf


def _flag(value: int | None) -> bool | None:
    return None if value is None else bool(value)


class _Reader:
    """Reads the properties of one PCI function; a failure is noted and gives None."""

    def __init__(self, base: str, pf: str, sysfs: Sysfs, incomplete: Incomplete, prefix: str = "") -> None:
        self.base, self.pf, self.sysfs, self.incomplete, self.prefix = base, pf, sysfs, incomplete, prefix
        self.net = "net"

    def exists(self, name: str) -> bool:
        return self.sysfs.exists(f"{self.base}/{name}")

    def _read(self, part: str, name: str, read: Callable[[str], _T | None]) -> _T | None:
        try:
            return read(f"{self.base}/{name}")
        except OSError as error:
            self.incomplete.note(self.prefix + part, self.pf, f"{self.sysfs.root}/{self.base}/{name} cannot be read: {error.strerror}")
        except ValueError as error:
            self.incomplete.note(self.prefix + part, self.pf, f"{self.sysfs.root}/{self.base}/{name} holds no number: {error}")
        return None

    def text(self, part: str, name: str) -> str | None:
        return self._read(part, name, self.sysfs.text)

    def link(self, part: str, name: str) -> str | None:
        return self._read(part, name, self.sysfs.link_name)

    def names(self, part: str, name: str) -> list[str]:
        return self._read(part, name, self.sysfs.names) or []

    def number(self, part: str, name: str, base: int = 10) -> int | None:
        def parse(path: str) -> int | None:
            text = self.sysfs.text(path)
            return None if text is None else int(text, base)

        return self._read(part, name, parse)

    def hexadecimal(self, part: str, name: str) -> str | None:
        """An identifier as ``lspci -n`` writes it: four digits without 0x."""
        value = self.number(part, name, 16)
        return None if value is None else f"{value:04x}"

    def speed(self, name: str) -> int | None:
        """Mbit/s; the kernel answers EINVAL or -1 while the link is down, which is no failure to read."""
        try:
            text = self.sysfs.text(f"{self.base}/{name}")
        except OSError:
            return None
        return int(text) if text and text.isdigit() else None

    def interface(self) -> str | None:
        """The function's first network interface (by ``dev_port``); virtio keeps it one level deeper."""
        found = self.names("name", "net")
        if not found:
            deeper = [entry for entry in self.names("name", "") if entry.startswith("virtio")]
            for device in deeper:
                found = self.names("name", f"{device}/net")
                if found:
                    self.net = f"{device}/net"
        if len(found) > 1:
            found.sort(key=lambda entry: (self.number("dev_port", f"{self.net}/{entry}/dev_port") or 0, entry))
        return found[0] if found else None
