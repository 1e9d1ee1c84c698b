# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: what a network document may not say (pure).

libvirt accepts each of these at define and then drops part of it, or fails when a guest starts; or it refuses with words
that do not say what to do. Typed options and whole documents pass through the same rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._network_pool import POOL_MODES, VLAN_MODES, profile_of
from ansible_collections.vfpool.sriov.plugins.module_utils._network_xml import Element, pool_of
from ansible_collections.vfpool.sriov.plugins.module_utils._selectors import is_interface_name

__all__ = ["check_document"]

_NEVER = ("ip", "route", "forward/nat", "dns/host", "dns/txt", "dns/srv", "domain", "bandwidth", "mtu", "mac")
_UUID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
# What libvirt's schema (networkcommon.rng, basictypes.rng) lets the parameters of a virtualport be, in all types and in each.
_NUMBER = re.compile(r"0x[0-9a-f]{1,6}|[0-9]{1,9}", re.IGNORECASE)
_LARGEST = {"managerid": 0xFF, "typeid": 0xFFFFFF, "typeidversion": 0xFF}
_PARAMETERS = {
    "802.1Qbg": (*_LARGEST, "instanceid"),
    "802.1Qbh": ("profileid",),
    "openvswitch": ("profileid", "interfaceid"),
    "midonet": ("interfaceid",),
}
_LONGEST_NAME = 255 - len(".xml.new")  # virNetworkSaveXML of src/conf/network_conf.c, virFileRewrite of src/util/virfile.c
_PORTGROUP = re.compile(r"[a-zA-Z0-9_.\\:/-]+")


def check_document(root: Element) -> None:
    """Raises SriovError for the first rule that the document breaks."""
    name = root.findtext("name") or ""
    where = f"network {name}"
    _check_names(root, name)
    pool = pool_of(root)
    if pool["mode"] not in POOL_MODES:
        mode = f"forward mode {pool['mode']}" if pool["mode"] else "no forward mode"
        raise SriovError(f"The {where} has {mode}, which hands out no devices: use one of {', '.join(POOL_MODES)}.")
    forward = root.find("forward")
    if forward.get("managed", "no") not in ("yes", "no"):
        raise SriovError(f"managed of {where} is {forward.get('managed')!r}, which libvirt takes for no: write yes or no.")
    for tag in _NEVER:
        if root.find(tag) is not None:
            raise SriovError(f"The {where} has <{tag}>, which libvirt has only for networks with a bridge of its own, not in mode {pool['mode']}: remove it.")
    _check_pool(pool, forward, where, root.find("bridge") is not None)
    driver = forward.find("driver")
    if driver is not None and pool["mode"] != "hostdev":
        raise SriovError(f"The {where} names a driver for its VFs, which has an effect in mode hostdev alone: remove it, or use that mode.")
    if driver is not None and driver.get("name") == "kvm":
        raise SriovError(f"The {where} asks for the driver kvm, which Linux no longer has, so no guest would start: use vfio, or leave it out.")
    _check_ports(root, pool["mode"], where)


def _check_names(root: Element, name: str) -> None:
    if not name.strip() or re.search("[/\r\n]", name):
        raise SriovError(f"{name!r} is no name for a network: write one that is not empty and has no slash.")
    if len(name.encode()) > _LONGEST_NAME:
        raise SriovError(f"The name {name[:20]}… is too long for a network, of which libvirt names files: write at most {_LONGEST_NAME} bytes.")
    uuid = root.findtext("uuid")
    if uuid is not None and not _UUID.fullmatch(uuid):
        raise SriovError(f"The UUID {uuid!r} of network {name} is malformed: write it as 8-4-4-4-12 hexadecimal digits.")
    title = root.findtext("title", "none")
    if not title.strip() or re.search("[\r\n]", title):
        raise SriovError(f"The title of network {name} is not one line of text: leave it out, or put it into the description.")


def _check_pool(pool: dict, forward: Element, where: str, bridge: bool) -> None:
    """The rules for what the pool is: one kind of member, the right one for the mode."""
    kinds = [kind for kind in ("interfaces", "addresses", "pf") if pool[kind]]
    if len(kinds) > 1:
        kept, dropped = kinds[0], ", ".join(kinds[1:])
        raise SriovError(f"The {where} names both {kept} and {dropped}, and libvirt would silently drop {dropped}: give one of them.")
    if bridge:
        if pool["mode"] != "bridge" or kinds:
            raise SriovError(f"The {where} names a bridge, which goes only with mode bridge and without a pool of devices: remove it.")
        return
    if not kinds:
        raise SriovError(f"The {where} has an empty pool, so no guest would start: name a pf, interfaces or addresses.")
    if forward.get("dev") and pool["interfaces"] and forward.get("dev") != pool["interfaces"][0]:
        raise SriovError(f"The {where} has dev {forward.get('dev')} at its <forward>, which can only be the first of its interfaces: leave it out.")
    if len(forward.findall("pf")) > 1:
        raise SriovError(f"The {where} names two PFs, and libvirt takes one: make a network for each PF, or list interfaces.")
    if pool["mode"] == "hostdev" and pool["interfaces"]:
        raise SriovError(f"The {where} lists interfaces, but mode hostdev hands out PCI devices: list them with addresses, or use another mode.")
    kinds_of_address = {address.get("type", "none") for address in forward.iterfind("address")} - {"pci"}
    if kinds_of_address:
        raise SriovError(f"The {where} lists an address of type {min(kinds_of_address)}, and only PCI devices are handed out: write type='pci'.")
    if pool["mode"] != "hostdev" and pool["addresses"]:
        raise SriovError(f"The {where} lists PCI addresses, but mode {pool['mode']} hands out interfaces: list them with interfaces, or use mode hostdev.")
    _check_members(pool, where)


def _check_members(pool: dict, where: str) -> None:
    for member in [*pool["interfaces"], *([pool["pf"]] if pool["pf"] else [])]:
        if not is_interface_name(member or ""):
            raise SriovError(f"{member or ''!r} in the pool of {where} is no interface name: write at most 15 characters without a slash, colon or space.")
    twice = _twice(pool["interfaces"] or pool["addresses"])
    if twice:
        raise SriovError(f"{twice} is in the pool of {where} twice: list each member once.")


def _check_ports(root: Element, mode: str, where: str) -> None:
    """The rules for what a guest's port gets: from the network, or from one of its port groups."""
    names = [group.get("name", "") for group in root.iterfind("portgroup")]
    for name in names:
        if not _PORTGROUP.fullmatch(name):
            raise SriovError(f"{name!r} is no name for a port group of {where}: write one or more of a-z, A-Z, 0-9 and _ . : / \\ -.")
    if _twice(names):
        raise SriovError(f"The {where} has two port groups named {_twice(names)}: name each differently.")
    defaults = [group.get("name") for group in root.iterfind("portgroup") if group.get("default") == "yes"]
    if len(defaults) > 1:
        raise SriovError(f"The {where} has more than one default port group ({', '.join(defaults)}): choose one.")
    bridge = root.find("bridge") is not None
    for place, said in [(root, where)] + [(group, f"port group {group.get('name')} of {where}") for group in root.iterfind("portgroup")]:
        if place.find("virtualport") is not None:
            _check_virtualport(place.find("virtualport"), bridge, mode, said)
        if not bridge:
            if place.find("bandwidth") is not None:
                raise SriovError(f"The {said} has <bandwidth>, which libvirt has no way to apply in mode {mode}: limit the VFs' rates with sriov_pf instead.")
            _check_vlan(place.find("vlan"), mode, said)
            _check_profile_with_vlan(place, root, mode, said)
            profile_of([place, root])
    port = root.find("port")
    if port is not None and port.get("isolated") == "yes" and not bridge:
        raise SriovError(f"The {where} isolates its ports, which works on a Linux bridge alone, so no guest would start in mode {mode}: remove port_isolated.")


def _check_vlan(vlan: Any, mode: str, where: str) -> None:
    if vlan is None:
        return
    if mode not in VLAN_MODES:  # in mode bridge libvirt 11.3 starts the network, and no guest of it
        raise SriovError(f"The {where} has a VLAN, and mode {mode} cannot set one: use mode passthrough or hostdev.")
    tags = vlan.findall("tag")
    if not tags:
        raise SriovError(f"The {where} has a <vlan> without a <tag>: write the VLAN into one, or remove it.")
    if len(tags) != 1 or vlan.get("trunk") == "yes" or any(tag.get("nativeMode") for tag in tags):
        raise SriovError(f"The {where} has a VLAN trunk, with which no guest starts on an SR-IOV device: give one VLAN, or a port group for each.")
    if not (re.fullmatch("0*[0-9]{1,4}", tags[0].get("id", "")) and int(tags[0].get("id")[-4:]) <= 4094):
        raise SriovError(f"The VLAN {tags[0].get('id', 'without an id')} of {where} does not exist: write a number from 0 to 4094.")


def _check_virtualport(virtualport: Element, bridge: bool, mode: str, where: str) -> None:
    kind, possible = virtualport.get("type"), ("802.1Qbh",) if mode == "hostdev" else ("802.1Qbg", "802.1Qbh")
    if not bridge and kind not in possible:
        raise SriovError(f"The {where} has a virtualport of type {kind}, with which no guest starts in mode {mode}: use {' or '.join(possible)}, or remove it.")
    known, parameters = _PARAMETERS.get(kind), virtualport.find("parameters")
    if known is None or parameters is None:
        return
    for name, value in parameters.items():
        if name not in known:
            raise SriovError(f"The {where} has the parameter {name}, which a virtualport of type {kind} has not: it has {', '.join(known)}.")
        good: object
        if name in _LARGEST:
            good, form = _NUMBER.fullmatch(value) and int(value, 16 if value[1:2] in ("x", "X") else 10) <= _LARGEST[name], f"0 to {_LARGEST[name]}"
        elif name == "profileid":
            # libvirt 9.0 prints it as it is, and could not read its own document again.
            good, form = 0 < len(value.encode()) < 40 and not re.search("[\t\r\n<&']", value), "one line of 1 to 39 bytes without a tab, <, & or '"
        else:
            good, form = _UUID.fullmatch(value), "8-4-4-4-12 hexadecimal digits"
        if not good:
            raise SriovError(f"The {name} of {where} is {value!r}: write {form}.")


def _check_profile_with_vlan(place: Element, root: Element, mode: str, where: str) -> None:
    """A port group has what the network has, unless it says otherwise."""
    own, vlan = place.find("virtualport"), place.find("vlan") if place.find("vlan") is not None else root.find("vlan")
    profile = own if own is not None else root.find("virtualport")
    if vlan is None or profile is None:
        return
    said = f"The {where} has both a VLAN and a virtualport of type {profile.get('type')}"
    if mode == "hostdev":
        raise SriovError(f"{said}, which libvirt refuses when a guest starts: the switch sets the VLAN.")
    if own is not None and place is not root:
        raise SriovError(f"{said}, which libvirt allows for a whole network but for no port group: move the virtualport to the network, or remove one.")


def _twice(values: Iterable[str]) -> str | None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            return value
        seen.add(value)
    return None
