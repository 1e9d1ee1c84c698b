# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Any document that libvirt accepts for a pool of devices goes in through `xml`, comes out through info, and goes in again as no change.

VFPOOL_DOCUMENTS says how many documents to try.
"""

from __future__ import annotations

import os
from copy import deepcopy
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.vfpool.sriov.tests.integration.host import Host
from ansible_collections.vfpool.sriov.tests.integration.warm import Warm

DOCUMENTS = int(os.environ.get("VFPOOL_DOCUMENTS", "50"))
TITLES_SINCE = 9007000  # libvirt 9.7.0
MODELS_SINCE = 10000000  # libvirt 10.0.0: a driver has a model
INTERFACES = [f"enp1s0v{index}" for index in range(4)]
SLOTS = [("0x10", f"0x{function}") for function in (0, 2, 4, 6)]

YES_NO = st.sampled_from(["yes", "no"])
NAMES = st.from_regex(r"[a-z][a-z0-9_-]{0,9}", fullmatch=True)
# Whatever XML can hold, except what its parsers put in place of another: a carriage return.
TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), min_size=1, max_size=20)
LINE = TEXT.filter(str.strip).map(str.strip)
SPACED = st.lists(st.sampled_from(["a", "é", " ", "\n", "\t", "<", "&", "'", '"', "]]>", "  "]), min_size=1, max_size=6).map("".join)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


@st.composite
def notes(draw: st.DrawFn, namespace: str, depth: int = 2) -> Element:
    """An element of somebody's metadata, with attributes, text, comments and elements below it."""
    element = Element(f"{{{namespace}}}{draw(NAMES)}", draw(st.dictionaries(NAMES | NAMES.map(f"{{{namespace}}}".__add__), SPACED, max_size=2)))
    element.text = draw(maybe(SPACED))
    if draw(st.booleans()):
        element.append(ElementTree.Comment(draw(NAMES).replace("-", "_")))
    if depth:
        element.extend(draw(st.lists(notes(namespace, depth - 1), max_size=2)))
    return element


@st.composite
def profiles(draw: st.DrawFn, mode: str) -> Element:
    kind = draw(st.sampled_from(["802.1Qbh"] if mode == "hostdev" else ["802.1Qbg", "802.1Qbh"]))
    byte = st.integers(0, 255).map(str)
    parameters = {
        "802.1Qbg": {"managerid": byte, "typeid": st.integers(0, 0xFFFFFF).map(str), "typeidversion": byte, "instanceid": st.uuids().map(str)},
        "802.1Qbh": {"profileid": st.from_regex(r"[a-zA-Z0-9_-]{1,39}", fullmatch=True)},
    }
    profile = Element("virtualport", type=kind)
    chosen = draw(st.fixed_dictionaries({}, optional=parameters[kind]))
    if chosen:
        SubElement(profile, "parameters", chosen)
    return profile


@st.composite
def settings_of_ports(draw: st.DrawFn, mode: str, of_network: list[Element] | None = None) -> list[Element]:
    """What a network, or a port group of one with such settings, gives to a port. libvirt refuses some of both together."""
    above = {element.tag for element in of_network or ()}
    found = [] if above else [profile for profile in [draw(maybe(profiles(mode)))] if profile is not None]
    profile = bool(found) or (mode == "hostdev" and "virtualport" in above)
    both = mode == "passthrough" and of_network is None
    if mode in ("passthrough", "hostdev") and (both or not profile) and draw(st.booleans()):
        vlan = Element("vlan")
        SubElement(vlan, "tag", id=str(draw(st.integers(0, 4094))))
        found.append(vlan)
    return found


@st.composite
def forwards(draw: st.DrawFn, mode: str, models: bool) -> Element:
    forward = Element("forward", mode=mode)
    if mode == "hostdev":
        if draw(st.booleans()):
            name, model = {"name": "vfio"}, {"model": "vfio-pci-igb"}
            SubElement(forward, "driver", draw(st.sampled_from([name, model, {**name, **model}])) if models else name)
        managed = draw(maybe(YES_NO))
        forward.attrib.update({} if managed is None else {"managed": managed})
    if draw(st.booleans()):
        SubElement(forward, "pf", dev="enp1s0")
    elif mode == "hostdev":
        for slot, function in draw(st.lists(st.sampled_from(SLOTS), min_size=1, unique=True)):
            SubElement(forward, "address", type="pci", domain="0x0000", bus="0x01", slot=slot, function=function)
    else:
        for interface in draw(st.lists(st.sampled_from(INTERFACES), min_size=1, unique=True)):
            SubElement(forward, "interface", dev=interface)
    return forward


@st.composite
def resolvers(draw: st.DrawFn) -> Element:
    """What libvirt takes of DNS, and stores, for a network that has no server of its own."""
    dns = Element("dns", draw(st.fixed_dictionaries({}, optional={"enable": YES_NO, "forwardPlainNames": YES_NO})))
    if dns.get("enable") != "no" and draw(st.booleans()):
        SubElement(dns, "forwarder", addr="192.0.2.1")
    return dns


@st.composite
def remarked(draw: st.DrawFn, element: Element) -> Element:
    """The element with what XML lets stand anywhere, and libvirt reads the text of an element around."""
    remark = draw(maybe(st.sampled_from([ElementTree.Comment("ours"), ElementTree.ProcessingInstruction("ours", "to keep")])))
    if remark is not None:
        element.insert(0, deepcopy(remark))
        cut = draw(st.integers(0, len(element.text or "")))
        element.text, element[0].tail = (element.text or "")[:cut], (element.text or "")[cut:]
    return element


@st.composite
def documents(draw: st.DrawFn, titles: bool, models: bool) -> str:
    mode = draw(st.sampled_from(["passthrough", "hostdev", "private", "vepa", "bridge"]))
    of_network = draw(settings_of_ports(mode))
    children = [draw(remarked(draw(forwards(mode, models)))), *of_network]
    texts = {"uuid": st.uuids().map(str) | st.uuids().map(lambda uuid: uuid.hex)} | ({"title": LINE, "description": LINE} if titles else {})
    for tag, text in draw(st.fixed_dictionaries({}, optional=texts)).items():
        children.append(Element(tag))
        children[-1].text = text
        draw(remarked(children[-1]))
    if draw(st.booleans()):
        children.append(draw(resolvers()))
    if draw(st.booleans()):
        children.append(Element("port", isolated="no"))
    if draw(st.booleans()):
        children.append(Element("metadata"))
        children[-1].extend(draw(notes(f"http://example.org/{number}")) for number in range(draw(st.integers(1, 2))))
        draw(remarked(children[-1]))
    for number, name in enumerate(draw(st.lists(NAMES, max_size=2, unique=True))):
        group = Element("portgroup", name=name, **({"default": draw(YES_NO)} if number == 0 else {}))
        trust = draw(maybe(YES_NO))
        group.attrib.update({} if trust is None else {"trustGuestRxFilters": trust})
        group.extend(draw(settings_of_ports(mode, of_network)))
        children.append(group)
    root = Element("network", draw(st.fixed_dictionaries({}, optional={"trustGuestRxFilters": YES_NO})))
    SubElement(root, "name").text = "n"
    draw(remarked(root[0]))
    root.extend(draw(st.permutations(children)))
    return ElementTree.tostring(root, encoding="unicode")


def check_kept(given: Element, stored: Element) -> None:
    """All that was given is stored; libvirt may add to it, and leaves out what is said by leaving it out."""
    if given.tag == "metadata":
        assert meaning(given) == meaning(stored)
        return
    assert {name: value for name, value in given.items() if (name, value) != ("default", "no")}.items() <= stored.attrib.items()
    assert said(given) == said(stored)
    for tag in {child.tag for child in given}:
        before, after = given.findall(tag), stored.findall(tag)
        assert len(before) == len(after) or (tag == "dns" and not before[0].items() and not len(before[0])), tag
        for one, other in zip(before, after):
            check_kept(one, other)


def said(element: Element) -> str:
    text = (element.text or "").strip()
    return text.replace("-", "") if element.tag == "uuid" else text


def meaning(metadata: Element) -> str:
    return ElementTree.canonicalize(ElementTree.tostring(metadata, encoding="unicode"), strip_text=True, with_comments=True, rewrite_prefixes=True)


def metadata_of(text: str) -> str:
    return text[text.index("<metadata>"):text.index("</metadata>")] if "<metadata>" in text else ""


def test_any_document_goes_in_and_comes_out_and_goes_in_again_without_a_change(host: Host) -> None:
    host.tree.pf("enp1s0", "0000:01:00.0", vfs=4)
    warm = Warm(host)
    version = host.python("import libvirt; print(libvirt.open('qemu:///system').getLibVersion())")

    def read() -> str:
        (network,) = warm.module("passthrough_network_info", names=["n"])["networks"]
        return str(network["xml_inactive"])

    @settings(max_examples=DOCUMENTS, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(document=documents(titles=version >= TITLES_SINCE, models=version >= MODELS_SINCE), active=st.booleans())
    def goes_in_and_out(document: str, active: bool) -> None:
        warm.forget()
        declared = {"name": "n", "active": active, "autostart": False}
        warm.module("passthrough_network", **declared, xml=document)
        stored = read()
        check_kept(ElementTree.fromstring(document), ElementTree.fromstring(stored))
        for same in (document, stored):
            assert warm.module("passthrough_network", **declared, xml=same)["actions"] == []
            assert read() == stored
        warm.module("passthrough_network", **declared, pf="enp1s0", vlan=7)
        assert metadata_of(read()) == metadata_of(stored)

    goes_in_and_out()
