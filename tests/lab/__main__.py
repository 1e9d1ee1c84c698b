# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Laboratory hosts with real SR-IOV cards: Debian in QEMU, several at once, each by its name."""

from __future__ import annotations

import argparse
import subprocess
import sys

from .boot import Kind, boot
from .image import FLAVOURS, HOUSE, SUITES, image
from .machine import Machine, machines
from .progress import LabError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    boot = commands.add_parser("boot", help="start a host, and print its inventory for Ansible")
    boot.add_argument("name", nargs="?", default="dev")
    boot.add_argument("--suite", choices=SUITES, default=HOUSE)
    boot.add_argument("--flavour", choices=FLAVOURS, default="full", help="full has libvirt, bare has not")
    boot.add_argument("--pfs", type=int, default=2, help="number of SR-IOV cards, each with 7 VFs")
    boot.add_argument("--vfs", type=int, default=0, help="one more card, of virtio, with so many VFs")
    boot.add_argument("--memory", type=int, default=2048, help="in MiB")
    boot.add_argument("--online", action="store_true", help="let the host reach what this machine reaches, so that apt-get works in it")

    ssh = commands.add_parser("ssh", help="log in to a host, or run a command there")
    ssh.add_argument("name", nargs="?", default="dev")
    ssh.add_argument("words", nargs=argparse.REMAINDER, metavar="command")

    stop = commands.add_parser("stop", help="end hosts and remove what they left")
    stop.add_argument("names", nargs="*", metavar="name", help="all hosts, if none is named")

    build = commands.add_parser("image", help="make the image of a release, and print its folder")
    build.add_argument("suite", nargs="?", choices=SUITES, default=HOUSE)

    commands.add_parser("list", help="show the hosts")
    return parser


def _list() -> None:
    for machine in machines():
        state = machine.state
        told = f"{state['suite']} {state['flavour']}, pid {state['pid']}" if machine.running else "not running"
        print(f"{machine.name:16} {told}")


def main() -> int:
    arguments = _parser().parse_args()
    try:
        if arguments.command == "boot":
            machine = Machine(arguments.name)
            boot(machine, Kind(arguments.suite, arguments.flavour, arguments.pfs, arguments.vfs, arguments.memory, arguments.online))
            print(machine.inventory)
        elif arguments.command == "ssh":
            machine = Machine(arguments.name)
            if not machine.running:
                raise LabError(f"no laboratory host called {machine.name} is running: boot it first")
            return subprocess.run(machine.ssh(*arguments.words), check=False).returncode
        elif arguments.command == "stop":
            for machine in [Machine(name) for name in arguments.names] or machines():
                machine.stop()
        elif arguments.command == "image":
            print(image(arguments.suite))
        else:
            _list()
    except LabError as reason:
        print(f"lab: {reason}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        return error.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
