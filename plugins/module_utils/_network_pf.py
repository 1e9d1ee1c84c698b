# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: from the option `pf` of a network to the pool that its definition names."""

from __future__ import annotations

from typing import Any

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._facts import gather
from ansible_collections.vfpool.sriov.plugins.module_utils._link import Run
from ansible_collections.vfpool.sriov.plugins.module_utils._pf import read_pfs
from ansible_collections.vfpool.sriov.plugins.module_utils._pool import pool_vfs
from ansible_collections.vfpool.sriov.plugins.module_utils._ranges import parse_ranges
from ansible_collections.vfpool.sriov.plugins.module_utils._selectors import describe_pf, select_pf
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Incomplete, Sysfs

__all__ = ["NotYet", "host_pfs", "pool_of_pf"]

_IFF_UP = 0x1  # linux/if.h


class NotYet(SriovError):
    """What an earlier task of the same play may bring about, and in check mode has not; ``pool`` is None while it cannot be told."""

    def __init__(self, message: str, pool: dict[str, Any] | None) -> None:
        super().__init__(message)
        self.pool = pool


def host_pfs(selector: str | None, run: Run, sysfs: Sysfs) -> list[dict[str, Any]]:
    """The PFs of this host; with altnames and permanent MAC addresses only when ``selector`` needs them, for they cost a process."""
    pfs = read_pfs(sysfs, Incomplete())
    if selector is None or any(selector in (pf["name"], pf["pci_address"]) for pf in pfs):
        return pfs
    found: list[dict[str, Any]] = gather(None, frozenset(["min"]), run, sysfs)["pfs"]
    return found


def pool_of_pf(options: dict[str, Any], pfs: list[dict[str, Any]], sysfs: Sysfs) -> dict[str, Any]:
    """The pool, as ``_network_xml.render`` takes it, that the options `pf`, `vfs` and `mode` mean.

    Raises SriovError, in place of libvirt's one sentence for all of these, when there is no such PF, when it has no VFs (NotYet) or none that
    the mode could hand out, and when it is down (NotYet), for then no guest starts.
    """
    pf = _select(options["pf"], pfs, sysfs)
    mode = options["mode"] or "passthrough"
    said = describe_pf(pf)
    if pf["name"] is None:
        raise SriovError(f"The PF {said} has no network interface, and libvirt finds a PF by its interface alone: list its VFs with addresses or interfaces.")
    implicit = {"pf": pf["name"]} if options["vfs"] is None else None
    if not pf["vfs"]:
        raise NotYet(f"The PF {said} has no VFs: make some with vfpool.sriov.sriov_pf, num_vfs (it can have {pf['total_vfs']}).", implicit)
    by = "pci_address" if mode == "hostdev" else "name"
    members = [vf[by] for vf in _chosen(pf, options["vfs"])]
    if not any(members):
        raise SriovError(
            f"None of the {len(members)} VFs of PF {said} has a network interface, and mode {mode} hands out interfaces: "
            "bind their network driver (drivers_autoprobe of vfpool.sriov.sriov_pf), or use mode hostdev."
        )
    pool = implicit or {"addresses" if mode == "hostdev" else "interfaces": [member for member in members if member]}
    if _is_down(pf["name"], sysfs):
        raise NotYet(f"The PF {said} is down, and no guest can start from its pool: bring it up with vfpool.sriov.sriov_pf, link=up.", pool)
    return pool


def _chosen(pf: dict[str, Any], vfs: str | None) -> list[dict[str, Any]]:
    try:
        return pool_vfs(pf, vfs)
    except SriovError as error:
        if vfs is not None and parse_ranges(vfs)[-1] < (pf["total_vfs"] or 0):
            raise NotYet(str(error), None) from error
        raise


def _select(selector: str, pfs: list[dict[str, Any]], sysfs: Sysfs) -> dict[str, Any]:
    try:
        return select_pf(selector, pfs)
    except SriovError as error:
        if "/" not in selector and sysfs.exists(f"class/net/{selector}") and " is a VF of " not in str(error):
            raise SriovError(f"{selector} is a network interface of this host, but no PF: it has no SR-IOV. {error}") from error
        raise


def _is_down(name: str, sysfs: Sysfs) -> bool:
    """Administratively down. A cable that is missing is another matter, and hinders no guest from starting."""
    flags = sysfs.text(f"class/net/{name}/flags")
    return flags is not None and not int(flags, 16) & _IFF_UP
