# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: waiting until udev is done with new VFs, so that their names are final."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable

from ansible_collections.vfpool.sriov.plugins.module_utils._endings import Ended
from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._interfaces import has_interface, interfaces_of, is_infiniband, is_network_card
from ansible_collections.vfpool.sriov.plugins.module_utils._kernel_log import KernelLog
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Sysfs

__all__ = ["VfWatch", "settle"]

_DEVICES = "bus/pci/devices"
# Bytes: 256 VFs make some 2000 events of about 1 KiB, more than the socket's usual 208 KiB.
_BUFFER = 16 * 1024 * 1024


def settle(pf_address: str, indices: Iterable[int], sysfs: Sysfs, timeout: float) -> None:
    """Return when udev is done with these VFs, or after ``timeout`` seconds; what it is not done with then, whoever looks next finds out."""
    with VfWatch(pf_address, sysfs) as watch:
        try:
            watch.wait(indices, timeout)
        except Ended:
            raise
        except SriovError:
            pass


class VfWatch:
    """Listens to udev from before VFs are made until each of them is ready.

    A new VF's interface appears as ``eth0`` and udev renames it moments later. The events of the monitor's source
    ``udev`` (not ``kernel``) are sent when udev is done with a device, its name included.
    """

    def __init__(self, pf_address: str, sysfs: Sysfs | None = None) -> None:
        import pyudev

        self._pyudev = pyudev
        self._sysfs = sysfs or Sysfs()
        self._pf = pf_address
        self._log = KernelLog()
        self._context = pyudev.Context()
        self._monitor = pyudev.Monitor.from_netlink(self._context, source="udev")
        for subsystem in ("net", "pci"):
            self._monitor.filter_by(subsystem)
        self._enlarge_buffer()
        self._monitor.start()

    def __enter__(self) -> VfWatch:
        return self

    def __exit__(self, *_error: object) -> None:
        self._log.close()

    def wait(self, indices: Iterable[int], timeout: float) -> None:
        """Return when these VFs are ready; raise SriovError, naming the others, after ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        addresses = {index: self._sysfs.link_name(f"{_DEVICES}/{self._pf}/virtfn{index}") for index in indices}
        waiting = {address: index for index, address in addresses.items() if address and not self._is_ready(address)}
        last_words: dict[str, str] = {}
        while waiting and (left := deadline - time.monotonic()) > 0:
            event = self._monitor.poll(left)
            if event is None:  # the deadline has come, or a message was of no concern: poll does not tell which
                continue
            for address in waiting.keys() & set(event.device_path.split("/")):
                last_words[address] = f"{event.action} of the {event.subsystem} device"
                if self._is_ready(address):
                    del waiting[address]
        late = {index: address for index, address in addresses.items() if not (address and (address not in waiting or self._is_ready(address)))}
        if late:
            raise SriovError(self._late(late, last_words, timeout))

    def kernel_words(self) -> str:
        """What the kernel has logged about the PF since the last look, as the end of a sentence."""
        lines = self._log.about(self._pf)
        return f"; the kernel says: {' | '.join(lines[-3:])}" if lines else ""

    def _is_ready(self, address: str) -> bool:
        if not self._udev_is_done_with("pci", address):
            return False
        base = f"{_DEVICES}/{address}"
        driver = self._sysfs.link_name(f"{base}/driver")
        # Without a driver now, none is on its way: the kernel probes while it makes the VF, and udev loads modules before it reports the device.
        if driver is None or not has_interface(driver) or not is_network_card(address, self._sysfs):
            return True
        interfaces = interfaces_of(address, self._sysfs)
        if interfaces is None and is_infiniband(address, self._sysfs):
            return self._sysfs.exists(f"{base}/infiniband")
        return bool(interfaces) and all(self._udev_is_done_with("net", name) for name in interfaces or ())

    def _udev_is_done_with(self, subsystem: str, name: str) -> bool:
        try:
            return bool(self._pyudev.Devices.from_name(self._context, subsystem, name).is_initialized)
        except self._pyudev.DeviceNotFoundError:  # renamed or removed since the folder was listed
            return False

    def _enlarge_buffer(self) -> None:
        # Without CAP_NET_ADMIN the usual size remains, which does for a few VFs.
        with contextlib.suppress(OSError):
            self._monitor.set_receive_buffer_size(_BUFFER)

    def _late(self, late: dict[int, str | None], last_words: dict[str, str], timeout: float) -> str:
        described = "; ".join(f"VF {index} ({self._state(late[index], last_words)})" for index in sorted(late)[:8])
        more = f" and {len(late) - 8} more" if len(late) > 8 else ""
        return (
            f"After {timeout:g} s these VFs of {self._pf} are not ready: {described}{more}: look at the VF driver's messages (journalctl -k), "
            f"or give it more time with timeout{self.kernel_words()}."
        )

    def _state(self, address: str | None, last_words: dict[str, str]) -> str:
        if address is None:
            return "no PCI device"
        interfaces = interfaces_of(address, self._sysfs)
        return (
            f"{address}, driver {self._sysfs.link_name(f'{_DEVICES}/{address}/driver') or 'none'}, "
            f"{'interface ' + interfaces[0] if interfaces else 'no interface'}, udev's last word: {last_words.get(address, 'none')}"
        )
