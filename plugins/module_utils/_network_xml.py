# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: options to libvirt network XML and back (pure), losing nothing on the way.

A document is edited in place, so that what these functions do not know stays as it is.
Sources: libvirt's network XML format (formatnetwork.html) and its schema ``network.rng``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._lxml import etree
from ansible_collections.vfpool.sriov.plugins.module_utils._pci import normal_pci_address

__all__ = ["Element", "explicit_text", "members_of", "network_text", "new_element", "parse_network", "parse_stored", "parse_xml", "pci_element",
           "pci_of", "pool_of", "render", "set_members"]  # fmt: skip

Element = Any  # lxml's element type has no public name

# The order in which libvirt prints the children of <network>; a new child takes its place in it.
_ORDER = (
    *("name", "uuid", "title", "description", "metadata", "forward", "bridge", "mtu", "mac", "domain", "dns"),
    *("vlan", "bandwidth", "port", "ip", "route", "virtualport", "portgroup"),
)
# What may stand before the root. Nothing in it can end in two places, so that no text takes long to match.
_DOCTYPE = re.compile(r"\ufeff?(?:\s|<\?(?:(?!\?>).)*\?>|<!--(?:(?!-->).)*-->)*<!DOCTYPE", re.DOTALL)
# The standard library's own escape brings an HTTP client with it.
_ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&apos;", '"': "&quot;"})


def parse_network(text: str, source: str = "The xml") -> Element:
    """The root element of a network document.

    Refuses a document type, and with it every entity, unread: libxml2 expands parameter entities whatever it is told, some releases without end.
    ``source`` names the document in the SriovError that is raised when the text is no well-formed ``<network>``.
    """
    if _DOCTYPE.match(text):
        raise SriovError(f"{source} has a document type (<!DOCTYPE …>): remove it, a network document needs no entities.")
    try:
        root = parse_xml(text)
    except (etree().XMLSyntaxError, ValueError) as error:
        raise SriovError(f"{source} is not well-formed: {error}.") from error
    if root.tag != "network":
        raise SriovError(f"{source} is a <{root.tag}> document: give one whose root is <network>.")
    for child in root.iterchildren("name", "uuid", "title", "description"):
        etree().strip_tags(child, etree().Comment, etree().ProcessingInstruction)
    return root


def parse_stored(text: str, name: str) -> Element:
    """What libvirt says of the network ``name``. It prints the name of a port profile unescaped, so that may be no document at all."""
    try:
        return parse_network(text)
    except SriovError as error:
        remedy = "so it would be lost when the daemon restarts: remove it with virsh net-undefine, and define it with another virtualport"
        raise SriovError(f"libvirt's own XML of the network {name} is not well-formed, {remedy}.") from error


def parse_xml(text: str) -> Element:
    """The root element of any document, entities left alone; the encoding that it declares is that of a file, not of ``text``."""
    parser = etree().XMLParser(encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, strip_cdata=False)
    return etree().fromstring(text.encode("utf-8"), parser)


def render(options: dict, pool: dict, base: str | None = None) -> Element:
    """The document that ``options`` (those of the module passthrough_network) describe.

    ``pool`` has one key: ``pf`` (an interface name), ``interfaces`` or ``addresses``. ``base`` is the document to edit:
    what no option describes survives in it. Options that are None describe an element that is not there.
    """
    root = etree().Element("network") if base is None else parse_network(base, "libvirt's own XML")
    _set_attribute(root, "trustGuestRxFilters", _yes_no(options.get("trust_guest_rx_filters")))
    _set_text(root, "name", options["name"])
    if options.get("uuid") is not None:
        _child(root, "uuid").text = options["uuid"]
    _set_text(root, "title", options.get("title"))
    _set_text(root, "description", options.get("description"))
    _edit_forward(_child(root, "forward"), options, pool)
    _replace(root, "vlan", _vlan(options.get("vlan")))
    _replace(root, "port", _port(options.get("port_isolated")))
    _replace(root, "virtualport", _virtualport(options.get("virtualport")))
    _replace(root, "portgroup", *map(_portgroup, options.get("portgroups") or []))
    return root


def pool_of(root: Element) -> dict:
    """The interface pool of a document: ``mode``, ``pf`` (or None), and ``interfaces`` and ``addresses`` in order.

    libvirt repeats the first interface as the ``dev`` of ``<forward>``; alone, that attribute is a pool of one.
    """
    forward = root.find("forward")
    if forward is None:
        return {"mode": None, "pf": None, "interfaces": [], "addresses": []}
    pf = forward.find("pf")
    interfaces = [entry.get("dev") for entry in forward.iterfind("interface")]
    return {
        "mode": forward.get("mode", "nat"),
        "pf": None if pf is None else pf.get("dev"),
        "interfaces": interfaces or [dev for dev in [forward.get("dev")] if dev],
        "addresses": [pci_of(entry) for entry in forward.iterfind("address")],
    }


def members_of(pool: dict) -> list[str]:
    """The interfaces and addresses that a document lists. libvirt lets a live pool have both."""
    members: list[str] = pool["interfaces"] + pool["addresses"]
    return members


def explicit_text(live: str) -> str:
    """A definition that starts with the members that a live network has, whatever its PF gives now."""
    root = parse_network(live, "libvirt's own XML")
    _replace(root.find("forward"), "pf")
    return network_text(root)


def set_members(live: Element, pool: dict, counts: Mapping[Any, int]) -> None:
    """Give a document the members of a live network, and as many connections as are counted for each."""
    forward = live.find("forward")
    _replace(forward, "interface", *(new_element("interface", dev=name, connections=str(counts.get(name, 0))) for name in pool.get("interfaces") or []))
    _replace(forward, "address", *(pci_element(address, type="pci") for address in pool.get("addresses") or []))
    live.set("connections", str(sum(counts.values())))


def pci_of(address: Element) -> str:
    """The normal PCI address of an ``<address type='pci' …/>``, whose numbers may be written in any base that C knows.

    Raises SriovError for a number that is none.
    """
    domain, bus, slot, function = (_number(address, part) for part in ("domain", "bus", "slot", "function"))
    return normal_pci_address(f"{domain:04x}:{bus:02x}:{slot:02x}.{function:x}")


def pci_element(address: str, **attributes: str) -> Element:
    """The ``<address …/>`` of a PCI address, as libvirt prints it: other ``attributes`` come first."""
    domain, bus, rest = normal_pci_address(address).split(":")
    slot, function = rest.split(".")
    return new_element("address", **attributes, domain=f"0x{domain}", bus=f"0x{bus}", slot=f"0x{slot}", function=f"0x{function}")


def _number(address: Element, part: str) -> int:
    """As strtoul reads it, by which libvirt does: a leading 0x is hexadecimal, a leading 0 alone is octal."""
    text = (address.get(part) or "0").strip()
    try:
        return int(text, 8) if text.isdecimal() and text.startswith("0") else int(text, 0)
    except ValueError as error:
        raise SriovError(f"The {part} {text!r} of a PCI address is no number: write it as 0x and hexadecimal digits.") from error


def network_text(element: Element, indent: str = "") -> str:
    """An element as libvirt writes it: single quotes, two spaces. Metadata and unknown elements stay byte for byte what they were."""
    top = element.getparent() is not None and element.getparent().tag == "network"
    if not isinstance(element.tag, str) or (top and (element.tag == "metadata" or element.tag not in _ORDER)):
        text = etree().tostring(element, encoding="unicode", with_tail=False)
        for prefix, uri in element.getparent().nsmap.items() if top else ():
            if element.nsmap[prefix] == uri:  # then lxml writes down what the element inherits
                text = re.sub(f' xmlns:{re.escape(prefix)}="[^"]*"', "", text, count=1)
        return f"{indent}{text}\n"
    quoted = "".join(f" {name}='{value.translate(_ESCAPED)}'" for name, value in element.attrib.items())
    namespaces = "".join(f" xmlns:{prefix}='{uri.translate(_ESCAPED)}'" for prefix, uri in element.nsmap.items()) if element.getparent() is None else ""
    start = f"{indent}<{element.tag}{namespaces}{quoted}"
    if len(element):
        inside = "".join(network_text(child, indent + "  ") for child in element)
        return f"{start}>\n{inside}{indent}</{element.tag}>\n"
    return f"{start}>{element.text.translate(_ESCAPED)}</{element.tag}>\n" if element.text and element.text.strip() else f"{start}/>\n"


def _edit_forward(forward: Element, options: dict, pool: dict) -> None:
    forward.set("mode", options["mode"])
    _set_attribute(forward, "dev", None)
    # libvirt knows this attribute in hostdev mode alone, and prints it there even where it was not given.
    _set_attribute(forward, "managed", _yes_no(bool(options.get("managed"))) if options["mode"] == "hostdev" else None)
    driver = _child(forward, "driver")
    _set_attribute(driver, "name", options.get("driver"))
    if not driver.get("name") and (not driver.attrib or options["mode"] != "hostdev"):
        forward.remove(driver)
    _replace(forward, "pf", *([new_element("pf", dev=pool["pf"])] if pool.get("pf") else []))
    _replace(forward, "interface", *(new_element("interface", dev=name) for name in pool.get("interfaces") or []))
    _replace(forward, "address", *(pci_element(address, type="pci") for address in pool.get("addresses") or []))


def _vlan(tag: int | None) -> Element | None:
    return None if tag is None else new_element("vlan", new_element("tag", id=str(tag)))


def _port(isolated: bool | None) -> Element | None:
    return None if isolated is None else new_element("port", isolated=_yes_no(isolated))


def _virtualport(options: dict | None) -> Element | None:
    if not options:
        return None
    parameters = {name: str(value) for name, value in options.items() if name != "type" and value is not None}
    return new_element("virtualport", *([new_element("parameters", **parameters)] if parameters else []), type=options["type"])


def _portgroup(options: dict) -> Element:
    group = new_element("portgroup", _vlan(options.get("vlan")), _virtualport(options.get("virtualport")), name=options["name"])
    if options.get("default"):
        group.set("default", "yes")
    _set_attribute(group, "trustGuestRxFilters", _yes_no(options.get("trust_guest_rx_filters")))
    return group


def _yes_no(value: bool | None) -> str | None:
    return None if value is None else "yes" if value else "no"


def new_element(tag: str, *children: Element | None, **attributes: str | None) -> Element:
    """An element; a child or an attribute that is None is left out."""
    element = etree().Element(tag, {name: value for name, value in attributes.items() if value is not None})
    element.extend(child for child in children if child is not None)
    return element


def _set_attribute(element: Element, name: str, value: str | None) -> None:
    if value is not None:
        element.set(name, value)
    elif name in element.attrib:
        del element.attrib[name]


def _set_text(root: Element, tag: str, text: str | None) -> None:
    if text and text.strip():
        _child(root, tag).text = text
    else:
        _replace(root, tag)


def _child(root: Element, tag: str) -> Element:
    """The first child of that name, made in its place where there is none."""
    if root.find(tag) is None:
        _replace(root, tag, new_element(tag))
    return root.find(tag)


def _replace(parent: Element, tag: str, *new: Element | None) -> None:
    """Put ``new`` where the children named ``tag`` are, or where libvirt would print them."""
    old = parent.findall(tag)
    position = parent.index(old[0]) if old else _place(parent, tag)
    for element in old:
        parent.remove(element)
    for element in reversed([element for element in new if element is not None]):
        parent.insert(position, element)


def _place(parent: Element, tag: str) -> int:
    if tag not in _ORDER:
        return len(parent)
    before = _ORDER[: _ORDER.index(tag)]
    return max((index + 1 for index, child in enumerate(parent) if child.tag in before), default=0)
