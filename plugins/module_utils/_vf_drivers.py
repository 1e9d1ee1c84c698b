# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: which driver has a VF, and with how many interrupt vectors.

Source: Documentation/ABI/testing/sysfs-bus-pci of the Linux kernel (driver_override, sriov_vf_msix_count), and
pci_device_can_probe() in drivers/pci/pci-driver.c.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._interfaces import has_interface, is_vfio
from ansible_collections.vfpool.sriov.plugins.module_utils._pci import describe_pf
from ansible_collections.vfpool.sriov.plugins.module_utils._pf_options import is_driver_name
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Sysfs
from ansible_collections.vfpool.sriov.plugins.module_utils._udev import VfWatch

__all__ = ["VfDrivers", "as_declared", "is_bound_as"]

_DEVICES = "bus/pci/devices"


def is_bound_as(driver: str | None, wanted: str) -> bool:
    """Whether a VF with ``driver`` is as declared: ``none`` is no driver, ``default`` the one that the card brings."""
    if wanted == "none":
        return driver is None
    if wanted == "default":
        return driver is not None and has_interface(driver)
    return driver == wanted


def as_declared(driver: str | None) -> str:
    """What is to be declared for a VF that has ``driver``, so that it comes back to it and keeps no trace of another."""
    if driver is None:
        return "none"
    return "default" if has_interface(driver) else driver


class VfDrivers:
    """Binds the VFs of one PF; each method raises SriovError where the kernel refuses."""

    def __init__(self, pf: dict, run: Callable[..., tuple[int, str, str]], timeout: float, sysfs: Sysfs) -> None:
        self._pf, self._run, self._timeout, self._sysfs = pf, run, timeout, sysfs

    def refuse_impossible(self, driver: str) -> None:
        """Raise SriovError, before anything is written, for a driver that this host does not have or cannot use."""
        known = driver in ("none", "default") or self._is_loaded(driver)
        if not is_driver_name(driver) or not (known or self._modprobe("--dry-run", "--quiet", driver)):
            raise SriovError(f"No driver of this host is {driver!r}: write vfio-pci, none, default for the card's own, or install its module.")
        if is_vfio(driver) and not self._has_iommu():
            raise SriovError(
                f"The driver {driver} needs an IOMMU, and {describe_pf(self._pf)} has none: switch on VT-d or AMD-Vi in the firmware, "
                "on Intel add intel_iommu=on to the kernel command line, and reboot."
            )

    def _modprobe(self, *words: str) -> bool:
        try:
            return self._run(["modprobe", *words])[0] == 0
        except OSError as error:
            raise SriovError(f"The command modprobe does not run ({error.strerror}): install kmod.") from error

    def refuse_msix(self) -> None:
        if not self._pf["vf_total_msix"]:
            raise SriovError(f"The driver {self._pf['driver']} cannot share out MSI-X vectors among the VFs of {describe_pf(self._pf)}: leave msix_count out.")

    def to_bring_back(self) -> dict[int, str]:
        """The driver of each VF as it is to be declared for one in its place, also for those that someone keeps from every driver."""
        return {vf["index"]: as_declared(vf["driver"]) for vf in self._pf["vfs"] if vf["driver"] or self._is_kept_from_drivers(vf)}

    def to_keep(self, count: int) -> dict[int, str]:
        """Of the first ``count`` VFs those that have a driver, the card's own among them, and those that someone keeps from every driver."""
        return {index: driver for index, driver in self.to_bring_back().items() if index < count}

    def _is_kept_from_drivers(self, vf: dict) -> bool:
        """Whether that a VF has no driver is someone's will, rather than for want of one."""
        return self._sysfs.text(f"{_DEVICES}/{vf['pci_address']}/driver_override") == "none"

    def bind(self, indices: Iterable[int], driver: str) -> None:
        """Give the VFs to ``driver`` and wait for the interfaces that it makes."""
        if driver not in ("none", "default") and not self._is_loaded(driver):
            self._modprobe(driver)
        chosen = list(indices)
        with VfWatch(self._pf["pci_address"], self._sysfs) as watch:
            for index in chosen:
                self._bind_one(index, driver)
            watch.wait(chosen, self._timeout)

    def bind_each(self, drivers: dict[int, str]) -> None:
        for driver in sorted(set(drivers.values())):
            self.bind([index for index, wanted in drivers.items() if wanted == driver], driver)

    def set_msix_count(self, index: int, count: int) -> None:
        """Only a VF without a driver takes another number of vectors; it gets its driver back, and is waited for."""
        address = self._address(index)
        driver = self._driver(address)
        with VfWatch(self._pf["pci_address"], self._sysfs) as watch:
            try:
                self._unbind(address, driver)
                self._sysfs.write(f"{_DEVICES}/{address}/sriov_vf_msix_count", str(count))
            except OSError as error:
                raise SriovError(f"VF {index} of {describe_pf(self._pf)} refuses msix_count {count} ({error.strerror}): see journalctl -k.") from error
            finally:
                if driver is not None:
                    self._bind_one(index, as_declared(driver))
            watch.wait([index], self._timeout)

    def _bind_one(self, index: int, driver: str) -> None:
        address = self._address(index)
        now = self._driver(address)
        try:
            # Any other name keeps drivers away; an empty line lets the card's own driver come.
            self._sysfs.write(f"{_DEVICES}/{address}/driver_override", "\n" if driver == "default" else driver)
            if not is_bound_as(now, driver):
                self._unbind(address, now)
                if driver != "none":
                    self._probe(address)
            reason = "it does not take this device"
        except OSError as error:
            reason = error.strerror or "no reason given"
        if not is_bound_as(self._driver(address), driver):
            raise SriovError(f"VF {index} of {describe_pf(self._pf)} ({address}) does not get the driver {driver} ({reason}): see journalctl -k.", vf=index)

    def _probe(self, address: str) -> None:
        """Let the kernel look for a driver. While new VFs are to get none, it has none for an old one either unless by its override."""
        switch = f"{_DEVICES}/{self._pf['pci_address']}/sriov_drivers_autoprobe"
        is_off = self._sysfs.text(switch) == "0"
        try:
            if is_off:
                self._sysfs.write(switch, "1")
            self._sysfs.write("bus/pci/drivers_probe", address)
        finally:
            if is_off:
                self._sysfs.write(switch, "0")

    def _unbind(self, address: str, driver: str | None) -> None:
        if driver is not None:
            self._sysfs.write(f"{_DEVICES}/{address}/driver/unbind", address)

    def _address(self, index: int) -> str:
        address = self._sysfs.link_name(f"{_DEVICES}/{self._pf['pci_address']}/virtfn{index}")
        if address is None:
            raise SriovError(f"VF {index} of {describe_pf(self._pf)} has gone: run again.")
        return address

    def _driver(self, address: str) -> str | None:
        return self._sysfs.link_name(f"{_DEVICES}/{address}/driver")

    def _is_loaded(self, driver: str) -> bool:
        return self._sysfs.exists(f"bus/pci/drivers/{driver}")

    def _has_iommu(self) -> bool:
        unsafe = self._sysfs.text("module/vfio/parameters/enable_unsafe_noiommu_mode")
        return unsafe == "Y" or self._sysfs.exists(f"{_DEVICES}/{self._pf['pci_address']}/iommu_group")
