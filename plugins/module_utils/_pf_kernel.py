# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: what is written to the kernel for one PF, and its refusals in words.

Source: Documentation/PCI/pci-iov-howto.rst and drivers/pci/iov.c of the Linux kernel.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from ansible_collections.vfpool.sriov.plugins.module_utils._carrier import wait_for_carrier
from ansible_collections.vfpool.sriov.plugins.module_utils._command import in_turn
from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError, Unreadable
from ansible_collections.vfpool.sriov.plugins.module_utils._link import read_link, vf_configs
from ansible_collections.vfpool.sriov.plugins.module_utils._pci import describe_pf
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Sysfs
from ansible_collections.vfpool.sriov.plugins.module_utils._udev import VfWatch
from ansible_collections.vfpool.sriov.plugins.module_utils._vf_attributes import set_attributes, settings

__all__ = ["PfKernel"]

_WHY_NO_VFS = {
    errno.ENOMEM: "the firmware left no room for them: switch on SR-IOV and ARI in the BIOS, or boot with pci=realloc",
    errno.ERANGE: "the card or its firmware has fewer",
    errno.ENOENT: "the PF has no driver, or one that makes no VFs: load the card's own driver",
    errno.EBUSY: "the driver holds on to the VFs that there are, or is being reset: see journalctl -k",
    errno.EPERM: "the driver forbids it now: see journalctl -k",
    errno.EIO: "the card did not answer: see journalctl -k",
    errno.EOPNOTSUPP: "the driver does not do that in the PF's present mode: see journalctl -k",
}
# Seconds that a link takes at most to find its speed after it was switched on or after the card made VFs.
_CARRIER = 15


class PfKernel:
    """The kernel's side of one PF. Each method does one thing at once and raises SriovError when the kernel refuses."""

    def __init__(self, pf: dict, run: Callable[..., tuple[int, str, str]], timeout: float = 120, sysfs: Sysfs | None = None) -> None:
        self.sysfs = sysfs or Sysfs()
        self._pf = pf
        self._run = run
        self._timeout = timeout
        self._folder = f"bus/pci/devices/{pf['pci_address']}"
        self._ours = False  # whether the VFs that are there now were made by this run

    def is_up(self) -> bool:
        """Whether the link is switched on, which is not whether it has a carrier."""
        return bool(int(self.sysfs.text(f"class/net/{self._pf['name']}/flags") or "0", 16) & 1)

    def mtu_limits(self) -> tuple[int, int | None]:
        """The least and the most MTU that the driver takes; None where it names no limit."""
        link = self._link()
        return link.get("min_mtu", 0), link.get("max_mtu") or None

    def may_write(self) -> bool:
        return os.access(f"{self.sysfs.root}/{self._folder}/sriov_numvfs", os.W_OK)

    def num_vfs(self) -> int:
        return int(self.sysfs.text(f"{self._folder}/sriov_numvfs") or 0)

    def set_drivers_autoprobe(self, value: bool) -> None:
        try:
            self.sysfs.write(f"{self._folder}/sriov_drivers_autoprobe", str(int(value)))
        except OSError as error:
            raise SriovError(f"{describe_pf(self._pf)} refuses drivers_autoprobe {value}: {error.strerror}.") from error

    def destroy_vfs(self) -> None:
        try:
            self.sysfs.write(f"{self._folder}/sriov_numvfs", "0")
        except OSError as error:
            raise SriovError(f"{describe_pf(self._pf)} does not let go of its VFs ({error.strerror}): see journalctl -k for the driver's reason.") from error
        self._ours = False

    def make_vfs(self, count: int) -> None:
        """Make ``count`` VFs on a PF without any, and return when udev is done with each of them.

        The kernel counts a write as done although fewer came about, so the number is read back. It does so, too, where
        somebody else has made just as many: hence the look before, without which they would pass for ours.
        """
        with VfWatch(self._pf["pci_address"], self.sysfs) as watch:
            self._refuse_vfs_of_others()
            try:
                self._ours = True
                self.sysfs.write(f"{self._folder}/sriov_numvfs", str(count))
            except OSError as error:
                if error.errno == errno.EBUSY:
                    self._ours = False
                    self._refuse_vfs_of_others()
                why = _WHY_NO_VFS.get(error.errno or 0, "see journalctl -k for the driver's reason")
                raise SriovError(f"{describe_pf(self._pf)} refuses to make {count} VFs ({error.strerror}): {why}{watch.kernel_words()}.") from error
            made = self.num_vfs()
            if made != count:
                raise SriovError(
                    f"{describe_pf(self._pf)} made {made} of {count} VFs: ask for {made}, or give the card more room in the BIOS{watch.kernel_words()}."
                )
            watch.wait(range(count), self._timeout)

    def put_vfs_back(self, count: int) -> bool:
        """Undo what ``destroy_vfs`` and ``make_vfs`` did, from wherever they stopped; whether VFs were made for that.

        VFs that this run did not make are left alone: their makers may have given them to guests.
        """
        present = self.num_vfs()
        if present == count:
            return False
        if not self._ours:
            self._refuse_vfs_of_others()
        if present:
            self.destroy_vfs()
        if count:
            self.make_vfs(count)
        return bool(count)

    def _refuse_vfs_of_others(self) -> None:
        present = self.num_vfs()
        if present:
            raise SriovError(f"{describe_pf(self._pf)} has {present} VFs that somebody else made during this run, and keeps them: run it again.")

    def set_eswitch_mode(self, mode: str) -> None:
        self._command(["devlink", "dev", "eswitch", "set", f"pci/{self._pf['pci_address']}", "mode", mode], f"eswitch_mode {mode}")

    def set_link(self, option: str, value: str) -> None:
        """``ip link set dev NAME OPTION VALUE``, where ``link`` stands for the bare words ``up`` and ``down``."""
        words = [value] if option == "link" else [option, value]
        self._command(["ip", "link", "set", "dev", self._pf["name"], *words], f"{option} {value}")

    def set_attributes(self, wanted: dict[int, dict]) -> None:
        """Bring the attributes of VFs (index to `config` of the facts, as far as declared) to what is wanted, in one process."""
        if not wanted:
            return
        wrong = settings(vf_configs(self._link()), wanted)
        if any(setting.values.get("max_tx_rate") for setting in wrong):
            wait_for_carrier(f"{self.sysfs.root}/class/net/{self._pf['name']}", min(self._timeout, _CARRIER))
        set_attributes(self._pf, wrong, self._run)

    def mac_is_given(self, vf: dict) -> bool:
        """Whether a VF has its admin MAC from an administrator; a driver may show the one that a VF has chosen for itself.

        An address that the VF itself does not use must have been given; one that it uses, only if it counts as permanent.
        """
        admin_mac = vf["config"]["mac"]
        if admin_mac == "00:00:00:00:00:00":
            return False
        chosen = vf["mac"] == admin_mac and self.sysfs.text(f"class/net/{vf['name']}/addr_assign_type") != "0"
        return not chosen

    def _link(self) -> dict:
        try:
            return read_link(self._pf["name"], in_turn(self._run))
        except Unreadable as error:
            raise SriovError(f"How {describe_pf(self._pf)} is set up cannot be read: {str(error).rstrip('.')}.") from error

    def _command(self, command: list[str], setting: str) -> None:
        try:
            code, _out, err = self._run(command)
        except OSError as error:
            raise SriovError(f"The command {command[0]} does not run ({error.strerror}): install iproute2.") from error
        if code != 0:
            reason = err.strip().replace("RTNETLINK answers: ", "").replace("Error: ", "").rstrip(".") or f"{command[0]} exited with {code}"
            raise SriovError(f"{describe_pf(self._pf)} refuses {setting}: {reason}.")
