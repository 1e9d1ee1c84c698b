# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: one run of the module passthrough_port, from its options to its result."""

from __future__ import annotations

import copy
import hashlib
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._guest_leases import guest_runs
from ansible_collections.vfpool.sriov.plugins.module_utils._journal import Journal, recorded
from ansible_collections.vfpool.sriov.plugins.module_utils._leases import describe_lease, holders, member_of, parse_port, plug_element
from ansible_collections.vfpool.sriov.plugins.module_utils._ledger import read_leases
from ansible_collections.vfpool.sriov.plugins.module_utils._libvirt import connection, daemon_key, libvirt, network_key, said_by_libvirt
from ansible_collections.vfpool.sriov.plugins.module_utils._lock import locked, runtime_folder
from ansible_collections.vfpool.sriov.plugins.module_utils._lxml import etree
from ansible_collections.vfpool.sriov.plugins.module_utils._mac import normal_mac
from ansible_collections.vfpool.sriov.plugins.module_utils._network_pf import host_pfs
from ansible_collections.vfpool.sriov.plugins.module_utils._network_pool import VLAN_MODES, expected_members, is_exclusive
from ansible_collections.vfpool.sriov.plugins.module_utils._network_xml import Element, network_text, new_element, parse_network, pool_of
from ansible_collections.vfpool.sriov.plugins.module_utils._networks import counted, find_network, read_network
from ansible_collections.vfpool.sriov.plugins.module_utils._other_users import other_users
from ansible_collections.vfpool.sriov.plugins.module_utils._overlap import Devices, find_overlaps, unleased
from ansible_collections.vfpool.sriov.plugins.module_utils._pci import normal_pci_address
from ansible_collections.vfpool.sriov.plugins.module_utils._plan import Plan
from ansible_collections.vfpool.sriov.plugins.module_utils._port_xml import port_element, settings_of_network
from ansible_collections.vfpool.sriov.plugins.module_utils._recovery import close_record, plan_recovery
from ansible_collections.vfpool.sriov.plugins.module_utils._sysfs import Sysfs

__all__ = ["bring_port_to_state"]

# What tells one lease from another; the rest is what a lease is like.
_IDENTITY = ("owner_uuid", "owner_name", "mac")


def bring_port_to_state(options: dict, check: bool, warn: Callable[[str], None]) -> dict:
    """The module's result. In check mode it is the same, but nothing is written, and a port that would be made is in the diff alone."""
    _check_uuids(options)
    name = options["owner_name"]
    if name is not None and not (name.strip() and name.isprintable()):
        raise SriovError(f"owner_name {name!r} is no name: write one that is not empty and has no control character.")
    if options["mac"] is not None:
        options["mac"] = normal_mac(options["mac"], "the lease")
    uri = options["uri"]
    folder = runtime_folder(daemon_key(uri))
    with locked("libvirt", daemon_key(uri), check=check, folder=folder), connection(uri) as connected:
        run = _Port(connected, options, Journal(network_key(options["network"], uri), folder), check)
        result = run.converge()
    if run.doubt:
        warn(run.doubt)
    return result


def _check_uuids(options: dict) -> None:
    for name in ("uuid", "owner_uuid"):
        if options[name] is not None:
            try:
                options[name] = str(uuid.UUID(options[name]))
            except ValueError as error:
                raise SriovError(f"{name} {options[name]!r} is malformed: write it as 8-4-4-4-12 hexadecimal digits.") from error


class _Port:
    """One run with its connection, while it holds the lock of the daemon."""

    def __init__(self, connected: Any, options: dict, journal: Journal, check: bool) -> None:
        self.connected, self.options, self.journal, self.check = connected, options, journal, check
        self.name = options["network"]
        self.plan = Plan()
        self.doubt = ""  # what may be wrong with the member that was chosen
        self.foretold = ""  # the document of the port that the plan makes, as far as libvirt lets us know

    def converge(self) -> dict:
        network = self._network()
        if network is None:
            return {"changed": False, "actions": [], "diff": {"before": "", "after": ""}, "port": None}
        self.pfs = host_pfs(self.options["uri"])
        recovery = plan_recovery(self.connected, self.name, read_network(network), self.journal, self.pfs)
        if not self.check:
            recovery.plan.apply()
            close_record(self.connected, self.name, self.journal)
        with said_by_libvirt(f"tell the leases of the network {self.name}"):
            self.leases = read_leases(network) if network.isActive() else []
        self.restored = recovery.restored if self.check else []
        self.leases += self.restored
        before = found = self._find()
        if self.options["state"] == "absent":
            if found is not None:
                self._compare(found, _IDENTITY, "it stays, so name the lease to release")
                self._release(network, found)
        elif found is None:
            self._take(network)
        else:
            self._check_alone(network, found)
            self._compare(found, (*_IDENTITY, "portgroup", "vlan"), "release it first")
        if not self.check:
            self.plan.apply()
            found = self._find() if self.plan.changed else found
        after = None if self.options["state"] == "absent" else found
        return {
            "changed": recovery.plan.changed or self.plan.changed,
            "actions": recovery.plan.actions + self.plan.actions,
            "diff": {"before": before["xml"] if before else "", "after": after["xml"] if after else self.foretold},
            "port": _report(after) if after else None,
        }

    def _network(self) -> Any:
        """Libvirt's network, or None where no network is as good as no lease. Raises SriovError where that will not do."""
        network = find_network(self.connected, self.name)
        if network is None and self.options["state"] == "absent":
            if self.journal.read() is None:
                return None
            finish = "finish that first with vfpool.sriov.passthrough_network"
            raise SriovError(f"The network {self.name} went away in the middle of a rebuild, and its leases are on record alone: {finish}.")
        if network is None:
            raise SriovError(f"There is no network {self.name}: define it with vfpool.sriov.passthrough_network.")
        if not network.isActive() and self.options["state"] == "present" and self.journal.read() is None:
            raise SriovError(f"The network {self.name} is not running, so it gives no leases: start it, one of devices with vfpool.sriov.passthrough_network.")
        return network

    def _find(self) -> dict | None:
        """The lease that the options mean. Raises SriovError when they fit several."""
        if self.options["uuid"] is not None:
            return next((lease for lease in self.leases if lease["port"] == self.options["uuid"]), None)
        fitting = [lease for lease in self.leases if lease["owner_uuid"] == self.options["owner_uuid"] and self._fits(lease)]
        if len(fitting) > 1:
            said = ", ".join(f"{lease['port']} with {lease['mac']} on {member_of(lease)}" for lease in fitting)
            raise SriovError(f"{self.options['owner_name']} has several leases of the network {self.name} ({said}): say which by uuid or mac.")
        return fitting[0] if fitting else None

    def _fits(self, lease: dict) -> bool:
        return self.options["mac"] is None or lease["mac"] == self.options["mac"]

    def _release(self, network: Any, lease: dict) -> None:
        if guest_runs(self.connected, lease):
            raise SriovError(f"{describe_lease(lease)} and is a guest that runs: libvirt takes the lease back when it stops.")

        def release() -> None:
            with said_by_libvirt(f"release {member_of(lease)} of the network {self.name}"):
                network.portLookupByUUIDString(lease["port"]).delete()
            self.leases = read_leases(network)

        self.plan.add(f"release {member_of(lease) or lease['mac']} of the network {self.name}", release)

    def _take(self, network: Any) -> None:
        if self.options["owner_uuid"] is None:
            raise SriovError(f"The network {self.name} has no lease {self.options['uuid']}, and to make it needs owner_name and owner_uuid: give them.")
        plug = self.options["plug"]
        live = parse_network(network.XMLDesc(0))
        self._check_settings(live)
        self.pool = pool_of(live)
        self.members = self._there(expected_members(self.pool, self.pfs))
        self.exclusive = is_exclusive(live, self.options["portgroup"])
        self.others = self._held_otherwise(self.pool) if self.exclusive else []
        member = named = self._check_plug(live, plug) if plug else None
        if self.exclusive:
            self._check_count(network, "run vfpool.sriov.passthrough_network, which counts them anew")
        if named is None:
            member = self._next()
        if self.options["uuid"] is None:
            # One lease for each owner and MAC address, so the same in check mode and when it is taken again.
            self.options["uuid"] = str(uuid.uuid5(uuid.UUID(self.options["owner_uuid"]), f"{network.UUIDString()} {self.options['mac']}"))
        self.foretold = network_text(self._port(live, member))
        doing = f"confirm {named} of the network {self.name}" if named else f"take a member of the network {self.name}"
        self.plan.add(doing, lambda: self._create(network, live, named))

    def _there(self, members: list[str] | None) -> list[str] | None:
        """A live pool does not follow its card: it goes on having VFs that are no more."""
        if members is None or self.pfs is None:
            return members
        return [member for member in members if any(Sysfs().exists(f"{folder}/{member}") for folder in ("class/net", "bus/pci/devices"))]

    def _create(self, network: Any, live: Element, named: str | None) -> None:
        """Make the lease of the member that is ``named``, else of the next one.

        We choose, and not libvirt, which also hands out a member that is not there any more, or one that a guest has from elsewhere:
        a run that is killed before such a one is given back would leave it leased.
        """
        alone = False
        while not alone:
            member = self._check_plug(live, self.options["plug"]) if named else self._next()
            flags = libvirt().VIR_NETWORK_PORT_CREATE_RECLAIM if member else 0
            try:
                with said_by_libvirt(f"give {self.options['owner_name']} a lease of the network {self.name}"):
                    port = network.portCreateXML(etree().tostring(self._port(live, member), encoding="unicode"), flags)
            except SriovError:
                self.leases = read_leases(network)
                if named or not self.exclusive or member not in map(member_of, self.leases):
                    raise
                continue
            # libvirt 9.0 puts a UUID's raw bytes into one of its sentences, which the bindings then fail to decode.
            except (SystemError, UnicodeDecodeError) as error:
                said = f"libvirt does not give {self.options['owner_name']} {member or 'a member'} of the network {self.name}"
                raise SriovError(f"{said}, for it is not in its pool or another holds it: run this again.") from error
            try:
                alone = self._is_alone(network, live)
            finally:
                if not alone:
                    port.delete()

    def _is_alone(self, network: Any, live: Element) -> bool:
        """Whether nobody was given the member of the lease just made at the same time, as by another network."""
        self.leases = read_leases(network, self.leases)
        own = self._find()
        if not self.exclusive or own is None:
            return True
        if self._rivals(live, own):
            self.leases.remove(own)
            return False
        self._check_count(network, "restart libvirt's daemon, under which guests run on")
        return True

    def _rivals(self, live: Element, own: dict) -> list[dict]:
        """Who else has the member of the lease ``own``, be that there or to be made."""
        self.others = self._held_otherwise(pool_of(live))
        others = [*self.leases, *(one for one in self.others if one["owner_uuid"] != own["owner_uuid"])]
        return [one for one in others if one is not own and member_of(one) == member_of(own)]

    def _check_count(self, network: Any, remedy: str) -> None:
        """A member that libvirt does not count is given to the next guest too.

        It loses count by a SIGHUP or net-update --live. What is released then is counted below 0, which shows only when it is leased again.
        """
        _xml, leases, wrong = counted(network, [lease for lease in self.leases if lease not in self.restored])
        if wrong:
            said = f"libvirt has lost count of the leases of the network {self.name} (on {', '.join(wrong)}) and may give one VF to two"
            raise SriovError(f"{said}: {remedy}, and run this again.")
        self.leases = leases + self.restored

    def _held_otherwise(self, pool: dict) -> list[dict]:
        """What is held of the pool without a lease of it, as if it were leases: what running guests have, and what other networks have leased."""
        devices = Devices(pool, self.pfs)
        found = {(guest["uuid"], member): guest["name"] for member, guest in unleased(self.connected, devices, self.leases)}
        records = recorded(self.options["uri"])
        for name in find_overlaps(self.connected, self.name, devices, records):
            other = find_network(self.connected, name)
            record = records.get(name, {"leases": [], "before": [], "done": ()})
            leases = [lease for lease in map(parse_port, record["leases"] + record["before"]) if lease["port"] not in record["done"]]
            with said_by_libvirt(f"tell the leases of the network {name}"):
                for lease in leases + (read_leases(other) if other is not None and other.isActive() else []):
                    found.update(((lease["owner_uuid"], member), lease["owner_name"]) for member in devices.leased([lease]))
        return [_held(member, name, owner) for (owner, member), name in found.items()]

    def _next(self) -> str | None:
        """The member for a consumer that names none, the same in check mode and when it is taken; None on a bridge of the host, which has none."""
        if self.members is None and not self.exclusive:
            return None
        if not self.members:
            raise SriovError(f"The network {self.name} has no member, for none of its VFs is here: make them again, or take them back from where they are.")
        return self._free(self.members) if self.exclusive else self._least_used(self.members)

    def _free(self, members: list[str]) -> str:
        """The first member that nobody holds. Raises SriovError when there is none, so that check mode foretells that too."""
        used, unknown = other_users(Devices(self.pool, self.pfs), self.leases) if self.pfs is not None else ({}, {})
        held = [*self.leases, *self.others, *(_held(member, user, "") for member, users in used.items() for user in users)]
        taken = {member_of(one) for one in held}
        free = sorted((member for member in members if member not in taken), key=lambda member: member in unknown)
        if not free:
            raise SriovError(f"The network {self.name} has no free member, for {holders(held)}: release one, or make its pool larger.")
        if free[0] in unknown:
            self.doubt = f"Whether anything but libvirt's guests uses {free[0]} of the network {self.name} is not known: {unknown[free[0]]}."
        return free[0]

    def _least_used(self, members: list[str]) -> str:
        """The member that the fewest have, as libvirt chooses where guests share members."""
        used = Counter(map(member_of, self.leases))
        return min(members, key=lambda member: used[member])

    def _check_settings(self, live: Element) -> None:
        groups = [group.get("name") for group in live.iterfind("portgroup")]
        if self.options["portgroup"] is not None and self.options["portgroup"] not in groups:
            raise SriovError(f"The network {self.name} has no port group {self.options['portgroup']}: it has {', '.join(groups) or 'none'}.")
        mode, vlan = pool_of(live)["mode"], self.options["vlan"]
        if vlan is not None and (mode not in VLAN_MODES or not 0 <= vlan <= 4094):
            said = f"VLAN {vlan} cannot be set on a lease of the network {self.name}, which has mode {mode}"
            raise SriovError(f"{said}: it takes 0 to 4094, and mode {' or '.join(VLAN_MODES)}.")

    def _check_plug(self, live: Element, plug: dict) -> str:
        pool = pool_of(live)
        member: str = normal_pci_address(plug["address"]) if plug["address"] else plug["interface"]
        wrong = [key for key, right in (("mode", pool["mode"]), ("type", _plug_type(pool["mode"]))) if plug[key] not in (None, right)]
        members = expected_members(pool, self.pfs) or []  # in check mode the network may be yet to start, and lists none
        if wrong or member not in members:
            said = f"mode {pool['mode']} with the members {', '.join(members)}"
            asked = f"{plug['mode']} {member}" if plug["mode"] else member
            raise SriovError(f"The network {self.name} has {said}, so {asked} cannot be confirmed: name one of these.")
        others = self._rivals(live, {**self.options, "plug": {"interface": member}}) if self.exclusive else []
        if others:
            raise SriovError(f"{member} of the network {self.name} cannot be confirmed, because {holders(others)}: take another member.")
        return member

    def _port(self, live: Element, member: str | None) -> Element:
        options, port, group = self.options, self.options["uuid"], self.options["portgroup"]
        vlan = None if options["vlan"] is None else new_element("vlan", new_element("tag", id=str(options["vlan"])))
        parts = [vlan]
        if member is not None:
            plug = plug_element(pool_of(live)["mode"], member)
            if plug.get("type") == "hostdev-pci":
                plug.set("managed", live.find("forward").get("managed", "no"))
                plug[:0] = copy.deepcopy(live.findall("forward/driver"))
            parts = [*settings_of_network(live, port, group, vlan), plug]
        return port_element(port, options["owner_name"], options["owner_uuid"], options["mac"] or _derived_mac(port), group, parts)

    def _check_alone(self, network: Any, found: dict) -> None:
        """A lease that shares its member with another is no lease: libvirt gave one VF to two, by two networks or when it had lost count."""
        live = parse_network(network.XMLDesc(0))
        others = self._rivals(live, found) if is_exclusive(live, found["portgroup"]) else []
        if others:
            said = f"libvirt has given one member of the network {self.name} to several ({holders([found, *others])})"
            raise SriovError(f"{said}: stop or release all but the one that really uses it.")

    def _compare(self, found: dict, keys: tuple[str, ...], remedy: str) -> None:
        """What is asked for must be what there is: a lease cannot be changed, and another's is not released."""
        options = self.options
        for key in keys:
            if options[key] is not None and options[key] != found[key]:
                raise SriovError(f"The lease {found['port']} of the network {self.name} has {_named(key, found[key])}, not {options[key]}: {remedy}.")
        plug = options["plug"]
        if not plug:
            return
        held = found["plug"] or {}
        wrong = [key for key in ("type", "mode") if plug[key] not in (None, held.get(key))]
        if wrong or member_of(found) not in (plug["interface"], plug["address"] and normal_pci_address(plug["address"])):
            said = f"is on {member_of(found)} with mode {held.get('mode')}"
            raise SriovError(f"The lease {found['port']} of the network {self.name} {said}, not on what plug says: {remedy}.")


def _held(member: str, owner_name: str, owner_uuid: str) -> dict:
    """What holds a member without a lease, as if it were one."""
    return {"owner_name": owner_name, "owner_uuid": owner_uuid, "plug": {"interface": member}}


def _named(key: str, value: object) -> str:
    return f"no {key}" if value is None else f"{key} {value}"


def _plug_type(mode: str) -> str:
    return "hostdev-pci" if mode == "hostdev" else "direct"


def _derived_mac(port: str) -> str:
    """A locally administered address in QEMU's range, the same for a port whenever it is made."""
    digest = hashlib.sha256(port.encode()).digest()
    return "52:54:00:" + ":".join(f"{byte:02x}" for byte in digest[:3])


def _report(lease: dict) -> dict:
    """``port`` as the module returns it."""
    return {"uuid": lease["port"], **{key: lease[key] for key in ("owner_name", "owner_uuid", "mac", "plug", "xml")}}
