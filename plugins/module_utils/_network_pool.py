# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: the pool of a network seen beside its leases and the PFs of the host (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._leases import member_of, under
from ansible_collections.vfpool.sriov.plugins.module_utils._network_canonical import canonical
from ansible_collections.vfpool.sriov.plugins.module_utils._network_xml import Element, members_of, pool_of

__all__ = ["POOL_MODES", "VLAN_MODES", "compare", "expected_members", "fit", "is_exclusive", "miscounted", "places", "profile_of", "why_stale"]

POOL_MODES = ("passthrough", "hostdev", "private", "vepa", "bridge")
VLAN_MODES = ("passthrough", "hostdev")


def is_exclusive(network: Element, portgroup: str | None = None) -> bool:
    """Whether a member is given to one guest alone (networkAllocatePort of libvirt's src/network/bridge_driver.c).

    ``portgroup`` is the one that the guest asks for.
    """
    mode = pool_of(network)["mode"]
    if mode != "private":
        return mode in ("passthrough", "hostdev")
    return any(profile.get("type") == "802.1Qbh" for place in places(network, portgroup) for profile in place.iterfind("virtualport"))


def places(network: Element, portgroup: str | None) -> list[Element]:
    """Where a port in ``portgroup`` has its settings from, the foremost first. One that names no group is in the default one."""
    groups = [group for group in network.iterfind("portgroup") if (group.get("name") == portgroup if portgroup else group.get("default") == "yes")]
    return [*groups[:1], network]


def profile_of(sources: list[Element]) -> dict[str, str]:
    """The ``type`` and the parameters of the port profile that ``places`` give, put together as libvirt does.

    Raises SriovError where they contradict each other: libvirt defines that, and starts no guest.
    """
    profile: dict[str, str] = {}
    for found in [found for place in sources for found in place.iterfind("virtualport")]:
        for name, value in [("type", found.get("type")), *(item for element in found.iterfind("parameters") for item in element.attrib.items())]:
            if profile.setdefault(name, value) != value:
                said = f"The port group {sources[0].get('name')} has a virtualport with {name} {profile[name]}, its network one with {value}"
                raise SriovError(f"{said}, so no guest of the group would start: make them the same, or leave out one.")
    return profile


def expected_members(pool: dict, pfs: list[dict] | None) -> list[str] | None:
    """What the definition ``pool`` gives now: its list, or the VFs that libvirt finds of its PF.

    None where the PFs are not known, and where there is no pool, as with the bridge of a host.
    """
    if members_of(pool):
        return members_of(pool)
    if pool["pf"] is None or pfs is None:
        return None
    by = "pci_address" if pool["mode"] == "hostdev" else "name"
    # libvirt counts from 0 and stops at the first VF that is not there.
    return [
        vf[by] for pf in pfs if pf["name"] == pool["pf"] for position, vf in enumerate(pf["vfs"]) if vf["index"] == position and vf[by] is not None
    ]


def fit(mode: str, members: list[str] | None, pfs: list[dict] | None) -> Callable[[dict], dict | None]:
    """How a pool of ``members`` takes a lease: the very same where it has the member in the same mode, None where it lacks the VF.

    Else it takes the lease under the name that the VF has here, be that its interface or its PCI address: a guest goes on
    holding what it holds, and nobody else must be given that. Where the members are not known (None), every lease stays the same.
    """
    other = {vf[one]: vf[two] for pf in pfs or [] for vf in pf["vfs"] for one, two in (("name", "pci_address"), ("pci_address", "name"))}
    there = frozenset(members or ())

    def take(lease: dict) -> dict | None:
        held = member_of(lease)
        if members is None or (held in there and lease["plug"]["mode"] == mode):
            return lease
        here = held if held in there else other.get(held)
        return under(lease, mode, here) if held is not None and here in there else None

    return take


def compare(expected: list[str] | None, live: list[str]) -> tuple[list[str] | None, list[str] | None]:
    """Missing and surplus members of a live pool; None where it is not known what to expect."""
    if expected is None:
        return None, None
    there, wanted = set(live), set(expected)
    return [member for member in expected if member not in there], [member for member in live if member not in wanted]


def why_stale(live: Element, wanted: Element, expected: list[str] | None, leases: list[dict]) -> list[str]:
    """What of a live network differs from what ``wanted`` gives now, in words; nothing, for a network that is as it should be."""
    reasons = []
    if canonical(live, pool=False) != canonical(wanted, pool=False):
        reasons.append("its definition has changed")
    pool = pool_of(live)
    if expected is None and pool["pf"] not in (None, pool_of(wanted)["pf"]):
        reasons.append(f"its pool is that of the PF {pool['pf']}")
    members = members_of(pool)
    missing, surplus = compare(expected, members)
    if missing:
        reasons.append(f"its pool lacks {', '.join(missing)}")
    if surplus:
        reasons.append(f"its pool still has {', '.join(surplus)}")
    if expected is not None and not missing and not surplus and expected != members:
        reasons.append("the order of its pool has changed")
    wrong = miscounted(live, leases)
    if wrong:
        reasons.append(f"libvirt has lost count of its leases on {', '.join(wrong)}")
    return reasons


def miscounted(live: Element, leases: list[dict]) -> list[str]:
    """What libvirt counts otherwise than its own ledger says: members, or the network as a whole.

    A member whose count is too low is handed out again while a guest holds it, one below zero never again.
    libvirt shows the count of a member only where that is an interface.
    """
    held = Counter(member_of(lease) for lease in leases)
    wrong = [
        entry.get("dev") for entry in live.iterfind("forward/interface") if int(entry.get("connections", "0")) != held.get(entry.get("dev"), 0)
    ]
    if not wrong and int(live.get("connections", "0")) != len(leases):
        return ["the whole network"]
    return wrong
