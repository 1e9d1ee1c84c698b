# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: the options that describe a network, the same for the module and for the filter."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._network_canonical import plain_uuid
from ansible_collections.vfpool.sriov.plugins.module_utils._network_pool import POOL_MODES
from ansible_collections.vfpool.sriov.plugins.module_utils._network_rules import check_document
from ansible_collections.vfpool.sriov.plugins.module_utils._network_xml import Element, parse_network, render
from ansible_collections.vfpool.sriov.plugins.module_utils._pci import normal_pci_address

__all__ = ["DEFINITION_SPEC", "EXCLUSIVE", "HOST_SPEC", "POOL", "REQUIRED_BY", "definition"]

# What XML 1.0 calls no character.
_CONTROL = re.compile("[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\ud800-\\udfff\\ufffe\\uffff]")

_VIRTUALPORT = {
    "type": "dict",
    "options": {
        "type": {"type": "str", "required": True, "choices": ["802.1Qbg", "802.1Qbh", "openvswitch", "midonet"]},
        "managerid": {"type": "int"},
        "typeid": {"type": "int"},
        "typeidversion": {"type": "int"},
        "instanceid": {"type": "str"},
        "profileid": {"type": "str"},
        "interfaceid": {"type": "str"},
    },
}

DEFINITION_SPEC: dict = {
    "name": {"type": "str", "required": True},
    "uuid": {"type": "str"},
    "mode": {"type": "str", "choices": list(POOL_MODES)},
    "pf": {"type": "str"},
    "interfaces": {"type": "list", "elements": "str"},
    "addresses": {"type": "list", "elements": "str"},
    "xml": {"type": "str"},
    "vfs": {"type": "str"},
    "managed": {"type": "bool"},
    "driver": {"type": "str", "choices": ["vfio"]},
    "vlan": {"type": "int"},
    "virtualport": _VIRTUALPORT,
    "portgroups": {
        "type": "list",
        "elements": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "default": {"type": "bool", "default": False},
            "vlan": {"type": "int"},
            "virtualport": _VIRTUALPORT,
            "trust_guest_rx_filters": {"type": "bool"},
        },
    },
    "trust_guest_rx_filters": {"type": "bool"},
    "port_isolated": {"type": "bool"},
    "title": {"type": "str"},
    "description": {"type": "str"},
}

# What becomes of the network on a host; the definition is the same whatever these say.
HOST_SPEC: dict = {
    "uri": {"type": "str", "default": "qemu:///system"},
    "state": {"type": "str", "choices": ["present", "absent", "rendered"], "default": "present"},
    "active": {"type": "bool", "default": True},
    "autostart": {"type": "bool", "default": True},
    "refresh": {"type": "str", "choices": ["safe", "idle", "never"], "default": "safe"},
    "on_in_use": {"type": "str", "choices": ["fail", "force"], "default": "fail"},
    "overlap": {"type": "str", "choices": ["fail", "warn"], "default": "fail"},
}

POOL = ("pf", "interfaces", "addresses", "xml")
EXCLUSIVE = [
    POOL,
    *(("xml", option) for option in DEFINITION_SPEC if option not in ("name", "uuid", *POOL)),
]
REQUIRED_BY = {"vfs": ("pf",)}


def definition(options: dict, pool: dict | None, base: str | None = None) -> Element:
    """The document that the options mean; ``pool`` as ``render`` takes it, None for a whole document in ``xml``.

    ``base`` is the definition that there is. A whole document replaces it, but keeps its UUID, and its metadata too
    where the new one says nothing of metadata, for those belong to other programs.
    Raises SriovError when libvirt would refuse or bend the document.
    """
    if options.get("xml") is not None:
        root = _whole_document(options, base)
    else:
        mode = options.get("mode") or "passthrough"
        if options.get("managed") is not None and mode != "hostdev":
            raise SriovError(f"managed says who binds the VFs' drivers and has a meaning in mode hostdev alone, not in {mode}: leave it out.")
        _check_characters(options)
        root = render({**options, "mode": mode}, _normal(pool or {}), base)
    check_document(root)
    return root


def _check_characters(value: Any, name: str = "") -> None:
    """XML has no way to write most control characters, escaped or not."""
    if isinstance(value, str) and _CONTROL.search(value):
        raise SriovError(f"{name} has a control character ({value!r}), which XML cannot hold: remove it.")
    parts = value.items() if isinstance(value, dict) else ((name, part) for part in value) if isinstance(value, list) else ()
    for key, part in parts:
        _check_characters(part, key)


def _normal(pool: dict) -> dict:
    return {**pool, "addresses": [normal_pci_address(address) for address in pool.get("addresses") or []]}


def _whole_document(options: dict, base: str | None) -> Element:
    _check_characters(options["xml"], "xml")
    root = parse_network(options["xml"])
    for tag, plain in (("name", str), ("uuid", plain_uuid)):
        if options.get(tag) is not None and root.find(tag) is None:
            _insert(root, tag, options[tag])
        elif options.get(tag) is not None and plain(root.findtext(tag)) != plain(options[tag]):
            raise SriovError(f"The xml says {tag} {root.findtext(tag)}, but the option {tag} says {options[tag]}: make them the same.")
    if base is not None:
        old = parse_network(base)
        if root.find("uuid") is None:
            _insert(root, "uuid", old.findtext("uuid"))
        if root.find("metadata") is None and old.find("metadata") is not None:
            root.append(old.find("metadata"))
    return root


def _insert(root: Element, tag: str, text: str) -> None:
    _check_characters(text, tag)
    root.insert(0 if tag == "name" else 1, root.makeelement(tag))
    root.find(tag).text = text
