# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command that runs a laboratory host: a PC with an IOMMU, a management card and real SR-IOV cards."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["accelerator", "command"]

# The rest of the machine has none of its own: no screen, no disk controller, no USB.
MACHINE = "q35,kernel-irqchip=split,usb=off,vmport=off,smbus=off,sata=off"
KERNEL_ARGUMENTS = "root=/dev/vda rw console=ttyS0 intel_iommu=on mitigations=off"
MANAGEMENT_MAC = "52:54:00:12:34:56"


def accelerator(cpuinfo: str, device: Path = Path("/dev/kvm")) -> str:
    """KVM where it works: a processor that offers it, and a device that opens. The device alone proves nothing."""
    if not {"vmx", "svm"} & set(cpuinfo.split()):
        return "tcg,thread=multi"
    try:
        os.close(os.open(device, os.O_RDWR))
    except OSError:
        return "tcg,thread=multi"
    return "kvm"


def _processor(acceleration: str) -> str:
    """All that KVM's processor has but virtualization; emulated, one without AVX: the C library would use that, and emulated it is slow."""
    return "max,svm=off,vmx=off" if acceleration == "kvm" else "Nehalem"


def _pf(number: int) -> list[str]:
    """An Intel 82576 with 7 VFs, in a slot of its own, so that it is called enp<number>s0."""
    port, network = f"port{number}", f"pf{number}"
    return [
        *("-device", f"pcie-root-port,id={port},slot={number}"),
        *("-netdev", f"user,id={network},restrict=on"),
        *("-device", f"igb,netdev={network},bus={port},mac=52:54:00:aa:00:{number:02x}"),
    ]


def _many_vfs(number: int, vfs: int) -> list[str]:
    """A virtio card with up to 255 VFs, in the slot after the Intel cards. Its VFs come first; they reach no network. Needs QEMU 10.1."""
    port, network, card = f"port{number}", f"pf{number}", f"card{number}"
    functions = [f"virtio-net-pci,bus={port},addr=0x{index >> 3:x}.0x{index & 7:x},sriov-pf={card}" for index in range(1, vfs + 1)]
    return [
        *("-device", f"pcie-root-port,id={port},slot={number}"),
        *("-netdev", f"user,id={network},restrict=on"),
        *(word for function in functions for word in ("-device", function)),
        *("-device", f"virtio-net-pci,id={card},netdev={network},bus={port},mac=52:54:00:aa:00:{number:02x}"),
    ]


def command(acceleration: str, disk: str, pfs: int, vfs: int, memory: int, online: bool) -> list[str]:
    """QEMU's arguments for one kind of host, which finds its image in /srv and its own folder in /mnt.

    It has ``pfs`` Intel cards and, with ``vfs``, a virtio card of so many VFs.

    All that the host writes on its disk goes into a nameless file that ends with the process.

    An ``online`` host reaches what this machine reaches; any other is reached by ssh and reaches nothing.
    ssh listens on a free port of QEMU's choice: ask its monitor.
    """
    return [
        *("qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none"),
        *("-M", MACHINE, "-accel", acceleration, "-cpu", _processor(acceleration), "-smp", "2", "-m", str(memory)),
        *("-kernel", "/srv/kernel", "-initrd", "/srv/initrd", "-append", KERNEL_ARGUMENTS),
        *("-serial", "file:/mnt/console.log", "-qmp", "unix:/mnt/qmp,server=on,wait=off"),
        *("-device", "intel-iommu,intremap=on,caching-mode=on"),
        *("-drive", f"file={disk},format=raw,if=none,id=disk,cache=unsafe,snapshot=on", "-device", "virtio-blk-pci,drive=disk"),
        *("-netdev", f"user,id=management,hostfwd=tcp:127.0.0.1:0-:22,restrict={'off' if online else 'on'}"),
        *("-device", f"virtio-net-pci,netdev=management,mac={MANAGEMENT_MAC}"),
        *(argument for number in range(1, pfs + 1) for argument in _pf(number)),
        *(_many_vfs(pfs + 1, vfs) if vfs else ()),
    ]
