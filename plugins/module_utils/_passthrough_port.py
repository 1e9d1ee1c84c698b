# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: one run of the module passthrough_port, from its options to its result."""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING, Any

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._journal import Journal
from ansible_collections.vfpool.sriov.plugins.module_utils._leases import describe_lease, holders, member_of, plug_element, read_leases
from ansible_collections.vfpool.sriov.plugins.module_utils._libvirt import connection, daemon_key, error_code, libvirt, network_key, said_by_libvirt
from ansible_collections.vfpool.sriov.plugins.module_utils._lock import locked
from ansible_collections.vfpool.sriov.plugins.module_utils._lxml import etree
from ansible_collections.vfpool.sriov.plugins.module_utils._network_pf import host_pfs
from ansible_collections.vfpool.sriov.plugins.module_utils._network_pool import VLAN_MODES, is_exclusive
from ansible_collections.vfpool.sriov.plugins.module_utils._network_xml import members_of, parse_network, parse_xml, pool_of
from ansible_collections.vfpool.sriov.plugins.module_utils._networks import find_network, read_network
from ansible_collections.vfpool.sriov.plugins.module_utils._pci import normal_pci_address
from ansible_collections.vfpool.sriov.plugins.module_utils._plan import Plan
from ansible_collections.vfpool.sriov.plugins.module_utils._recovery import close_record, guest_runs, plan_recovery

if TYPE_CHECKING:
    from ansible_collections.vfpool.sriov.plugins.module_utils._network_xml import Element

__all__ = ["bring_port_to_state"]

_INTERNAL_ERROR = 1


def bring_port_to_state(options: dict[str, Any], check: bool) -> dict[str, Any]:
    """The module's result. In check mode it is the same, but nothing is written, and a port that would be made is not known."""
    _check_uuids(options)
    uri = options["uri"]
    with locked("libvirt", daemon_key(uri), check=check), connection(uri) as connected:
        return _Port(connected, options, Journal(network_key(options["network"], uri)), check).converge()


def _check_uuids(options: dict[str, Any]) -> None:
    for name in ("uuid", "owner_uuid"):
        if options[name] is not None:
            try:
                options[name] = str(uuid.UUID(options[name]))
            except ValueError as error:
                raise SriovError(f"{name} {options[name]!r} is malformed: write it as 8-4-4-4-12 hexadecimal digits.") from error


class _Port:
    """One run with its connection, while it holds the lock of the daemon."""

    def __init__(self, connected: Any, options: dict[str, Any], journal: Journal, check: bool) -> None:
        self.connected, self.options, self.journal, self.check = connected, options, journal, check
        self.name = options["network"]
        self.plan = Plan()

    def converge(self) -> dict[str, Any]:
        network = self._network()
        recovery = plan_recovery(self.connected, self.name, read_network(network), self.journal, host_pfs(self.options["uri"]))
        if not self.check:
            recovery.plan.apply()
            close_record(self.connected, self.name, self.journal)
        with said_by_libvirt(f"tell the leases of the network {self.name}"):
            self.leases = read_leases(network) if network.isActive() else []
        if self.check:
            self.leases += recovery.restored
        before = found = self._find()
        if self.options["state"] == "absent":
            if found is not None:
                self._release(network, found)
        elif found is None:
            self._take(network)
        else:
            self._compare(found)
        if not self.check:
            self.plan.apply()
            found = self._find() if self.plan.changed else found
        after = None if self.options["state"] == "absent" else found
        return {
            "changed": recovery.plan.changed or self.plan.changed,
            "actions": recovery.plan.actions + self.plan.actions,
            "diff": {"before": before["xml"] if before else "", "after": after["xml"] if after else ""},
            "port": _report(after) if after else None,
        }

    def _network(self) -> Any:
        network = find_network(self.connected, self.name)
        if network is None:
            raise SriovError(f"There is no network {self.name}: define it with vfpool.sriov.passthrough_network.")
        if not network.isActive() and self.options["state"] == "present" and self.journal.read() is None:
            raise SriovError(f"The network {self.name} is not running, so it gives no leases: start it with vfpool.sriov.passthrough_network.")
        return network

    def _find(self) -> dict[str, Any] | None:
        """The lease that the options mean. Raises SriovError when they fit several."""
        if self.options["uuid"] is not None:
            return next((lease for lease in self.leases if lease["port"] == self.options["uuid"]), None)
        fitting = [lease for lease in self.leases if lease["owner_uuid"] == self.options["owner_uuid"] and self._fits(lease)]
        if len(fitting) > 1:
            said = ", ".join(f"{lease['port']} with {lease['mac']} on {member_of(lease)}" for lease in fitting)
            raise SriovError(f"{self.options['owner_name']} has several leases of the network {self.name} ({said}): say which by uuid or mac.")
        return fitting[0] if fitting else None

    def _fits(self, lease: dict[str, Any]) -> bool:
        return self.options["mac"] is None or lease["mac"] == self.options["mac"].lower()

    def _release(self, network: Any, lease: dict[str, Any]) -> None:
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
        flags = libvirt().VIR_NETWORK_PORT_CREATE_RECLAIM if plug else 0
        member = self._check_plug(live, plug) if plug else None
        port = self._port(pool_of(live)["mode"], member)
        if member is None:
            self._check_free(live)

        def take() -> None:
            with said_by_libvirt(f"give {self.options['owner_name']} a lease of the network {self.name}"):
                try:
                    network.portCreateXML(etree().tostring(port, encoding="unicode"), flags)
                except libvirt().libvirtError as error:
                    if error_code(error) == _INTERNAL_ERROR and "none are available" in str(error):
                        raise self._exhausted(read_leases(network)) from error
                    raise
                # libvirt 9.0 puts a UUID's raw bytes into one of its sentences, which the bindings then fail to decode.
                except (SystemError, UnicodeDecodeError) as error:
                    said = f"libvirt does not give {self.options['owner_name']} {member or 'a member'} of the network {self.name}"
                    raise SriovError(f"{said}, for it is not in its pool or another holds it: run this again.") from error
                self.leases = read_leases(network)
            self.options["uuid"] = port.findtext("uuid")

        self.plan.add(f"confirm {member} of the network {self.name}" if member else f"take a member of the network {self.name}", take)

    def _check_settings(self, live: Element) -> None:
        groups = [group.get("name") for group in live.iterfind("portgroup")]
        if self.options["portgroup"] is not None and self.options["portgroup"] not in groups:
            raise SriovError(f"The network {self.name} has no port group {self.options['portgroup']}: it has {', '.join(groups) or 'none'}.")
        mode, vlan = pool_of(live)["mode"], self.options["vlan"]
        if vlan is not None and (mode not in VLAN_MODES or not 0 <= vlan <= 4094):
            said = f"VLAN {vlan} cannot be set on a lease of the network {self.name}, which has mode {mode}"
            raise SriovError(f"{said}: it takes 0 to 4094, and mode {' or '.join(VLAN_MODES)}.")

    def _check_free(self, live: Element) -> None:
        """So that check mode foretells an exhausted pool too. Members of the other modes are shared."""
        taken = {member_of(lease) for lease in self.leases}
        if is_exclusive(live, self.options["portgroup"]) and all(member in taken for member in members_of(pool_of(live))):
            raise self._exhausted(self.leases)

    def _exhausted(self, leases: list[dict[str, Any]]) -> SriovError:
        return SriovError(f"The network {self.name} has no free member, for {holders(leases)}: release one, or make its pool larger.")

    def _check_plug(self, live: Element, plug: dict[str, Any]) -> str:
        pool = pool_of(live)
        member: str = normal_pci_address(plug["address"]) if plug["address"] else plug["interface"]
        wrong = [key for key, right in (("mode", pool["mode"]), ("type", _plug_type(pool["mode"]))) if plug[key] not in (None, right)]
        if wrong or member not in members_of(pool):
            said = f"mode {pool['mode']} with the members {', '.join(members_of(pool))}"
            raise SriovError(f"The network {self.name} has {said}, so {plug['mode'] or ''} {member} cannot be confirmed: name one of these.".replace("  ", " "))
        others = [lease for lease in self.leases if member_of(lease) == member]
        if others and is_exclusive(live, self.options["portgroup"]):
            raise SriovError(f"{member} of the network {self.name} cannot be confirmed, because {holders(others)}: take another member.")
        return member

    def _port(self, mode: str, member: str | None) -> Element:
        new = etree().SubElement
        options = self.options
        port = etree().Element("networkport")
        new(port, "uuid").text = options["uuid"] or str(uuid.uuid4())
        owner = new(port, "owner")
        new(owner, "name").text = options["owner_name"]
        new(owner, "uuid").text = options["owner_uuid"]
        new(port, "mac", address=options["mac"] or _mac(port.findtext("uuid")))
        if options["portgroup"]:
            new(port, "group").text = options["portgroup"]
        if options["vlan"] is not None:
            new(new(port, "vlan"), "tag", id=str(options["vlan"]))
        if member is not None:
            port.append(plug_element(mode, member))
        return port

    def _compare(self, found: dict[str, Any]) -> None:
        """A lease cannot be changed: what is asked for must be what there is."""
        options, port = self.options, parse_xml(found["xml"])
        tag = port.find("vlan/tag")
        there = {
            "owner_uuid": found["owner_uuid"],
            "owner_name": found["owner_name"],
            "mac": found["mac"],
            "portgroup": port.findtext("group"),
            "vlan": int(tag.get("id")) if tag is not None else None,
        }
        asked = {**options, "mac": options["mac"].lower() if options["mac"] else None}
        for key, value in there.items():
            if asked[key] is not None and asked[key] != value:
                raise SriovError(f"The lease {found['port']} of the network {self.name} has {key} {value}, not {options[key]}: release it first.")
        plug = options["plug"]
        if not plug:
            return
        held = found["plug"] or {}
        wrong = [key for key in ("type", "mode") if plug[key] not in (None, held.get(key))]
        if wrong or member_of(found) not in (plug["interface"], plug["address"] and normal_pci_address(plug["address"])):
            said = f"is on {member_of(found)} with mode {held.get('mode')}"
            raise SriovError(f"The lease {found['port']} of the network {self.name} {said}, not on what plug says: release it first.")


def _plug_type(mode: str) -> str:
    return "hostdev-pci" if mode == "hostdev" else "direct"


def _mac(port: str) -> str:
    """A locally administered address in QEMU's range, the same for a port whenever it is made."""
    digest = hashlib.sha256(port.encode()).digest()
    return "52:54:00:" + ":".join(f"{byte:02x}" for byte in digest[:3])


def _report(lease: dict[str, Any]) -> dict[str, Any]:
    """``port`` as the module returns it."""
    return {"uuid": lease["port"], **{key: lease[key] for key in ("owner_name", "owner_uuid", "mac", "plug", "xml")}}
