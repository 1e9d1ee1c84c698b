# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: one run of the module passthrough_network, from its options to its result."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._libvirt import connection, is_local, said_by_libvirt
from ansible_collections.vfpool.sriov.plugins.module_utils._link import Run
from ansible_collections.vfpool.sriov.plugins.module_utils._lock import locked
from ansible_collections.vfpool.sriov.plugins.module_utils._network_options import definition
from ansible_collections.vfpool.sriov.plugins.module_utils._network_pf import NotYet, host_pfs, pool_of_pf
from ansible_collections.vfpool.sriov.plugins.module_utils._network_plan import plan_absent, plan_present
from ansible_collections.vfpool.sriov.plugins.module_utils._network_xml import network_text, parse_network
from ansible_collections.vfpool.sriov.plugins.module_utils._networks import find_network, read_network, report
from ansible_collections.vfpool.sriov.plugins.module_utils._plan import Plan
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Sysfs

__all__ = ["bring_to_state", "describe_networks"]


def bring_to_state(options: dict[str, Any], check: bool, run: Run, warn: Callable[[str], None]) -> dict[str, Any]:
    """The module's result. In check mode it is the same, but nothing is written."""
    sysfs = Sysfs()
    pool = None
    if options["state"] != "absent":
        # Options are judged before libvirt is asked, so that a mistake is told even where no daemon runs.
        try:
            pool = _pool(options, run, sysfs)
        except NotYet as error:
            if not check or options["state"] == "rendered":
                raise
            warn(f"{error} In check mode an earlier task may only have planned that, so what is shown here is what follows it.")
            pool = error.pool
            if pool is None:
                return {"changed": True, "actions": [f"bring the network {options['name']} to its state, once its VFs are there"]}
        rendered = definition(options, pool)
        if options["state"] == "rendered":
            return {"changed": False, "xml": network_text(rendered)}
    with connection(options["uri"]) as connected, locked("network", options["name"]):
        return _converge(connected, options, pool, check, run, sysfs)


def _converge(connected: Any, options: dict[str, Any], pool: Any, check: bool, run: Run, sysfs: Sysfs) -> dict[str, Any]:
    name = options["name"]
    pfs = host_pfs(None, run, sysfs) if is_local(options["uri"]) else None
    before = _read(connected, name)
    after_xml = ""
    if options["state"] == "absent":
        plan = plan_absent(connected, before, options)
    else:
        wanted = definition(options, pool, before["xml_inactive"] if before else None)
        after_xml = network_text(wanted)
        plan = plan_present(connected, before, wanted, options, pfs)
    after = _apply(plan, connected, name) if plan.changed and not check else before
    before_xml = network_text(parse_network(before["xml_inactive"])) if before else ""
    return {
        "changed": plan.changed,
        "actions": plan.actions,
        "diff": {"before": before_xml, "after": after_xml},
        "network": report(after, pfs) if after else None,
    }


def _apply(plan: Plan, connected: Any, name: str) -> dict[str, Any] | None:
    plan.apply()
    return _read(connected, name)


def _read(connected: Any, name: str) -> dict[str, Any] | None:
    network = find_network(connected, name)
    return None if network is None else read_network(network)


def _pool(options: dict[str, Any], run: Run, sysfs: Sysfs) -> dict[str, Any]:
    if options["pf"] is not None:
        return pool_of_pf(options, host_pfs(options["pf"], run, sysfs), sysfs)
    return {"interfaces": options["interfaces"], "addresses": options["addresses"]}


def describe_networks(uri: str, names: list[str] | None, inactive: bool, run: Run) -> list[dict[str, Any]]:
    """The result of passthrough_network_info."""
    pfs = host_pfs(None, run, Sysfs()) if is_local(uri) else None
    with connection(uri, readonly=True) as connected:
        networks = [read_network(network) for network in _choose(connected, names)]
    return [report(network, pfs, inactive) for network in sorted(networks, key=lambda network: network["name"])]


def _choose(connected: Any, names: list[str] | None) -> list[Any]:
    with said_by_libvirt("list its networks"):
        networks = {network.name(): network for network in connected.listAllNetworks(0)}
    absent = [name for name in names or [] if name not in networks]
    if absent:
        raise SriovError(f"There is no network {', '.join(absent)}: the networks are {', '.join(sorted(networks)) or 'none'}.")
    return [networks[name] for name in names] if names is not None else list(networks.values())
