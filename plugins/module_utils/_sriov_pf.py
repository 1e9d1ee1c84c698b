# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: one run of the module sriov_pf, from its options to its result."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.vfpool.sriov.plugins.module_utils._boot_files import will_have_interface
from ansible_collections.vfpool.sriov.plugins.module_utils._command import ENVIRONMENT
from ansible_collections.vfpool.sriov.plugins.module_utils._configuration import NO_CONFIGURATION
from ansible_collections.vfpool.sriov.plugins.module_utils._dependents import dependent_networks
from ansible_collections.vfpool.sriov.plugins.module_utils._endings import undisturbed
from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._facts import gather
from ansible_collections.vfpool.sriov.plugins.module_utils._gone_cards import gone_cards
from ansible_collections.vfpool.sriov.plugins.module_utils._guests import NO_LIBVIRT, ask_libvirt
from ansible_collections.vfpool.sriov.plugins.module_utils._in_use import renamed, without_libvirt
from ansible_collections.vfpool.sriov.plugins.module_utils._lock import locked
from ansible_collections.vfpool.sriov.plugins.module_utils._pci import describe_pf
from ansible_collections.vfpool.sriov.plugins.module_utils._pf_diff import as_diff
from ansible_collections.vfpool.sriov.plugins.module_utils._pf_kernel import PfKernel
from ansible_collections.vfpool.sriov.plugins.module_utils._pf_plan import PfPlan
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Sysfs
from ansible_collections.vfpool.sriov.plugins.module_utils._udev import settle
from ansible_collections.vfpool.sriov.plugins.module_utils._vf_drivers import VfDrivers

__all__ = ["bring_about"]

# Seconds for udev to finish with an interface that it has begun with.
_RENAMING = 15
# Seconds: a day. The kernel counts milliseconds in 31 bits.
_LONGEST = 86400


def bring_about(module: AnsibleModule, sysfs: Sysfs) -> dict:
    """Plan, and outside check mode apply; the lock is held from the reading of the plan's ground to its last step."""
    module.run_command_environ_update = ENVIRONMENT
    run, timeout = undisturbed(module.run_command), module.params["timeout"]
    if not 0 <= timeout <= _LONGEST:
        raise SriovError(f"timeout {timeout} is no time to wait: write seconds, 0 to {_LONGEST}.")
    everything, usage = frozenset(("min", "config", "usage")), frozenset(("min", "usage"))
    address = gather([module.params["pf"]], frozenset(("min",)), run, sysfs)["pfs"][0]["pci_address"]

    def look(wanted: frozenset[str]) -> dict:
        """The facts; once more where they are not known for udev's renaming of interfaces, which takes moments."""
        sriov = gather([address], wanted, run, sysfs)
        unsettled = renamed(sriov)
        if not unsettled:
            return sriov
        settle(address, unsettled, sysfs, min(timeout, _RENAMING))
        return gather([address], wanted, run, sysfs)

    with locked("PF", address, timeout, check=module.check_mode):
        sriov = look(everything)
        now, unknown_use = _for_plan(sriov)
        _refuse_unread(sriov, "name", "What {} is called", "run this again in a moment")
        if module.params["eswitch_mode"]:
            # Without it a card looks like one that has no switch.
            _refuse_unread(sriov, "eswitch_mode", "The eswitch_mode of {}", "put that right, or leave eswitch_mode out")
        kernel, drivers = PfKernel(now, run, timeout, sysfs), VfDrivers(now, run, timeout, sysfs)
        wish = PfPlan(now, module.params, kernel, drivers, lambda: _for_plan(look(usage)), unknown_use)
        warnings = wish.warnings + (_lost_settings(now, sriov["incomplete"]) if wish.destroys_vfs else [])
        without = any(entry["reason"] == NO_LIBVIRT for entry in sriov["incomplete"])
        networks, doubt = dependent_networks(now) if wish.destroys_vfs and not without else ([], None)
        if not module.check_mode and wish.plan.changed:
            wish.plan.apply()
            sriov = gather([address], everything, run, sysfs)
    for warning in warnings + gone_cards(now, sysfs):
        module.warn(warning)
    if doubt:
        module.warn(f"Which networks hand out the VFs of {describe_pf(now)} is not known, so affected lacks them: {doubt}.")
    return {
        "changed": wish.plan.changed,
        "actions": wish.plan.actions,
        "affected": wish.affected + networks,
        "diff": as_diff(describe_pf(now), wish.before, wish.after),
        "pf": sriov["pfs"][0],
        "incomplete": sriov["incomplete"],
    }


def _for_plan(sriov: dict) -> tuple[dict, list[str]]:
    """The PF of the facts for a plan that may take VFs, and why it is not known who uses some of them, or will use new ones.

    A libvirt that is not installed is no reason. Of a PF without VFs the facts ask nobody.
    """
    (pf,) = without_libvirt(sriov)
    reasons = [entry["reason"] for entry in sriov["incomplete"] if entry["part"].endswith("used_by")] if pf["vfs"] else [ask_libvirt().doubt]
    return pf, [reason for reason in reasons if reason not in (None, NO_LIBVIRT)]


def _refuse_unread(sriov: dict, key: str, what: str, remedy: str) -> None:
    """Raise SriovError where a key of the PF could not be read that the plan cannot do without."""
    (pf,) = sriov["pfs"]
    for entry in sriov["incomplete"]:
        if entry["part"] == key and pf[key] is None:
            raise SriovError(f"{what.format(describe_pf(pf))} is not known ({entry['reason']}): {remedy}.")


def _lost_settings(pf: dict, incomplete: list[dict]) -> list[str]:
    """A sentence about VFs whose settings nobody can keep, because they are not known. A driver that has none loses none."""
    if not will_have_interface(pf):
        return []
    unknown = [entry for entry in incomplete if entry["part"].endswith(".config") and entry["reason"] != NO_CONFIGURATION.format(pf["driver"])]
    said = "are not known, so those that are not declared here are lost when the VFs are made anew"
    return [f"The settings of {entry['part'][: -len('.config')]} of {describe_pf(pf)} {said}: {entry['reason']}." for entry in unknown]
