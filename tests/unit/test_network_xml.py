# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._network_canonical import same_network
from ansible_collections.vfpool.sriov.plugins.module_utils._network_xml import network_text, parse_network, pool_of, render

METADATA = """<metadata>
    <o:owner xmlns:o="http://example.org/owner" o:team='a"b'>
      <!-- kept -->
\t<o:note>  two  spaces &amp; an ampersand </o:note>
      <o:raw><![CDATA[a < b]]></o:raw>
    </o:owner>
  </metadata>"""

STORED = f"""<network connections='2'>
  <name>n</name>
  <uuid>0b2d64da-3d0e-431e-afdd-804415d6ebbb</uuid>
  {METADATA}
  <forward dev='enp1s0v0' mode='passthrough'>
    <interface dev='enp1s0v0'/>
    <interface dev='enp1s0v1'/>
  </forward>
  <vlan>
    <tag id='5'/>
  </vlan>
  <novelty since='99.0'><inside/>text</novelty>
</network>
"""


def rendered(**options):
    pool = {"pf": "enp1s0"} if "pool" not in options else options.pop("pool")
    return network_text(render({"name": "n", "mode": "passthrough", **options}, pool))


def test_the_smallest_network_is_its_name_its_mode_and_its_pf():
    assert rendered() == "<network>\n  <name>n</name>\n  <forward mode='passthrough'>\n    <pf dev='enp1s0'/>\n  </forward>\n</network>\n"


def test_namespaces_of_the_whole_document_are_written_once():
    start = "<network xmlns:d='http://libvirt.org/schemas/network/dnsmasq/1.0' xmlns:odd='urn:a&amp;b'>"
    unknown = """  <d:options>\n    <d:option value="foo=bar"/>\n  </d:options>\n  <d:other xmlns:d="urn:another" d:here=""/>\n"""
    plain = network_text(parse_network(STORED.replace(" connections='2'", "")))
    stored = plain.replace("<network>", start).replace("</network>", f"{unknown}</network>")
    assert network_text(parse_network(stored)) == stored


def test_a_blank_title_is_none():
    assert rendered(title=" ", description="\n") == rendered()


def test_every_option_has_its_place_in_the_order_of_libvirt():
    text = rendered(
        mode="hostdev",
        pool={"addresses": ["0001:01:10.0", "0001:01:10.2"]},
        uuid="0b2d64da-3d0e-431e-afdd-804415d6ebbb",
        title="<T>",
        description="D & d",
        managed=True,
        driver="vfio",
        vlan=42,
        virtualport={"type": "802.1Qbh", "profileid": "it's", "typeid": None},
        portgroups=[{"name": "a", "default": True, "vlan": 7, "virtualport": None, "trust_guest_rx_filters": False}],
        trust_guest_rx_filters=True,
        port_isolated=False,
    )
    assert text == """<network trustGuestRxFilters='yes'>
  <name>n</name>
  <uuid>0b2d64da-3d0e-431e-afdd-804415d6ebbb</uuid>
  <title>&lt;T&gt;</title>
  <description>D &amp; d</description>
  <forward mode='hostdev' managed='yes'>
    <driver name='vfio'/>
    <address type='pci' domain='0x0001' bus='0x01' slot='0x10' function='0x0'/>
    <address type='pci' domain='0x0001' bus='0x01' slot='0x10' function='0x2'/>
  </forward>
  <vlan>
    <tag id='42'/>
  </vlan>
  <port isolated='no'/>
  <virtualport type='802.1Qbh'>
    <parameters profileid='it&apos;s'/>
  </virtualport>
  <portgroup name='a' default='yes' trustGuestRxFilters='no'>
    <vlan>
      <tag id='7'/>
    </vlan>
  </portgroup>
</network>
"""


def test_what_no_option_describes_survives_an_update_byte_for_byte():
    text = network_text(render({"name": "n", "mode": "hostdev"}, {"pf": "enp1s0"}, STORED))
    assert METADATA in text.replace(""" xmlns:o="http://example.org/owner" o:team="a&quot;b\"""", """ xmlns:o="http://example.org/owner" o:team='a"b'""")
    assert """<novelty since="99.0"><inside/>text</novelty>""" in text
    assert "<uuid>0b2d64da-3d0e-431e-afdd-804415d6ebbb</uuid>" in text
    assert "<vlan>" not in text
    assert "interface" not in text


def test_a_comment_in_a_name_takes_nothing_from_it():
    text = network_text(parse_network("<network><name><!-- ours -->n</name><description>a<!-- b -->c</description></network>"))
    assert text == "<network>\n  <name>n</name>\n  <description>ac</description>\n</network>\n"


def test_what_no_option_describes_of_a_driver_stays_as_long_as_the_mode_has_drivers():
    stored = rendered(mode="hostdev", driver="vfio").replace("'vfio'", "'vfio' model='vfio-pci-igb'")
    kept = {
        driver: network_text(render({"name": "n", "mode": "hostdev", "driver": driver}, {"pf": "enp1s0"}, stored)).split("\n")[3].strip()
        for driver in ("vfio", None)
    }
    assert kept == {"vfio": "<driver name='vfio' model='vfio-pci-igb'/>", None: "<driver model='vfio-pci-igb'/>"}
    assert network_text(render({"name": "n", "mode": "passthrough"}, {"pf": "enp1s0"}, stored)) == rendered()
    assert network_text(render({"name": "n", "mode": "hostdev"}, {"pf": "enp1s0"}, rendered(mode="hostdev", driver="vfio"))) == rendered(mode="hostdev")


def test_the_order_of_explicit_members_is_kept():
    names = ["enp1s0v3", "enp1s0v10", "enp1s0v1"]
    assert pool_of(parse_network(rendered(pool={"interfaces": names})))["interfaces"] == names


@pytest.mark.parametrize("text", ["", "<network>", "plain", "<network><name>n</network>"])
def test_a_text_that_is_no_xml_is_named_in_one_sentence(text):
    with pytest.raises(SriovError, match="The xml is not well-formed"):
        parse_network(text)


def test_another_kind_of_document_is_refused():
    with pytest.raises(SriovError, match="<domain> document"):
        parse_network("<domain/>")


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE network [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE network SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE network [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>',
        "\ufeff<?xml version='1.0'?>\n<!-- <network> --><?note?>\n<!DOCTYPE network>",
    ],
)
def test_entities_are_refused_with_the_document_type_that_declares_them(doctype):
    with pytest.raises(SriovError, match="document type"):
        parse_network(f"{doctype}<network><name>n</name></network>")


def test_a_bomb_of_parameter_entities_is_refused_unread():
    nested = "".join(f"<!ENTITY % b{level} '{f'&#37;b{level - 1};' * 10}'>" for level in range(1, 30))
    for encoding in ("UTF-8", "UTF-7"):
        start = f"<?xml version='1.0' encoding='{encoding}'?>"
        with pytest.raises(SriovError, match="document type"):
            parse_network(f"{start}<!DOCTYPE network [<!ENTITY % b0 'xxxxxxxxxx'>{nested}%b29;]><network><name>n</name></network>")
    hidden = "<?xml version='1.0' encoding='UTF-7'?>+ADwAIQ-DOCTYPE network><network><name>n</name></network>"
    with pytest.raises(SriovError, match="not well-formed"):
        parse_network(hidden)


@pytest.mark.parametrize("start", ["<!-- -->", "<!--", "<?a?>", "<?", " ", "<!-"])
def test_no_start_of_a_document_takes_long_to_refuse(start):
    with pytest.raises(SriovError, match="not well-formed"):
        parse_network(start * 100_000)


def test_a_comment_may_speak_of_a_document_type():
    assert parse_network("<!-- no <!DOCTYPE network> --><network/>").tag == "network"


@pytest.mark.parametrize("encoding", ["UTF-16", "ISO-8859-1"])
def test_the_encoding_of_the_file_that_a_text_came_from_does_not_matter(encoding):
    assert parse_network(f"<?xml version='1.0' encoding='{encoding}'?><network><name>é</name></network>").findtext("name") == "é"


ALIKE = [
    ("<forward mode='passthrough'><interface dev='a'/><interface dev='b'/></forward>",
     "<forward dev='a' mode='passthrough'><interface dev='a' connections='1'/><interface dev='b'/></forward>"),
    ("<forward mode='passthrough' dev='a'/>", "<forward mode='passthrough'><interface dev='a'/></forward>"),
    ("<forward mode='hostdev'><pf dev='p'/></forward>", "<forward mode='hostdev' managed='no'> <pf dev='p'/> </forward>"),
    ("<forward mode='passthrough' managed='yes'><pf dev='p'/></forward>", "<forward mode='passthrough'><pf dev='p'/></forward>"),
    ("<forward mode='hostdev'><address type='pci' domain='0' bus='1' slot='16' function='0'/></forward>",
     "<forward mode='hostdev'><address type='pci' domain='0x0000' bus='0x01' slot='0x10' function='0x0'/></forward>"),
    ("<forward mode='hostdev'><pf dev='p'/><driver name='vfio'/></forward>", "<forward mode='hostdev'><driver name='vfio'/><pf dev='p'/></forward>"),
    ("<vlan><tag id='007'/></vlan><!-- gone -->", "<vlan trunk='no'><tag id='7'/></vlan>"),
    ("<portgroup name='a' default='no'/>", "<portgroup name='a'>\n</portgroup>"),
    ("<virtualport type='802.1Qbg'><parameters typeid='0x10'/></virtualport>", "<virtualport type='802.1Qbg'><parameters typeid='16'/></virtualport>"),
    ("<uuid>0B2D64DA3D0E431EAFDD804415D6EBBB</uuid>", "<uuid>0b2d64da-3d0e-431e-afdd-804415d6ebbb</uuid>"),
    ("<title/><description></description><metadata/><port/>", ""),
    ("<forward mode='hostdev'><driver/></forward>", "<forward mode='hostdev'/>"),
    ("<metadata><a xmlns='u:r'><b/></a></metadata>", "<metadata>\n  <a xmlns='u:r'>\n    <b/>\n  </a>\n</metadata>"),
    ("<metadata><!-- gone --><a xmlns='relative'><!-- kept --></a><?gone?></metadata>", "<metadata><a xmlns='relative'><!-- kept --></a></metadata>"),
    ("<description>a&#13;&#10;b&#13;c</description>", "<description>a\nb\nc</description>"),
    ("<name>n<!-- gone -->m</name><description>a<?gone?>b</description>", "<name>nm</name><description>ab</description>"),
    ("<uuid>0b2d64da-3d0e-431e-<!-- gone -->afdd-804415d6ebbb</uuid>", "<uuid>0b2d64da-3d0e-431e-afdd-804415d6ebbb</uuid>"),
    ("<vlan><tag id='1'/></vlan><portgroup name='a'/>", "<portgroup name='a'/><vlan><tag id='1'/></vlan>"),
]

DIFFERENT = [
    ("<forward mode='passthrough'><interface dev='a'/><interface dev='b'/></forward>",
     "<forward mode='passthrough'><interface dev='b'/><interface dev='a'/></forward>"),
    ("<forward mode='passthrough'><pf dev='p'/></forward>", "<forward mode='passthrough'><interface dev='p'/></forward>"),
    ("<forward mode='passthrough'><pf dev='p'/></forward>", "<forward mode='private'><pf dev='p'/></forward>"),
    ("<portgroup name='1'/>", "<portgroup name='01'/>"),
    ("<portgroup name='a'/><portgroup name='b'/>", "<portgroup name='b'/><portgroup name='a'/>"),
    ("<port isolated='no'/>", ""),
    ("<metadata><a xmlns='u:r'/></metadata>", "<metadata><a xmlns='u:s'/></metadata>"),
    *((f"<metadata><a xmlns='u:r'>{one}</a></metadata>", f"<metadata><a xmlns='u:r'>{other}</a></metadata>") for one, other in [
        ("<!-- a -->", "<!-- b -->"), ("<?a b?>", "<?b b?>"), ("<?a b?>", "<?a c?>"), ("<b/>t", "<b/>"), ("<b>t</b>", "<b/>"), ("<b/><c/>", "<c/><b/>"),
        ("<b c='1'/>", "<b c='2'/>"), ("<b c='1'/>", "<b/>"), ("<b/>", "<x:b xmlns:x='u:r'/>"), ("<b/>", ""), ("<b> </b>", "<b/>"),
    ]),
    ("<novelty/>", ""),
]


@pytest.mark.parametrize(("first", "second"), ALIKE)
def test_two_spellings_of_what_libvirt_stores_alike_are_the_same(first, second):
    assert same_network(parse_network(f"<network>{first}</network>"), parse_network(f"<network>{second}</network>"))


@pytest.mark.parametrize(("first", "second"), DIFFERENT)
def test_what_libvirt_stores_differently_is_different(first, second):
    assert not same_network(parse_network(f"<network>{first}</network>"), parse_network(f"<network>{second}</network>"))


def test_the_numbers_of_a_pci_address_are_read_as_c_reads_them():
    text = "<network><forward mode='hostdev'><address type='pci' domain='0' bus='01' slot='020' function='0x2'/></forward></network>"
    assert pool_of(parse_network(text))["addresses"] == ["0000:01:10.2"]
