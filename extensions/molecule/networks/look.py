# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What virsh, ip and sysfs tell of the network NAME and of the guests that run, as JSON; nothing of the collection is asked.

pf       the PF that the live XML names, or null
members  each member of the live pool, with its connections
ports    each lease by its owner's name: the UUID of the port, and the member that it names
held     each guest by its name: what it has by the kernel's word, be it a VF below its macvtap device or a function that it has open by VFIO
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree


def output(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def virsh(*words: str) -> ElementTree.Element:
    return ElementTree.fromstring(output("virsh", *words))  # noqa: S314  # libvirt wrote it


def device(element: ElementTree.Element) -> str:
    """The interface or the PCI address of a member or a plug."""
    if "dev" in element.attrib:
        return element.attrib["dev"]
    address = element if "bus" in element.attrib else element.find("address")
    domain, bus, slot, function = (int(address.get(part), 16) for part in ("domain", "bus", "slot", "function"))
    return f"{domain:04x}:{bus:02x}:{slot:02x}.{function:x}"


def held(guest: str) -> list[str]:
    made = {target.get("dev") for target in virsh("dumpxml", guest).iterfind("devices/interface/target")}
    below = [link["link"] for link in json.loads(output("ip", "-j", "link", "show", "type", "macvtap")) if link.get("ifname") in made]
    fds = Path("/proc", Path(f"/run/libvirt/qemu/{guest}.pid").read_text().strip(), "fd").iterdir()
    groups = {os.readlink(fd).rpartition("/")[2] for fd in fds if os.readlink(fd).startswith("/dev/vfio/")} - {"vfio"}
    return below + [entry.name for group in groups for entry in Path(f"/sys/kernel/iommu_groups/{group}/devices").iterdir()]


def main(name: str) -> None:
    live = virsh("net-dumpxml", name)
    pf = live.find("forward/pf")
    ports = {}
    for uuid in output("virsh", "-q", "net-port-list", name).split():
        port = virsh("net-port-dumpxml", name, uuid)
        ports[port.findtext("owner/name")] = [uuid, device(port.find("plug"))]
    seen = {
        "pf": None if pf is None else pf.get("dev"),
        "members": {device(member): int(member.get("connections", "0")) for member in live.find("forward") if member.tag in ("interface", "address")},
        "ports": ports,
        "held": {guest: held(guest) for guest in output("virsh", "-q", "list", "--name").split()},
    }
    print(json.dumps(seen))


main(sys.argv[1])
