# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that describe a network, documented once for the module and for the filter."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  name:
    description: Name of the network. It is not empty and has no slash.
    type: str
    required: true
  uuid:
    description:
      - UUID of the network. libvirt makes one for a new network when this is left out.
      - The UUID of a network that exists cannot be changed.
    type: str
  mode:
    description:
      - How the network hands out the members of its pool. V(passthrough) when this and O(xml) are left out.
      - Not together with O(xml), which says the mode itself.
    type: str
    choices:
      passthrough: Each guest gets one interface to itself, through a macvtap device in passthru mode.
      hostdev: Each guest gets one PCI device to itself, through VFIO.
      private: Guests share interfaces through macvtap devices and cannot reach each other.
      vepa: Guests share interfaces through macvtap devices; the switch sends back what one guest sends to another.
      bridge: Guests share interfaces through macvtap devices and reach each other directly.
  pf:
    description:
      - The PF whose VFs are the pool, by interface name, altname, PCI address or permanent MAC address.
      - The definition names the PF alone, and libvirt expands it into members whenever the network starts. This is an implicit pool.
      - It holds the present name of the PF's interface, however the PF is chosen here. After that was renamed, a run puts it right.
      - Exactly one of O(pf), O(interfaces), O(addresses) and O(xml) describes the pool.
    type: str
  interfaces:
    description:
      - The pool, as a list of network interfaces, in the order in which they are handed out. This is an explicit pool.
      - Not in mode V(hostdev).
    type: list
    elements: str
  addresses:
    description:
      - The pool, as a list of PCI addresses, in the order in which they are handed out. This is an explicit pool.
      - Only in mode V(hostdev).
    type: list
    elements: str
  xml:
    description:
      - A whole C(<network>) document in place of the other options of the definition.
      - It replaces the definition that there is, except that the UUID stays, and the metadata too where the document has no C(<metadata>).
      - A document type, and with it every entity, is refused.
    type: str
  vfs:
    description:
      - Only these VFs of O(pf), as a range of indices such as V(0-15,20).
      - libvirt cannot filter the VFs of a PF, so this is an explicit pool of interfaces, or of PCI addresses in mode V(hostdev).
    type: str
  managed:
    description:
      - Whether libvirt binds a VF to VFIO when a guest starts and back to its driver when the guest ends.
      - Only in mode V(hostdev). When left out there, libvirt takes it for V(false), and starts a guest only with a VF that VFIO has already,
        as with O(vfpool.sriov.sriov_pf#module:vfs[].driver=vfio-pci).
    type: bool
  driver:
    description: The driver that gives a VF to a guest. Only in mode V(hostdev).
    type: str
    choices: [vfio]
  vlan:
    description:
      - VLAN of every guest's VF, V(0) to V(4094). SR-IOV devices take no trunks.
      - Only in modes V(passthrough) and V(hostdev).
    type: int
  virtualport:
    description: The port profile that the VF is associated with at the switch.
    type: dict
    suboptions:
      type:
        description:
          - Kind of the profile.
          - Mode V(hostdev) takes V(802.1Qbh) alone, the other modes V(802.1Qbg) and V(802.1Qbh).
            V(openvswitch) and V(midonet) need a bridge, which a pool of devices has not, and are refused here.
            A document in O(xml) with mode V(bridge) that names a bridge may use them.
        type: str
        required: true
        choices: ['802.1Qbg', '802.1Qbh', openvswitch, midonet]
      managerid:
        description: VSI Manager ID, V(0) to V(255), of V(802.1Qbg).
        type: int
      typeid:
        description: VSI Type ID, V(0) to V(16777215), of V(802.1Qbg).
        type: int
      typeidversion:
        description: VSI Type ID Version, V(0) to V(255), of V(802.1Qbg).
        type: int
      instanceid:
        description: VSI Instance ID, a UUID, of V(802.1Qbg).
        type: str
      profileid:
        description: Name of the port profile, one line of 1 to 39 bytes without a tab, C(<), C(&) or C('), of V(802.1Qbh) and V(openvswitch).
        type: str
      interfaceid:
        description: UUID of the interface, of V(openvswitch) and V(midonet).
        type: str
  portgroups:
    description: Named sets of port settings among which a guest's interface can choose.
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the port group, of the characters C(a-z), C(A-Z), C(0-9) and C(_.:/\-).
        type: str
        required: true
      default:
        description: Whether guests that choose no port group are in this one. At most one can be.
        type: bool
        default: false
      vlan:
        description: As O(vlan), for this port group.
        type: int
      virtualport:
        description: As O(virtualport), for this port group.
        type: dict
        suboptions:
          type:
            description: Kind of the profile.
            type: str
            required: true
            choices: ['802.1Qbg', '802.1Qbh', openvswitch, midonet]
          managerid:
            description: VSI Manager ID, V(0) to V(255), of V(802.1Qbg).
            type: int
          typeid:
            description: VSI Type ID, V(0) to V(16777215), of V(802.1Qbg).
            type: int
          typeidversion:
            description: VSI Type ID Version, V(0) to V(255), of V(802.1Qbg).
            type: int
          instanceid:
            description: VSI Instance ID, a UUID, of V(802.1Qbg).
            type: str
          profileid:
            description: Name of the port profile, one line of 1 to 39 bytes without a tab, C(<), C(&) or C('), of V(802.1Qbh) and V(openvswitch).
            type: str
          interfaceid:
            description: UUID of the interface, of V(openvswitch) and V(midonet).
            type: str
      trust_guest_rx_filters:
        description: As O(trust_guest_rx_filters), for this port group.
        type: bool
  trust_guest_rx_filters:
    description: Whether the host follows a guest that changes the MAC address and the receive filters of its interface.
    type: bool
  port_isolated:
    description:
      - Whether guests are kept from each other.
      - libvirt can do this on a Linux bridge alone, so V(true) is refused for a pool of devices; mode V(private) keeps guests apart.
    type: bool
  title:
    description: A title of one line. Needs libvirt 9.7 on the host.
    type: str
  description:
    description: A description. Needs libvirt 9.7 on the host.
    type: str
"""
