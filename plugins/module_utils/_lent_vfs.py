# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: leased VFs that their consumers have taken away with them (pure)."""

from __future__ import annotations

from ansible_collections.vfpool.sriov.plugins.module_utils._leases import member_of
from ansible_collections.vfpool.sriov.plugins.module_utils._network_xml import members_of, parse_network, pool_of

__all__ = ["lend_names"]


def lend_names(pfs: list[dict], network: dict) -> tuple[list[dict], frozenset[str]]:
    """The PFs as they are while the consumers of an active ``network``, a dict of ``read_network``, have taken leased VFs away with them.

    That is into a namespace of their own, or to a driver for user space, and the VFs have lost their interfaces here for it. In the PFs such a
    VF is marked as ``lent`` and has its former name, where the order of the pool makes that plain. With them come the members that are not here.
    """
    live = members_of(pool_of(parse_network(network["xml"])))
    leased = {held for held in map(member_of, network["leases"]) if held is not None and held in live}
    here = {vf[by] for pf in pfs for vf in pf["vfs"] for by in ("name", "pci_address")}

    def lent(vf: dict, names: dict[int, str]) -> dict:
        name = names.get(vf["index"])
        taken = vf["name"] is None and (name in leased or vf["pci_address"] in leased)
        return {**vf, "name": name, "lent": True} if taken else vf

    with_names = [{**pf, "vfs": [lent(vf, names) for vf in pf["vfs"]]} for pf in pfs for names in [_former_names(pf["vfs"], live, here)]]
    return with_names, frozenset(leased - here)


def _former_names(vfs: list[dict], live: list[str], here: set[str | None]) -> dict[int, str]:
    """By index the names that the VFs of a PF without one had when their pool was made, where as many names as VFs are missing between two others."""
    places = {vf["name"]: place for place, vf in enumerate(vfs) if vf["name"]}
    found: dict[int, str] = {}
    missing: list[str] = []
    last = -1
    for member in [*live, None]:
        place = places.get(member) if member else len(vfs)
        if place is not None:
            nameless = [vf["index"] for vf in vfs[last + 1 : place] if vf["name"] is None]
            found.update(zip(nameless, missing) if len(nameless) == len(missing) else ())
            missing, last = [], place
        elif member is not None and member not in here:
            missing.append(member)
    return found
