# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring up a laboratory host."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from . import qemu
from .image import HOUSE, image
from .machine import Machine
from .progress import say

__all__ = ["Kind", "boot"]

# All units and cards are there, and libvirt has asked QEMU what it can do, which takes seconds without KVM.
SETTLE = "systemctl is-system-running --wait; udevadm settle; ! command -v virsh || virsh domcapabilities --virttype qemu"


class Kind(NamedTuple):
    """What a host is: its Debian release, image, number of SR-IOV cards, how many VFs one more card can have, memory in MiB,
    and whether it reaches the network.
    """

    suite: str = HOUSE
    flavour: str = "full"
    pfs: int = 2
    vfs: int = 0
    memory: int = 2048
    online: bool = False

    def __str__(self) -> str:
        many = f" and one of {self.vfs} VFs" if self.vfs else ""
        return f"{self.suite}, {self.flavour} image, {self.pfs} SR-IOV cards{many}"


def boot(machine: Machine, kind: Kind) -> None:
    """Boot the host and wait for its services and cards; one that runs is left as it is.

    Resuming hosts from a saved state would take seconds, but then the emulated IOMMU does not survive a reboot,
    and once in a while an interrupt is lost.
    """
    if machine.running:
        say(f"{machine.name} is running already")
        return
    disks, house = image(kind.suite), image(HOUSE) / "root"
    acceleration = qemu.accelerator(Path("/proc/cpuinfo").read_text())
    say(f"booting {machine.name}: {kind}, {acceleration}")
    command = qemu.command(acceleration, f"/srv/{kind.flavour}.img", kind.pfs, kind.vfs, kind.memory, kind.online)
    try:
        machine.start(house, disks, command, **kind._asdict())
        machine.wait(SETTLE)
    except BaseException:
        machine.stop()
        raise
    say(f"{machine.name} is up")
