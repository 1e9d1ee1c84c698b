# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: from the option `pf` of a network to the pool that its definition names."""

from __future__ import annotations

import contextlib

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError, Unreadable
from ansible_collections.vfpool.sriov.plugins.module_utils._interfaces import interfaces_of, is_vfio
from ansible_collections.vfpool.sriov.plugins.module_utils._libvirt import is_local
from ansible_collections.vfpool.sriov.plugins.module_utils._network_pool import expected_members
from ansible_collections.vfpool.sriov.plugins.module_utils._network_xml import Element, pool_of
from ansible_collections.vfpool.sriov.plugins.module_utils._pci import describe_pf
from ansible_collections.vfpool.sriov.plugins.module_utils._pf import ALWAYS_TOLD, find_pfs
from ansible_collections.vfpool.sriov.plugins.module_utils._pool import pool_vfs
from ansible_collections.vfpool.sriov.plugins.module_utils._range_option import parse_ranges
from ansible_collections.vfpool.sriov.plugins.module_utils._ranges import format_ranges
from ansible_collections.vfpool.sriov.plugins.module_utils._selectors import select_pf
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Incomplete, Sysfs

__all__ = ["NotYet", "add_altnames_for", "check_list", "host_pfs", "pool_of_pf", "unbound"]

_IFF_UP = 0x1  # linux/if.h


class NotYet(SriovError):
    """What an earlier task of the same play may bring about, and in check mode has not; ``pool`` is None while it cannot be told."""

    def __init__(self, message: str, pool: dict | None) -> None:
        super().__init__(message)
        self.pool = pool


def host_pfs(uri: str) -> list[dict] | None:
    """The PFs of the host of the daemon at ``uri``, without altnames, with only what names their VFs; None of another host than this."""
    return find_pfs(Sysfs(), Incomplete()) if is_local(uri) else None


def add_altnames_for(selector: str, pfs: list[dict]) -> None:
    """Altnames cost a process, so they are added only where ``selector`` is nothing else that is known of a PF."""
    if any(selector in (pf["name"], pf["pci_address"], pf["permanent_mac"]) for pf in pfs):
        return
    # Few runs need what asks for them.
    from ansible_collections.vfpool.sriov.plugins.module_utils._command import beside
    from ansible_collections.vfpool.sriov.plugins.module_utils._link import add_altnames, ask_links

    with contextlib.suppress(Unreadable):
        add_altnames(pfs, ask_links(pfs, beside)().by_name)


def pool_of_pf(options: dict, pfs: list[dict], sysfs: Sysfs) -> tuple[dict, list[str]]:
    """The pool, as ``_network_xml.render`` takes it, that the options `pf`, `vfs` and `mode` mean, and what to warn of.

    The pool is the PF alone where libvirt expands that into what was asked for, else a list.
    Raises SriovError, in place of libvirt's one sentence for all of these, when there is no such PF, when it has no VFs (NotYet) or none that
    the mode could hand out, and when it is down (NotYet), for then no guest starts.
    """
    pf = select_pf(options["pf"], pfs, sysfs)
    mode = options["mode"] or "passthrough"
    said = describe_pf(pf)
    _check_pf(pf, mode, options["vfs"], sysfs)
    chosen = _chosen(pf, options["vfs"])
    unsettled = _unsettled(pf, chosen, options["vfs"], mode, sysfs)
    away = [vf for vf in chosen if not vf.get("lent") and _is_elsewhere(vf, sysfs)]
    by = "pci_address" if mode == "hostdev" else "name"
    nameless = [vf for vf in chosen if vf[by] is None and vf not in away]
    handed_out = [vf for vf in chosen if vf[by] is not None and vf not in away]
    members = [vf[by] for vf in handed_out]
    if not members and away:
        raise SriovError(f"{_name(away)} of PF {said} is in another network namespace, so there is nothing to hand out: give it back.")
    if not members:
        raise SriovError(
            f"None of the {len(chosen)} VFs of PF {said} has a network interface here, and mode {mode} hands out interfaces: "
            "bind their network driver (drivers_autoprobe of vfpool.sriov.sriov_pf), or use mode hostdev."
        )
    if _is_down(pf["name"], sysfs):
        raise NotYet(_down(pf), {"pf": pf["name"]} if options["vfs"] is None else {"addresses" if mode == "hostdev" else "interfaces": members})
    unseen, skipped = _unseen(pf, handed_out, mode), []
    if nameless:
        skipped.append(f"{_name(nameless)} of PF {said} has no network interface, so it is no member: bind its network driver, or use mode hostdev.")
    warnings = []
    if away:
        # libvirt would refuse to start: the list takes the PF's place.
        warnings.append(f"{_name(away)} of PF {said} is in another network namespace, so the pool lists the other VFs: give it back to make it a member.")
    elif options["vfs"] is None and [vf["index"] for vf in chosen] != list(range(len(chosen))):
        warnings.append(f"libvirt would stop at the first gap in the VFs of PF {said}, which has {_name(chosen)}: the pool lists them.")
    elif options["vfs"] is None and _is_virtio(pf, sysfs):
        warnings.append(f"libvirt cannot find the VFs of the virtio PF {said}: the pool lists them.")
    elif options["vfs"] is None:
        return {"pf": pf["name"]}, skipped + unsettled + unseen
    return {"addresses" if mode == "hostdev" else "interfaces": members}, warnings + skipped + unsettled + unseen


def check_list(pool: dict, pfs: list[dict], taken: frozenset[str], sysfs: Sysfs) -> list[str]:
    """What to warn of an explicit pool. Members that consumers have ``taken`` away with them, as ``lend_names`` tells, need not be here.

    Raises SriovError for a member with which libvirt starts no guest, NotYet if an earlier task may bring it about.
    """
    listed = {kind: pool[kind] for kind in ("interfaces", "addresses")}
    for folder, names in (("class/net", pool["interfaces"]), ("bus/pci/devices", pool["addresses"])):
        for name in names:
            if name not in taken and not sysfs.exists(f"{folder}/{name}"):
                raise NotYet(f"{name}, which is to be a member of the pool, is not there on this host: name what is there, or make the VFs first.", listed)
    for address in pool["addresses"]:
        if not sysfs.exists(f"bus/pci/devices/{address}/physfn"):
            raise SriovError(f"{address}, which is to be a member of the pool, is no VF, and libvirt takes nothing else in mode hostdev: name VFs.")
    wanted = set(pool["interfaces"] + pool["addresses"])
    warnings = []
    for pf in pfs:
        members = [vf for vf in pf["vfs"] if vf["name"] in wanted or vf["pci_address"] in wanted]
        if members:
            if pool["addresses"]:
                _check_interface(pf, "hostdev", sysfs)
            if pf["name"] and _is_down(pf["name"], sysfs):
                raise NotYet(_down(pf), listed)
            warnings += _unseen(pf, members, pool["mode"]) + _without_pf(pf, members, pool["mode"], sysfs)
    return warnings


def unbound(definition: Element, pfs: list[dict], sysfs: Sysfs) -> list[str]:
    """What to warn of members that neither libvirt gives to VFIO, as the network is not managed, nor anyone else has."""
    pool, managed = pool_of(definition), definition.find("forward").get("managed") == "yes"
    if pool["mode"] != "hostdev" or managed:
        return []
    drivers = {address: sysfs.link_name(f"bus/pci/devices/{address}/driver") or "none" for address in expected_members(pool, pfs) or []}
    others = [f"{address} has {driver}" for address, driver in drivers.items() if not is_vfio(driver)]
    if not others:
        return []
    said = f"libvirt starts guests of the network {definition.findtext('name')}, which is not managed, only with VFs that have a driver of VFIO"
    more = f" and {len(others) - 1} more have none either" if others[1:] else ""
    return [f"{said}, and {others[0]}{more}: say managed: true, or bind them with vfpool.sriov.sriov_pf, driver: vfio-pci."]


def _without_pf(pf: dict, members: list[dict], mode: str, sysfs: Sysfs) -> list[str]:
    """What to warn of members that libvirt takes for VFs (virNetDevIsVirtualFunction) and whose PF has no interface here to set them up through."""
    if pf["name"] is not None or mode != "passthrough":
        return []
    known = [vf for vf in members if vf["name"] and sysfs.exists(f"class/net/{vf['name']}/device/physfn")]
    if not known:
        return []
    why = f"the PF {describe_pf(pf)} has no network interface here, through which it sets up a VF"
    return [f"libvirt starts no guest with {_name(known)} in mode passthrough, because {why}: bind the PF's network driver, or use mode bridge or private."]


def _check_pf(pf: dict, mode: str, vfs: str | None, sysfs: Sysfs) -> None:
    _check_interface(pf, mode, sysfs)
    if not pf["vfs"]:
        message = f"The PF {describe_pf(pf)} has no VFs: make some with vfpool.sriov.sriov_pf, num_vfs (it can have {pf['total_vfs']})."
        raise NotYet(message, {"pf": pf["name"]} if vfs is None else None)


def _check_interface(pf: dict, mode: str, sysfs: Sysfs) -> None:
    said = describe_pf(pf)
    if pf["name"] is None and interfaces_of(pf["pci_address"], sysfs):
        raise SriovError(f"udev has not finished with the interface of PF {said}, and may rename it: run this again in a moment.")
    if pf["name"] is None and mode == "hostdev":
        why = "through which libvirt sets up a VF in mode hostdev, so no guest would start: bind its network driver"
        raise SriovError(f"The PF {said} has no network interface, {why}, or give its VFs to guests as PCI devices of their own, without a network.")
    if pf["name"] is None:
        raise SriovError(f"The PF {said} has no network interface, and libvirt finds a PF by its interface alone: bind its network driver.")
    if mode == "hostdev" and _is_virtio(pf, sysfs):
        why = "whose interface libvirt cannot find from a VF, so no guest would start in mode hostdev"
        raise SriovError(f"The PF {said} is a virtio card, {why}: use mode passthrough.")


def _chosen(pf: dict, vfs: str | None) -> list[dict]:
    try:
        return pool_vfs(pf, vfs)
    except SriovError as error:
        if vfs is not None and parse_ranges(vfs)[-1] < (pf["total_vfs"] or 0):
            raise NotYet(str(error), None) from error
        raise


def _unsettled(pf: dict, chosen: list[dict], vfs: str | None, mode: str, sysfs: Sysfs) -> list[str]:
    """What to warn of while VFs are being made or destroyed. Raises SriovError for a VF that would drop out of the pool because udev is at work on it."""
    named = [vf for vf in chosen if mode != "hostdev" and vf["name"] is None and vf["pci_address"] and interfaces_of(vf["pci_address"], sysfs)]
    if named:
        raise SriovError(f"udev has not finished with the interface of {_name(named)} of PF {describe_pf(pf)}, and may rename it: run this again in a moment.")
    if vfs is None and pf["num_vfs"] != len(chosen):
        counts = f"{'an unknown number of' if pf['num_vfs'] is None else pf['num_vfs']} VFs by its count and {len(chosen)} to be found"
        return [f"The PF {describe_pf(pf)} has {counts}: if they are just being made, run this again when all are there."]
    return []


def _unseen(pf: dict, members: list[dict], mode: str) -> list[str]:
    """What to warn of members of which the kernel has no room to tell libvirt, so that no guest starts with them. Other consumers do not mind."""
    if len(pf["vfs"]) <= ALWAYS_TOLD or mode not in ("passthrough", "hostdev") or pf["name"] is None:
        return []
    from ansible_collections.vfpool.sriov.plugins.module_utils._rtnetlink import vfs_in_list  # few cards have so many

    with contextlib.suppress(OSError):  # an interface that is not there any more, of which something else is to be said
        seen, room = vfs_in_list(pf["name"]) or (0, len(pf["vfs"]))
        unseen = [vf for vf in members if vf["index"] >= seen]
        if unseen and len(pf["vfs"]) > room:
            said = f"libvirt starts no guest with {_name(unseen)} of PF {describe_pf(pf)}, because the kernel has room to tell it of {room} VFs, and"
            others = f"hand out VF {format_ranges(range(seen))} alone (vfs), or " if seen else ""
            return [f"{said} of {len(pf['vfs'])} tells it {seen}: {others}make at most {room} VFs (num_vfs of vfpool.sriov.sriov_pf)."]
    return []


def _down(pf: dict) -> str:
    return f"The PF {describe_pf(pf)} is down, and no guest can start from its pool: bring it up with vfpool.sriov.sriov_pf, link: up."


def _is_down(name: str, sysfs: Sysfs) -> bool:
    """Administratively down. A cable that is missing is another matter, and hinders no guest from starting."""
    flags = sysfs.text(f"class/net/{name}/flags")
    return flags is not None and not int(flags, 16) & _IFF_UP


def _is_virtio(pf: dict, sysfs: Sysfs) -> bool:
    """The interface stands on a device of its own between it and the PCI function; libvirt looks for VFs on that device."""
    return not sysfs.exists(f"class/net/{pf['name']}/device/sriov_totalvfs")


def _is_elsewhere(vf: dict, sysfs: Sysfs) -> bool:
    """The VF's driver made an interface, and that is not in this network namespace."""
    return vf["name"] is None and interfaces_of(vf["pci_address"], sysfs) == []


def _name(vfs: list[dict]) -> str:
    return f"VF {format_ranges(vf['index'] for vf in vfs)}"
