# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show the collection at work: boot a host with SR-IOV cards, provision it, start two guests, and print who holds what."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from rich.box import ROUNDED
from rich.console import Console
from rich.table import Table

from .boot import Kind, boot
from .image import CHECKOUT
from .machine import Machine
from .progress import LabError, say

__all__ = ["main"]

PLAYBOOKS = Path(__file__).with_name("playbooks")
ENVIRONMENT = {
    "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".collections"),
    "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "no",
    "ANSIBLE_PIPELINING": "yes",
    "ANSIBLE_FORCE_COLOR": "yes" if sys.stdout.isatty() else "no",
}


def _play(machine: Machine, playbook: str, **variables: object) -> int:
    """Run a playbook in plain view, and return how many tasks changed something."""
    command = ["ansible-playbook", "--inventory", str(machine.inventory), "--extra-vars", json.dumps(variables), str(PLAYBOOKS / playbook)]
    changed = 0
    with subprocess.Popen(command, env=os.environ | ENVIRONMENT, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout
        for line in run.stdout:
            print(line, end="", flush=True)
            recap = re.search(r"changed=(\d+)", line)
            changed = int(recap[1]) if recap else changed
    if run.returncode:
        raise LabError(f"{PLAYBOOKS / playbook} failed: its output is above")
    return changed


def _table(title: str, *columns: str) -> Table:
    return Table(*columns, title=title, title_justify="left", title_style="bold", box=ROUNDED, header_style="cyan")


def _cards(pfs: list[dict]) -> Table:
    table = _table("The cards", "PF", "PCI address", "model", "link", "VFs")
    for pf in pfs:
        table.add_row(pf["name"], pf["pci_address"], pf["model"] or pf["driver"], pf["operstate"], f"{pf['num_vfs']} of {pf['total_vfs']}")
    return table


def _pool(network: dict, pfs: list[dict]) -> Table:
    """The members of the pool, the VF that each of them is, and the guest that holds it."""
    pool = network["pool"]
    vfs = {vf["name"]: vf for pf in pfs for vf in pf["vfs"]}
    title = f"The interface pool of network {network['name']!r}: the VFs of {pool['pf']}"
    table = _table(title, "VF", "member", "PCI address", "MAC address of the lease", "guest")
    for member in pool["members"]:
        lease = member["lease"]
        holder = ("[green]free", "") if lease is None else (f"[yellow]{lease['owner_name']}", lease["mac"])
        table.add_row(str(member["index"]), member["interface"], vfs[member["interface"]]["pci_address"], holder[1], holder[0])
    return table


def _closing(machine: Machine, changed: int) -> str:
    found = f"{changed} steps changed something." if changed else "Everything was there already, and nothing was changed."
    return f"""{found} The host is yours now:

  make login    log in as root, and look around there:
                  virsh list                      the two guests
                  virsh net-dumpxml fast          the live pool; with --inactive its definition, which names the PF alone
                  virsh destroy web1              a guest gives its VF back
  make demo     once more: it starts what is missing and says what it found
  make stop     end the host; nothing remains of it but the image in .cache, for the next time

The playbook was {(PLAYBOOKS / "host.yml").relative_to(CHECKOUT)}, the inventory is {machine.inventory.relative_to(CHECKOUT)}.
"""


def main() -> int:
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 110)
    machine = Machine("demo")
    findings = machine.folder / "findings.json"
    try:
        boot(machine, Kind())
        say("provisioning the host with the role sriov_host")
        changed = _play(machine, "host.yml", sriov_host_packages=False)
        say("starting two guests from the pool")
        changed += _play(machine, "guests.yml", findings=str(findings))
    except LabError as reason:
        print(f"demo: {reason}", file=sys.stderr)
        return 1
    found = json.loads(findings.read_text())
    console.print(_cards(found["pfs"]), "")
    for network in found["networks"]:
        console.print(_pool(network, found["pfs"]), "")
    print(_closing(machine, changed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
