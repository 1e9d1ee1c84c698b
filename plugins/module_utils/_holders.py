# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: who holds each VF (`used_by` of the facts).

A VF that something was found to hold has a list of holders. A VF that nothing was found to hold has an empty list
only if everything that could hold it was looked at; else its use is not known, which is None: such a VF is not free.
"""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.vfpool.sriov.plugins.module_utils._claims import Claim, holder, is_active
from ansible_collections.vfpool.sriov.plugins.module_utils._guests import ask_libvirt
from ansible_collections.vfpool.sriov.plugins.module_utils._interfaces import has_interface, interfaces_of, is_network_card
from ansible_collections.vfpool.sriov.plugins.module_utils._link import UNNAMED, UNSETTLED
from ansible_collections.vfpool.sriov.plugins.module_utils._link_claims import MACVLANS, link_claims
from ansible_collections.vfpool.sriov.plugins.module_utils._namespaces import look_elsewhere
from ansible_collections.vfpool.sriov.plugins.module_utils._other_drivers import other_drivers
from ansible_collections.vfpool.sriov.plugins.module_utils._processes import openers, sees_all_processes
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Incomplete, Sysfs

__all__ = ["add_holders", "without_repetition"]

_DEVICES = "bus/pci/devices"
# Links that can live in another namespace than what they stand on. Tunnels name themselves in its place, and veths their other end.
_STANDS_ELSEWHERE = (*MACVLANS, "vlan", "macsec")
_ORDER = ("libvirt_port", "libvirt_domain", "macvtap", "vfio", "netns", "host")


def add_holders(pfs: list[dict], links: dict[str, dict], sysfs: Sysfs, incomplete: Incomplete) -> None:
    """Set `used_by` of every VF of ``pfs``; ``links`` are the host's interfaces by name, none where ip gave no answer."""
    vfs = [_Vf(pf, vf, sysfs) for pf in pfs for vf in pf["vfs"]]
    if not vfs:
        return
    search = _Search(vfs)
    search.look_at_links(links, sysfs)  # first: it knows the VFs' other names
    search.look_at_device_files(sysfs)  # and the files that guests name
    search.look_at_guests()
    search.look_at_processes()
    search.look_at_namespaces(links)
    if not sees_all_processes() and sysfs.is_the_kernels():
        search.doubts.append("the processes outside of this PID namespace cannot be seen: run this on the host itself")
    for vf in vfs:
        found = without_repetition(vf.holders, search.made_by_libvirt)
        doubts = vf.doubts + search.doubts
        vf.facts["used_by"] = found if found or not doubts else None
        for reason in doubts:
            incomplete.note("used_by", vf.pf["pci_address"], reason, vf.facts["index"])


class _Search:
    """Looks at everything that can hold a VF, at each once for all VFs."""

    def __init__(self, vfs: list[_Vf]) -> None:
        self.vfs = vfs
        self.by_device = {device: vf for vf in vfs for device in (vf.facts["pci_address"], *vf.names) if device}
        self.made_by_libvirt: dict[str, dict] = {}
        self.doubts: list[str] = []  # of every VF

    def _claim(self, claims: Iterable[Claim]) -> None:
        for device, entry in claims:
            if device in self.by_device:
                self.by_device[device].holders.append(entry)

    def look_at_links(self, links: dict[str, dict], sysfs: Sysfs) -> None:
        strangers = {vf.pf["name"] for vf in self.vfs} - {None, *links}
        # Of a tree that was laid over the kernel's own, ip does not even know the PF.
        laid_over = strangers if links and strangers and not sysfs.is_the_kernels() else set()
        for vf in self.vfs:
            for name in vf.names:
                if vf.pf["name"] not in laid_over and name not in links:
                    vf.doubts.append(f"{UNNAMED} {name}" if links else "ip gave no list of the host's links")
        for name, link in links.items():
            # A dual-port card gives a VF two interfaces; the facts name one, the kernel tells the device of each.
            known = self.by_device.get(name) or self.by_device.get(link.get("parentdev", ""))
            if known is not None:
                self.by_device.update(dict.fromkeys([name, *(link.get("altnames") or ())], known))
        try:
            self._claim(list(link_claims(links.values())))
        except (AttributeError, TypeError, LookupError):
            self.doubts.append("ip gave a list of links that makes no sense")

    def look_at_device_files(self, sysfs: Sysfs) -> None:
        try:
            drivers = other_drivers(sysfs)
        except OSError as error:
            self.doubts.append(f"the device files of RDMA and vDPA are not known: {error.strerror}")
            return
        self._claim(drivers.claims)
        for vf in self.vfs:
            own = drivers.files.get(vf.facts["pci_address"], [])
            vf.device_files += own
            self.by_device.update(dict.fromkeys(own, vf))

    def look_at_guests(self) -> None:
        guests = ask_libvirt()
        self.made_by_libvirt = guests.interfaces
        self._claim(guests.claims)
        if guests.doubt:
            self.doubts.append(guests.doubt)

    def look_at_processes(self) -> None:
        wanted = {path for vf in self.vfs for path in vf.device_files}
        if not wanted:
            return
        processes, reasons = openers(wanted)
        for vf in self.vfs:
            if vf.device_files:
                vf.doubts += reasons
                vf.holders += [holder("vfio", process) for path in vf.device_files for process in processes.get(path, ())]

    def look_at_namespaces(self, links: dict[str, dict]) -> None:
        moved = {vf.facts["pci_address"] for vf in self.vfs if vf.moved}
        elsewhere = look_elsewhere(moved)
        self._claim(Claim(address, holder("netns", elsewhere.moved.get(address))) for address in moved)
        names = {link.get("ifindex"): name for name, link in links.items()}
        for upper in elsewhere.uppers:
            if upper.lower in names and upper.kind in _STANDS_ELSEWHERE:
                entry = holder("macvtap", f"{upper.name} in {upper.namespace}") if upper.kind in MACVLANS else holder("netns", upper.namespace)
                self._claim([Claim(names[upper.lower], entry)])
        for vf in self.vfs:
            if vf.names or vf.moved:
                vf.doubts += elsewhere.doubts


def without_repetition(holders: list[dict], made_by_libvirt: dict[str, dict]) -> list[dict]:
    """Each holder once, by the entry that says most: a running guest's port knows the network, its macvtap or process nothing more.

    ``made_by_libvirt`` are macvtap devices with their guests: where a VF was renamed, they alone tell which guest has it.
    """
    named = [made_by_libvirt.get(entry["name"], entry) if entry["kind"] == "macvtap" else entry for entry in holders]
    ports = {entry["uuid"] for entry in named if entry["kind"] == "libvirt_port"}
    guest_runs = any(entry["kind"] == "libvirt_domain" and is_active(entry) for entry in named)
    once = []
    for entry in named:
        repeats = entry["uuid"] in ports if entry["kind"] == "libvirt_domain" else entry["kind"] == "vfio" and guest_runs
        if not repeats and entry not in once:
            once.append(entry)
    return sorted(once, key=lambda entry: (_ORDER.index(entry["kind"]), entry["name"] or ""))


class _Vf:
    """One VF while its holders are looked for."""

    def __init__(self, pf: dict, facts: dict, sysfs: Sysfs) -> None:
        self.pf, self.facts = pf, facts
        self.holders: list[dict] = []
        self.doubts: list[str] = []
        self.names = [facts["name"]] if facts["name"] else []  # of interfaces
        self.moved = False
        self.device_files: list[str] = []
        if facts["pci_address"] is None:
            self.doubts.append("its PCI address is not known")
        elif facts["name"] is None:
            self._look_closer(f"{_DEVICES}/{facts['pci_address']}", sysfs)

    def _look_closer(self, base: str, sysfs: Sysfs) -> None:
        """Why it has no interface: that was moved to another namespace, or a driver for user space has the VF."""
        try:
            interfaces = interfaces_of(self.facts["pci_address"], sysfs)
            self.moved = interfaces == []
            self.names = interfaces or []
            if interfaces:
                self.doubts.append(UNSETTLED)
            if not sysfs.exists(base):
                self.doubts.append("it went away while it was read")
            self._ask_driver(interfaces, sysfs)
            for folder, files in (("vfio-dev", "/dev/vfio/devices"), ("uio", "/dev")):
                self.device_files += [f"{files}/{name}" for name in sysfs.names(f"{base}/{folder}") or []]
        except OSError as error:
            self.doubts.append(f"{sysfs.root}/{base} cannot be read: {error.strerror}")
        if self.facts["iommu_group"] is not None:
            self.device_files += [f"/dev/vfio/{prefix}{self.facts['iommu_group']}" for prefix in ("", "noiommu-")]

    def _ask_driver(self, interfaces: list[str] | None, sysfs: Sysfs) -> None:
        """Who uses a disk or an accelerator with a driver of the kernel's own, such as by a file system, is nowhere looked for."""
        driver = self.facts["driver"]
        if interfaces is None and driver and has_interface(driver) and not is_network_card(self.facts["pci_address"], sysfs):
            self.doubts.append(f"who uses what the driver {driver} makes of it, which is no network interface, cannot be told")
