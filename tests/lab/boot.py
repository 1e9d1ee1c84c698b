# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring up a laboratory host: the first one of its kind boots and is saved as it stands, all others resume from there."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from . import qemu
from .image import HOUSE, alone, image
from .machine import Machine
from .progress import LabError, say

__all__ = ["Kind", "boot"]

# All units and cards are there, and libvirt has asked QEMU what it can do, which takes seconds without KVM.
SETTLE = "systemctl is-system-running --wait; udevadm settle; ! command -v virsh || virsh domcapabilities --virttype qemu"


class Kind(NamedTuple):
    """What a host is: its Debian release, image, number of SR-IOV cards, memory in MiB, and whether it reaches the network."""

    suite: str = HOUSE
    flavour: str = "full"
    pfs: int = 2
    memory: int = 2048
    online: bool = False

    def __str__(self) -> str:
        return f"{self.suite}, {self.flavour} image, {self.pfs} SR-IOV cards"


def _save(kind: Kind, disks: Path, command: list[str], folder: Path) -> None:
    """Boot a host of this kind on a disk of its own, and keep that disk with the memory as it is when all has settled."""
    unfinished = folder.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    subprocess.run(["cp", "--sparse=always", disks / f"{kind.flavour}.img", unfinished / "disk.img"], check=True)
    machine = Machine(f"{kind.suite}-{folder.name}")  # hosts of two releases may be saved at once
    try:
        say(f"booting the first host of its kind: {kind}")
        machine.start(image(HOUSE) / "root", disks, [*command, *qemu.disk(f"/srv/{unfinished.name}/disk.img", kept=True)], **kind._asdict())
        machine.wait(SETTLE)
        machine.monitor("migrate_set_parameter max-bandwidth 10G")
        machine.monitor(f"migrate file:/srv/{unfinished.name}/memory")
        while "status: completed" not in (progress := machine.monitor("info migrate")):
            if "status: failed" in progress:
                raise LabError(f"saving the state of {machine.name} failed: {progress}")
            time.sleep(0.1)
    finally:
        machine.stop()
    unfinished.rename(folder)
    say("it is saved: from now on hosts of this kind resume within seconds")


def boot(machine: Machine, kind: Kind) -> None:
    """Bring the host up with its services and cards; one that runs is left as it is."""
    if machine.running:
        say(f"{machine.name} is running already")
        return
    disks, house = image(kind.suite), image(HOUSE) / "root"
    acceleration = qemu.accelerator(Path("/proc/cpuinfo").read_text())
    command = qemu.command(acceleration, kind.pfs, kind.memory, kind.online)
    try:
        if acceleration == "kvm":
            # Boots in seconds, and its state would hold good for processors of one model alone.
            say(f"booting {machine.name}: {kind}, kvm")
            machine.start(house, disks, [*command, *qemu.disk(f"/srv/{kind.flavour}.img")], **kind._asdict())
            machine.wait(SETTLE)
        else:
            saved = disks / f"saved-{kind.flavour}-{hashlib.sha256(repr(command).encode()).hexdigest()[:8]}"
            with alone(disks / "saved.lock"):
                if not saved.exists():
                    _save(kind, disks, command, saved)
            say(f"resuming {machine.name}: {kind}")
            memory = ["-incoming", f"file:/srv/{saved.name}/memory"]
            machine.start(house, disks, [*command, *qemu.disk(f"/srv/{saved.name}/disk.img"), *memory], **kind._asdict())
            machine.wait(f"date --set=@{time.time():.0f}")
    except BaseException:
        machine.stop()
        raise
    say(f"{machine.name} is up")
