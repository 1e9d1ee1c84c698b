# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with synthetic SR-IOV cards and a real libvirtd, which Ansible manages."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from ansible_collections.vfpool.sriov.tests.integration.namespaces import CHECKOUT, HERE, PATIENCE, Namespaces, answer

__all__ = ["CHECKOUT", "FIREWALL", "ROUTER", "Host", "network"]

# Two consumers that libvirt does not start itself, as options of passthrough_port.
FIREWALL = {"network": "n", "owner_name": "firewall", "owner_uuid": "c4b0a5a6-6a4a-4f3b-9d2e-3d6f8f0f5b7a"}
ROUTER = {"network": "n", "owner_name": "router", "owner_uuid": "d4b0a5a6-6a4a-4f3b-9d2e-3d6f8f0f5b7a"}


class Host(Namespaces):
    """The namespaces with a libvirtd inside and an Ansible outside."""

    def __init__(self, folder: Path, system: Path = Path("/")) -> None:
        """`folder` keeps the daemon's log and what Ansible leaves; `system` as of `Namespaces`."""
        super().__init__(str(folder), system)
        self.log = folder / "libvirtd.log"
        self._folder = folder
        self._libvirtd: subprocess.Popen[bytes] | None = None
        self._ansible: subprocess.Popen[str] | None = None

    def reset(self) -> None:
        """No card, no network, no lease, no process that a test started, and no daemon."""
        self.kill_libvirtd()
        self.renew()

    def close(self) -> None:
        super().close()
        for process in (self._libvirtd, self._ansible):
            if process:
                process.communicate()

    # libvirt

    def start_libvirtd(self) -> None:
        with self.log.open("ab") as log:
            self._libvirtd = self._enter("libvirtd", stdout=log, stderr=log)
        deadline = time.monotonic() + PATIENCE
        while not _listens(self.root / "run/libvirt", "libvirt-sock"):
            if self._libvirtd.poll() is not None:
                raise RuntimeError(f"libvirtd ended with {self._libvirtd.returncode}:\n{self.log.read_text()[-2000:]}")
            assert time.monotonic() < deadline, f"libvirtd opened no socket within {PATIENCE} seconds"
            time.sleep(0.005)

    def stop_libvirtd(self, number: int = signal.SIGTERM) -> None:
        if self._libvirtd:
            self.send(self._libvirtd, number)
            self._libvirtd.wait(PATIENCE)
        for name in ("libvirt-sock", "libvirt-sock-ro", "libvirt-admin-sock"):
            (self.root / "run/libvirt" / name).unlink(missing_ok=True)

    def kill_libvirtd(self) -> None:
        """As a crash: no chance to save anything."""
        self.stop_libvirtd(signal.SIGKILL)

    def restart_libvirtd(self) -> None:
        self.stop_libvirtd()
        self.start_libvirtd()

    def sighup(self) -> None:
        """Make the daemon reload its configuration, and wait until it did."""
        assert self._libvirtd
        self.virsh("net-list")  # a daemon that is still starting ignores the signal, and answers nothing
        said, deadline = self._reloads(), time.monotonic() + PATIENCE
        self.send(self._libvirtd, signal.SIGHUP)
        while self._reloads() == said or "daemon-reload" in self._threads():
            assert self._libvirtd.poll() is None, "libvirtd ended instead of reloading"
            assert time.monotonic() < deadline, f"libvirtd did not reload within {PATIENCE} seconds"

    def _threads(self) -> list[str]:
        return self.run("sh", "-c", "cat /proc/[0-9]*/task/*/comm", check=False).stdout.splitlines()

    def _reloads(self) -> int:
        return self.log.read_text(errors="replace").count("Reloading configuration on SIGHUP")

    def virsh(self, command: str, *arguments: str, stdin: str | None = None) -> str:
        """What a virsh command prints: `virsh("net-dumpxml n --inactive")`; an XML document goes in as /dev/stdin."""
        return self.run("virsh", "-q", *command.split(), *arguments, stdin=stdin).stdout.strip()

    def virsh_error(self, command: str, *arguments: str, stdin: str | None = None) -> str:
        """What libvirt says when it refuses a command; an AssertionError if it does not refuse."""
        done = self.run("virsh", "-q", *command.split(), *arguments, stdin=stdin, check=False)
        assert done.returncode != 0, f"virsh {command} was not refused: {done.stdout}"
        return done.stderr.strip()

    def define(self, xml: str, start: bool = True) -> None:
        """Define a network, and start it."""
        name = ElementTree.fromstring(xml).findtext("name")
        self.virsh("net-define /dev/stdin", stdin=xml)
        if start:
            self.virsh(f"net-start {name}")

    def xml(self, network: str, inactive: bool = False) -> ElementTree.Element:
        """The network's live XML or its inactive one, parsed."""
        return ElementTree.fromstring(self.virsh(f"net-dumpxml {network}{' --inactive' if inactive else ''}"))

    def members(self, network: str, inactive: bool = False) -> list[str]:
        """The devices of a network's pool, in its order: interface names or PCI addresses."""
        forward = self.xml(network, inactive).find("forward")
        return [] if forward is None else [_member(element) for element in forward if element.tag != "pf"]

    def connections(self, network: str) -> dict[str, int]:
        """How many guests libvirt believes to hold each member; members of none are left out, as in the live XML."""
        return {_member(element): int(element.get("connections", "")) for element in self.xml(network).findall("forward/*[@connections]")}

    def port_create(self, network: str, owner: str = "guest", *, mac: str = "52:54:00:00:00:01", port: str | None = None,
                    owner_uuid: str | None = None) -> dict[str, str | None]:
        """Take a lease as the start of a guest does; see `port` for what comes back."""
        port = port or str(uuid.uuid4())
        self.virsh(f"net-port-create {network} /dev/stdin", stdin=f"""
            <networkport><uuid>{port}</uuid><owner><name>{owner}</name><uuid>{owner_uuid or uuid.uuid4()}</uuid></owner>
            <mac address='{mac}'/></networkport>""")
        return self.port(network, port)

    def port(self, network: str, port: str) -> dict[str, str | None]:
        """One lease: port (UUID), owner, owner_uuid, mac, member (interface name or PCI address)."""
        xml = ElementTree.fromstring(self.virsh(f"net-port-dumpxml {network} {port}"))
        plug, address = xml.find("plug"), xml.find("plug/address")
        member = None if plug is None else _member(plug if address is None else address)
        mac = xml.find("mac")
        return {"port": port, "owner": xml.findtext("owner/name"), "owner_uuid": xml.findtext("owner/uuid"), "member": member,
                "mac": None if mac is None else mac.get("address")}

    def port_delete(self, network: str, port: dict[str, str | None]) -> None:
        """Give a lease back as the end of a guest does."""
        self.virsh(f"net-port-delete {network} {port['port']}")

    def ports(self, network: str) -> list[dict[str, str | None]]:
        """Every lease of a network, in the order of their members."""
        found = [self.port(network, line.strip()) for line in self.virsh(f"net-port-list {network}").splitlines()]
        return sorted(found, key=lambda port: str(port["member"]))

    # Our modules

    def module(self, module_name: str, /, *, check: bool = False, diff: bool = True, **arguments: Any) -> dict:
        """Run a module of this collection as Ansible does, and give its result; a failure fails the test."""
        result = self.attempt(module_name, check=check, diff=diff, **arguments)
        assert not result.get("failed"), result.get("msg") or result
        return result

    def refusal(self, module_name: str, /, *, check: bool = False, **arguments: Any) -> str:
        """The message of a module that must fail: one that a user can read, so never a traceback."""
        result = self.attempt(module_name, check=check, **arguments)
        assert result.get("failed"), f"{module_name} did not refuse: {result}"
        assert "Traceback" not in json.dumps(result), result
        return str(result["msg"])

    def attempt(self, module_name: str, /, *, check: bool = False, diff: bool = True, **arguments: Any) -> dict:
        """Run a module and give its result, whether it failed or not."""
        options = [option for option, given in (("--check", check), ("--diff", diff)) if given]
        options += ["-a", json.dumps(arguments)] if arguments else []
        results = self.ansible("ansible", "localhost", "-m", f"vfpool.sriov.{module_name}", *options)
        assert results, "Ansible gave no result: see its own words above."
        result: dict = results[0]["result"]
        return {**result, "failed": results[0]["status"] == "failed"}

    def ansible(self, *command: str) -> list[dict]:
        """Run `ansible …` or `ansible-playbook …` against this host; task, host, status and result of every task come back.

        Settings of Ansible may stand before it, such as `ANSIBLE_CACHE_PLUGIN=jsonfile`.
        """
        runner = self._ansible = self._ansible or self._start_ansible()
        assert runner.stdin
        print(json.dumps(command), file=runner.stdin, flush=True)
        line = answer(runner, runner.kill)
        assert line, "The runner of Ansible is gone, or had to be ended: see its own words above."
        results: list[dict] = json.loads(line)
        return results

    def _start_ansible(self) -> subprocess.Popen[str]:
        home, ssh = self._folder / "ansible", self._folder / "ssh"
        home.mkdir(exist_ok=True)
        # ssh is called with options, a host and, as the last word, a command.
        ssh.write_text(f'#!/bin/sh\nexport HOME=/root\nfor command; do :; done\nexec {" ".join(self.door)} sh -c "$command"\n')
        ssh.chmod(0o755)
        return subprocess.Popen([sys.executable, str(HERE / "ansible_runner.py"), str(home), str(ssh)], cwd=CHECKOUT, text=True,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def network(forward: str = "<pf dev='enp1s0'/>", *, mode: str = "passthrough", name: str = "pool", rest: str = "") -> str:
    """A network document: the pool inside of `<forward>`, and what follows it."""
    return f"<network><name>{name}</name><forward mode='{mode}'>{forward}</forward>{rest}</network>"


def _member(element: ElementTree.Element) -> str:
    if "dev" in element.attrib:
        return element.attrib["dev"]
    domain, bus, slot, function = (int(element.attrib[part], 16) for part in ("domain", "bus", "slot", "function"))
    return f"{domain:04x}:{bus:02x}:{slot:02x}.{function:x}"


def _listens(folder: Path, name: str) -> bool:
    """Whether a daemon takes connections at a socket: its file is there a moment before."""
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(socket.socket(socket.AF_UNIX))
        try:
            # The path of a socket has at most 107 characters, a test's may have more.
            number = os.open(folder, os.O_PATH)
            stack.callback(os.close, number)
            connection.connect(f"/proc/self/fd/{number}/{name}")
        except (FileNotFoundError, ConnectionRefusedError):
            return False
    return True
