# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules and clients of libvirt in a hundredth of a second each: every one is a fork of a Python that has imported all they need.

`Warm` is for a test that runs hundreds of them. This file run as a program is that Python, inside the namespaces of a test host:
a request is one line of JSON, and so is the answer.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import traceback
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.vfpool.sriov.tests.integration.namespaces import answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from ansible_collections.vfpool.sriov.tests.integration.host import Host

MODULES = ("passthrough_network", "passthrough_network_info", "passthrough_port", "sriov_vf_facts")
COLLECTIONS = Path(__file__).resolve().parents[2] / ".collections"
# The host's own packages come first: of this environment only Ansible suits every Python.
PATH = [str(COLLECTIONS), "/usr/lib/python3/dist-packages", *(entry for entry in sys.path if entry.endswith("site-packages"))]
# The system's Python, which has libvirt's bindings, and in it this collection and Ansible.
PYTHON = ("env", "PYTHONPATH=" + os.pathsep.join(PATH), "/usr/bin/python3")


class Warm:
    """Runs modules and libvirt clients on a test host."""

    def __init__(self, host: Host) -> None:
        self._host = host
        # The documents of the guests that run, as libvirt would give them: on a host without real cards no guest can start.
        self.guests: list[str] = []
        self.user = 0  # the number of the user that modules run as
        self._process = host.start(*PYTHON, __file__, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def _ask(self, kind: str, name: str, arguments: dict) -> Any:
        assert self._process.stdin
        print(json.dumps([kind, name, arguments]), file=self._process.stdin, flush=True)
        line = answer(self._process, lambda: self._host.send(self._process, signal.SIGKILL))
        assert line, "The Python that runs modules is gone, or had to be ended: see its own words above."
        return json.loads(line)

    def attempt(self, module_name: str, /, **arguments: Any) -> dict | None:
        """The result of a module, failed or not; None when it was killed."""
        answer = self._ask("module", module_name, {"guests": self.guests, "user": self.user, "arguments": arguments})
        assert answer is None or "Traceback" not in str(answer), answer
        return answer

    def module(self, module_name: str, /, **arguments: Any) -> dict:
        """The result of a module that does not fail."""
        result = self.attempt(module_name, **arguments)
        assert result is not None and not result.get("failed"), result
        return result

    def refusal(self, module_name: str, /, **arguments: Any) -> str:
        """The message of a module that must fail."""
        result = self.attempt(module_name, **arguments)
        assert result and result.get("failed"), result
        return str(result["msg"])

    def take(self, network: str, owner: str, mac: str) -> dict | None:
        """A lease of `network`, taken as the start of a guest does; None when there is none to be had."""
        return self._ask("client", "take", {"network": network, "owner": owner, "mac": mac})

    def lease(self, network: str, owner: str, mac: str) -> dict:
        """A lease, where one is to be had."""
        lease = self.take(network, owner, mac)
        assert lease is not None, f"{network} gave {owner} no lease"
        return lease

    def release(self, network: str, port: str) -> None:
        """Give a lease back as the end of a guest does; it does not matter to the guest whether libvirt knows of it."""
        self._ask("client", "release", {"network": network, "port": port})

    def ledger(self, network: str) -> dict:
        """`leases` (port to member and owner) and `counts` (member to connections) of a network; both empty where it does not run."""
        return self._ask("client", "ledger", {"network": network})

    def forget(self) -> None:
        """Remove every network, and what is recorded of rebuilds."""
        for record in (self._host.root / "run/vfpool.sriov").glob("*.rebuild"):
            record.unlink()
        self._ask("client", "forget", {})


class _Guest:
    """A running guest, as far as the collection asks libvirt for it."""

    def __init__(self, document: str) -> None:
        self.XMLDesc = lambda _flags: document
        self.isActive = lambda: True
        self.UUIDString = lambda: document.split("<uuid>")[1].split("</uuid>", maxsplit=1)[0]


def _module(name: str, asked: dict) -> None:
    import libvirt
    from ansible.module_utils import basic

    if asked["guests"]:
        real = libvirt.virConnect.listAllDomains
        guests = [_Guest(document) for document in asked["guests"]]
        libvirt.virConnect.listAllDomains = lambda daemon, flags: real(daemon, flags) if daemon.getURI().startswith("network") else guests
    if asked["user"]:
        os.setgroups([])
        os.setgid(asked["user"])
        os.setuid(asked["user"])
    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": asked["arguments"]}).encode()
    basic._ANSIBLE_PROFILE = "legacy"
    importlib.import_module(f"ansible_collections.vfpool.sriov.plugins.modules.{name}").main()


def _client(name: str, arguments: dict) -> None:
    import libvirt

    libvirt.registerErrorHandler(lambda *_ignored: None, None)
    connection = libvirt.open("qemu:///system")
    if name == "forget":
        for network in connection.listAllNetworks(0):
            if network.isActive():
                network.destroy()
            if network.isPersistent():
                network.undefine()
        print("null")
        return
    try:
        network = connection.networkLookupByName(arguments["network"])
        print(json.dumps(_CLIENTS[name](network, libvirt, **{key: value for key, value in arguments.items() if key != "network"})))
    except libvirt.libvirtError:
        print(json.dumps({"leases": {}, "counts": {}} if name == "ledger" else None))


def _take(network: Any, libvirt: Any, owner: str, mac: str) -> Any:
    owned = f"<owner><name>{owner}</name><uuid>{uuid.uuid4()}</uuid></owner>"
    port = network.portCreateXML(f"<networkport><uuid>{uuid.uuid4()}</uuid>{owned}<mac address='{mac}'/></networkport>", 0)
    return {"port": port.UUIDString(), **_describe(port)}


def _release(network: Any, libvirt: Any, port: str) -> Any:
    network.portLookupByUUIDString(port).delete()


def _ledger(network: Any, libvirt: Any) -> Any:
    from xml.etree.ElementTree import fromstring

    leases = {port.UUIDString(): _describe(port) for port in network.listAllPorts(0)}
    counts = {entry.get("dev"): int(entry.get("connections", "0")) for entry in fromstring(network.XMLDesc(0)).iterfind("forward/interface")}
    return {"leases": leases, "counts": counts}


def _describe(port: Any) -> dict:
    from ansible_collections.vfpool.sriov.plugins.module_utils._leases import member_of, parse_port

    lease = parse_port(port.XMLDesc(0))
    return {"member": member_of(lease), "owner": lease["owner_name"], "mac": lease["mac"]}


_CLIENTS: dict[str, Callable[..., Any]] = {"take": _take, "release": _release, "ledger": _ledger}


def _serve() -> None:
    os.chdir("/")  # Without a folder that is there, each module makes itself one, and leaves it where it is ended early.
    for name in MODULES:
        importlib.import_module(f"ansible_collections.vfpool.sriov.plugins.modules.{name}")
    importlib.import_module("libvirt")
    importlib.import_module("lxml.etree")
    for line in sys.stdin:
        kind, name, arguments = json.loads(line)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            _answer(kind, name, arguments, writing)
        os.close(writing)
        with os.fdopen(reading) as answer:
            said = answer.read()
        _pid, status = os.waitpid(child, 0)
        print("null" if os.WIFSIGNALED(status) else said.strip() or "null", flush=True)


def _answer(kind: str, name: str, arguments: dict, writing: int) -> None:
    os.dup2(writing, 1)
    try:
        (_module if kind == "module" else _client)(name, arguments)
    except SystemExit:
        pass
    except BaseException:  # noqa: BLE001  # the test shows what it was
        print(json.dumps({"failed": True, "msg": traceback.format_exc()}))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    _serve()
