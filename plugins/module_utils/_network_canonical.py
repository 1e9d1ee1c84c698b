# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: two network documents mean the same when libvirt would store the same (pure).

The canonical form of a document is nested tuples. It follows what libvirt's parser and formatter do (src/conf/network_conf.c):
defaults left out, numbers in one base, counters of the live network gone, comments gone outside metadata.
"""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.vfpool.sriov.plugins.module_utils._lxml import etree
from ansible_collections.vfpool.sriov.plugins.module_utils._network_xml import Element, pool_of

__all__ = ["canonical", "plain_uuid", "same_network"]

_NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|[0-9]{1,99}")
_UUID = re.compile(r"[0-9a-f]{32}")
# Attributes whose absence means this value; libvirt prints some of them and drops others.
_DEFAULTS = {("network", "ipv6"): "no", ("portgroup", "default"): "no", ("vlan", "trunk"): "no"}
_POOL = ("interface", "address", "pf")


def same_network(first: Element, second: Element) -> bool:
    return canonical(first) == canonical(second)


def canonical(root: Element, pool: bool = True) -> tuple[Any, ...]:
    """The canonical form of a network document; with ``pool=False`` that of all but its interface pool."""
    return _element(root, pool)


def _element(element: Element, pool: bool) -> tuple[Any, ...]:
    tag = element.tag
    if tag == "metadata":
        # libvirt keeps the elements in it, and what is inside of these.
        return (tag, (), tuple(map(_literal, _without_blanks(element).iterfind("*"))) or None, ())
    attributes = tuple(sorted(_attributes(element)))
    children = [_element(child, pool) for child in element if isinstance(child.tag, str) and not (tag == "forward" and child.tag in _POOL)]
    # Children of different names come in any order; those of one name keep theirs.
    children.sort(key=lambda child: child[0])
    if tag == "vlan" and len(children) > 1:
        attributes = (("trunk", "yes"),)
    kept = tuple(child for child in children if child not in _EMPTY)
    text = _text(tag, element.text) if not len(element) else None
    if tag == "forward":
        return (tag, attributes, text, kept, _pool(element) if pool else None)
    return (tag, attributes, text, kept)


# Elements that say nothing when they are empty, in canonical form.
_EMPTY = tuple((tag, (), None, ()) for tag in ("title", "description", "metadata", "parameters", "port", "bridge", "bandwidth", "dns", "driver"))


def _attributes(element: Element) -> list[tuple[str, str]]:
    found = dict(element.attrib)
    if element.tag in ("network", "interface", "address"):
        found.pop("connections", None)
    if element.tag == "forward":
        # The first interface again: part of the pool.
        found.pop("dev", None)
        managed = found.pop("managed", "no").lower()
        if found.setdefault("mode", "nat") == "hostdev":
            found["managed"] = "yes" if managed == "yes" else "no"
    return [(name, _value(name, value)) for name, value in found.items() if _DEFAULTS.get((element.tag, name)) != value]


def _value(name: str, value: str) -> str:
    value = value.strip()
    if name in ("interfaceid", "instanceid"):
        return plain_uuid(value)
    if name not in ("name", "profileid") and _NUMBER.fullmatch(value):
        return str(int(value, 16 if value[:2] in ("0x", "0X") else 10))
    return value.lower() if name == "address" else value


def _text(tag: str, text: str | None) -> str | None:
    if tag == "uuid":
        return plain_uuid(text or "")
    # As every parser of XML reads line ends.
    return re.sub("\r\n?", "\n", text) if text and text.strip() else None


def plain_uuid(text: str) -> str:
    """A UUID in the one spelling that serves to compare it; what is none stays as it is."""
    plain = text.replace("-", "").strip().lower()
    return plain if _UUID.fullmatch(plain) else text


def _pool(forward: Element) -> tuple[Any, ...]:
    """What libvirt takes as the pool: interfaces before addresses before a PF, the others silently dropped."""
    found = pool_of(forward.getparent())
    if found["interfaces"]:
        return ("interfaces", *found["interfaces"])
    if found["addresses"]:
        return ("addresses", *found["addresses"])
    return ("pf", found["pf"]) if found["pf"] else ()


def _literal(node: Element) -> tuple[Any, ...]:
    """All that an element, comment or processing instruction says. lxml's own canonical form refuses namespaces that are no absolute URI."""
    inside = tuple((_literal(child), child.tail) for child in node)
    return (node.tag, node.prefix, getattr(node, "target", None), tuple(sorted(node.attrib.items())), node.text, inside)


def _without_blanks(element: Element) -> Element:
    """A copy without the white space between elements, which libvirt's indentation changes."""
    parser = etree().XMLParser(remove_blank_text=True, resolve_entities=False)
    return etree().fromstring(etree().tostring(element, with_tail=False), parser)
