# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds synthetic sysfs trees of SR-IOV hosts on disk.

    tree = Tree(tmp_path)
    pf = tree.pf("enp1s0", "0000:01:00.0", vfs=64)
    pf.vf(3).nameless()
    pf.vf(5).elsewhere()
    pf.remove_vf(4)

Every PCI function is a real directory below `bus/pci/devices`, every interface a real directory below its
function, and all links are relative: so the subdirectories can be mounted one by one over those of /sys, and
changed from outside while a daemon looks at them. What sysfs does not know (alternative names, permanent MAC
addresses, VF configuration) is not here either.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

# The part of the kernel's directory tree that exists on every host, with or without SR-IOV.
SKELETON = ("bus/pci/devices", "bus/pci/drivers", "bus/virtio/drivers", "class/net", "class/infiniband", "kernel/iommu_groups")

# Reading this file fails with EIO for every user, root included, as a sysfs file of a dying device does.
UNREADABLE = "/proc/self/mem"


def _write(folder: str, files: dict[str, object]) -> None:
    for name, content in files.items():
        if content is not None:
            # Bare system calls: a tree of 4096 VFs has 70 000 files, and open() costs as much as the rest together.
            file = os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            os.write(file, os.fsencode(f"{content}\n"))
            os.close(file)


def _routing_id(address: str, distance: int) -> str:
    """The PCI address that lies `distance` functions after `address` in the same domain."""
    domain, bus, slot, function = re.split("[:.]", address)
    number = (int(bus, 16) << 8 | int(slot, 16) << 3 | int(function)) + distance
    if number > 0xFFFF:
        raise ValueError(f"{distance} functions after {address} lies beyond the last bus")
    return f"{domain}:{number >> 8:02x}:{number >> 3 & 31:02x}.{number & 7}"


class Tree:
    """A sysfs of one host. `root` takes the place of /sys."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self.functions: dict[str, Function] = {}
        self._last = {"ifindex": 1, "iommu_group": 0, "virtio": -1}
        for folder in SKELETON:
            (self.root / folder).mkdir(parents=True, exist_ok=True)

    def next(self, kind: str) -> int:
        """The next number of the kind that the kernel counts up: ifindex, iommu_group, virtio."""
        self._last[kind] += 1
        return self._last[kind]

    def function(self, address: str, **options: object) -> Function:
        """A PCI function without SR-IOV; options as of `Function`."""
        self.functions[address] = Function(self, address, **options)  # type: ignore[arg-type]
        return self.functions[address]

    def pf(self, name: str | None, address: str, *, vfs: int = 0, **options: object) -> PF:
        """A PF with its VFs; `name=None` for a PF without an interface. Options as of `PF` and `Function`."""
        pf = PF(self, address, name=name, **options)  # type: ignore[arg-type]
        self.functions[address] = pf
        return pf.resize(vfs)

    def virtual(self, name: str, **files: object) -> Tree:
        """An interface that stands on no device: lo, a bridge, a macvtap."""
        folder = self.root / "class/net" / name
        folder.mkdir()
        index = self.next("ifindex")
        _write(str(folder), {"ifindex": index, "uevent": f"INTERFACE={name}\nIFINDEX={index}", "operstate": "up", **files})
        return self

    def clear(self) -> Tree:
        """Take every device away, so that the tree is as after its making; its folders stay, they may be mounted."""
        for folder in SKELETON:
            for entry in os.scandir(self.root / folder):
                shutil.rmtree(entry.path) if entry.is_dir(follow_symlinks=False) else os.unlink(entry.path)
        self.functions.clear()
        return self


class Function:
    """One PCI function; its methods change it in place and return it, so that calls can be chained."""

    def __init__(self, tree: Tree, address: str, *, name: str | None = None, driver: str | None = "igb", vendor: str = "0x8086",
                 device: str = "0x10c9", pci_class: str = "0x020000", numa_node: int = 0, iommu_group: int | None = -1,
                 mac: str | None = None, mtu: int = 1500, operstate: str = "up", speed: int | None = 1000, dev_port: int = 0,
                 virtio: bool = False) -> None:
        """`iommu_group`: -1 for one of its own, None for a host without IOMMU. `virtio`: interfaces lie below `virtioN/`."""
        self.tree, self.address, self.name = tree, address, name
        self.path = f"{tree.root}/bus/pci/devices/{address}"
        self._port = {"mac": mac, "mtu": mtu, "operstate": operstate, "speed": speed, "dev_port": dev_port}
        self.virtio = f"virtio{tree.next('virtio')}" if virtio else ""
        os.mkdir(self.path)
        os.symlink("../..", f"{self.path}/subsystem")
        _write(self.path, {
            "vendor": vendor, "device": device, "class": pci_class, "numa_node": numa_node,
            "uevent": f"PCI_CLASS={pci_class[2:].lstrip('0').upper()}\nPCI_ID={vendor[2:].upper()}:{device[2:].upper()}\n"
                      f"PCI_SLOT_NAME={address}",
        })
        self.bound_to(driver)
        if self.virtio:
            os.mkdir(f"{self.path}/{self.virtio}")
            self._link_driver(f"{self.path}/{self.virtio}", "virtio", "virtio_net")
        if iommu_group is not None:
            self.grouped(tree.next("iommu_group") if iommu_group == -1 else iommu_group)
        if name is not None:
            self.named(name)

    @property
    def folder(self) -> Path:
        return Path(self.path)

    @property
    def net(self) -> Path:
        """The folder that holds the function's interfaces."""
        return self.folder / self.virtio / "net"

    def write(self, **files: object) -> Function:
        """Set files of the function, such as `numa_node=1`."""
        _write(self.path, files)
        return self

    # Interfaces

    def named(self, name: str, **port: object) -> Function:
        """Give the function an interface; for a second one: `named("enp1s0d1", dev_port=1, phys_port_id="0a1b")`.

        Known: mac, and every file of an interface in sysfs (mtu, operstate, speed, dev_port, phys_switch_id …).
        """
        known = {**self._port, **port}
        mac = known.pop("mac")
        above = f"{self.path}/{self.virtio}" if self.virtio else self.path
        os.makedirs(f"{above}/net/{name}")
        folder = f"{above}/net/{name}"
        index = self.tree.next("ifindex")
        _write(folder, {
            "address": mac or f"52:54:{index >> 24 & 255:02x}:{index >> 16 & 255:02x}:{index >> 8 & 255:02x}:{index & 255:02x}",
            "addr_assign_type": 0, "dev_id": "0x0", "flags": "0x1003" if known["operstate"] == "up" else "0x1002",
            "ifindex": index, "iflink": index, "type": 1, "uevent": f"INTERFACE={name}\nIFINDEX={index}", **known,
        })
        os.symlink(f"../../../{os.path.basename(above)}", f"{folder}/device")
        os.symlink(f"../..{folder[len(str(self.tree.root)):]}", f"{self.tree.root}/class/net/{name}")
        os.symlink(f"{'../' * (folder.count('/') - str(self.tree.root).count('/'))}class/net", f"{folder}/subsystem")
        return self

    def elsewhere(self) -> Function:
        """The interfaces were moved to another network namespace: the `net` folder stays, empty."""
        for entry in os.scandir(self.net):
            os.unlink(f"{self.tree.root}/class/net/{entry.name}")
            shutil.rmtree(entry.path)
        return self

    def nameless(self) -> Function:
        """No interface and no `net` folder, as without the card's own driver."""
        if self.net.is_dir():
            self.elsewhere()
            self.net.rmdir()
        return self

    def renamed(self, name: str) -> Function:
        """The first interface has another name, as after udev or after the administrator."""
        old = min(os.listdir(self.net))
        files = {entry.name: Path(entry.path).read_text(encoding="utf-8").rstrip("\n")
                 for entry in os.scandir(self.net / old) if entry.is_file() and entry.name not in ("ifindex", "iflink", "uevent")}
        os.unlink(f"{self.tree.root}/class/net/{old}")
        shutil.rmtree(self.net / old)
        self.net.rmdir()
        return self.named(name, mac=files.pop("address"), **files)

    # Drivers and the rest of the hardware

    def bound_to(self, driver: str | None) -> Function:
        """Bind to a driver (None: to none). An interface goes with the card's own driver: see `nameless`."""
        self._link_driver(self.path, "pci", driver)
        return self

    def _link_driver(self, folder: str, bus: str, driver: str | None) -> None:
        device = os.path.basename(folder)
        if os.path.lexists(f"{folder}/driver"):
            os.unlink(f"{folder}/driver")
            self._unlink_from_drivers(bus, device)
        if driver is not None:
            home = f"{self.tree.root}/bus/{bus}/drivers/{driver}"
            os.makedirs(home, exist_ok=True)
            up = "../" * (folder.count("/") - str(self.tree.root).count("/"))
            os.symlink(f"{up}bus/{bus}/drivers/{driver}", f"{folder}/driver")
            os.symlink(f"../../../../{folder[len(str(self.tree.root)) + 1 :]}", f"{home}/{device}")

    def _unlink_from_drivers(self, bus: str, device: str) -> None:
        for driver in os.listdir(f"{self.tree.root}/bus/{bus}/drivers"):
            if os.path.lexists(f"{self.tree.root}/bus/{bus}/drivers/{driver}/{device}"):
                os.unlink(f"{self.tree.root}/bus/{bus}/drivers/{driver}/{device}")

    def grouped(self, group: int) -> Function:
        """Put the function into an IOMMU group."""
        home = f"{self.tree.root}/kernel/iommu_groups/{group}"
        os.makedirs(f"{home}/devices", exist_ok=True)
        os.symlink(f"../../../../bus/pci/devices/{self.address}", f"{home}/devices/{self.address}")
        os.symlink(f"../../../../kernel/iommu_groups/{group}", f"{self.path}/iommu_group")
        return self

    def vectors(self, count: int) -> Function:
        """Give the function a configuration space with so many MSI-X vectors, as its second capability."""
        space = bytearray(256)
        space[0x06], space[0x34] = 0x10, 0x40
        space[0x40:0x44], space[0x50:0x54] = bytes([0x01, 0x50, 3, 0]), bytes([0x11, 0, count - 1 & 0xFF, 0x80 | count - 1 >> 8])
        (self.folder / "config").write_bytes(space)
        return self

    def rdma(self, name: str) -> Function:
        """Give the function an InfiniBand or RoCE device."""
        os.makedirs(f"{self.path}/infiniband/{name}")
        os.symlink(f"../../bus/pci/devices/{self.address}/infiniband/{name}", f"{self.tree.root}/class/infiniband/{name}")
        return self

    # Damage; files are named relative to the function, such as "numa_node" or "net/enp1s0/speed"

    def unreadable(self, *files: str) -> Function:
        """Reading these files fails (EIO), whoever reads."""
        for file in files:
            self.absent(file)
            os.symlink(UNREADABLE, f"{self.path}/{file}")
        return self

    def malformed(self, *files: str, content: bytes = b"\xff not what you expect \x00\n") -> Function:
        """These files hold what the kernel would never write."""
        for file in files:
            self.absent(file)
            (self.folder / file).write_bytes(content)
        return self

    def absent(self, *files: str) -> Function:
        """These files, links or folders are not there, as with an older kernel."""
        for file in files:
            path = self.folder / file
            if file == "driver":
                self._unlink_from_drivers("pci", self.address)
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        return self

    def _vanish(self) -> None:
        self.nameless()
        self._unlink_from_drivers("pci", self.address)
        if os.path.lexists(f"{self.path}/iommu_group"):
            group = f"{self.path}/" + os.readlink(f"{self.path}/iommu_group")
            os.unlink(f"{group}/devices/{self.address}")
        for name in os.listdir(f"{self.path}/infiniband") if os.path.isdir(f"{self.path}/infiniband") else ():
            os.unlink(f"{self.tree.root}/class/infiniband/{name}")
        shutil.rmtree(self.path)
        del self.tree.functions[self.address]


class PF(Function):
    """A physical function. VFs lie `offset` and then every `stride` functions after it."""

    def __init__(self, tree: Tree, address: str, *, name: str | None = None, total: int | None = None, offset: int = 128, stride: int = 2,
                 vf_name: str | None = "{pf}v{index}", vf_device: str = "0x10ca", vf_driver: str | None = "igbvf",
                 vf_total_msix: int | None = 0, **options: object) -> None:
        """`total`: how many VFs the card can have (default: as many as it has at first). `vf_name=None`: no interfaces."""
        super().__init__(tree, address, name=name, **options)  # type: ignore[arg-type]
        self.total, self.offset, self.stride = total, offset, stride
        self._vf_name = vf_name.replace("{pf}", name or f"p{address}") if vf_name else None
        self._vf_options: dict[str, object] = {
            **{key: value for key, value in options.items() if key in ("vendor", "numa_node", "mtu", "speed", "virtio", "pci_class")},
            "device": vf_device, "driver": vf_driver,
            "iommu_group": None if options.get("iommu_group", -1) is None else -1,
        }
        self.vfs: dict[int, Function] = {}
        _write(self.path, {"sriov_drivers_autoprobe": 1, "sriov_offset": offset, "sriov_stride": stride,
                           "sriov_vf_device": vf_device[2:], "sriov_vf_total_msix": vf_total_msix})

    def vf(self, index: int) -> Function:
        return self.vfs[index]

    def resize(self, number: int) -> PF:
        """Destroy every VF and make `number` new ones, as writing to `sriov_numvfs` does."""
        for index in list(self.vfs):
            self.remove_vf(index)
        self.total = number if self.total is None else self.total
        for index in range(number):
            self.add_vf(index)
        _write(self.path, {"sriov_totalvfs": self.total, "sriov_numvfs": number})
        return self

    def add_vf(self, index: int) -> Function:
        """Make one VF: of a new PF, or one that was removed and comes back."""
        address = _routing_id(self.address, self.offset + index * self.stride)
        name = self._vf_name.format(index=index) if self._vf_name else None
        vf = self.tree.function(address, name=name, **self._vf_options)
        os.symlink(f"../{self.address}", f"{vf.path}/physfn")
        os.symlink(f"../{address}", f"{self.path}/virtfn{index}")
        self.vfs[index] = vf
        return vf

    def remove_vf(self, index: int) -> PF:
        """Take one VF away and leave `sriov_numvfs` alone: a gap, as while VFs are being made or destroyed."""
        self.vfs.pop(index)._vanish()
        os.unlink(f"{self.path}/virtfn{index}")
        return self
