# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start, reach and stop laboratory hosts: each is one QEMU process with a name and a folder."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from .image import CACHE
from .progress import LabError, say

__all__ = ["Machine", "machines"]

MACHINES = CACHE / "machines"
# What a stopped host printed on its console stays for whoever wonders.
LOGS = CACHE / "log"
TIMEOUT = 600

# Mounts made in here are gone when the process is, however it ends.
LAUNCH = """
root=$1 image=$2 state=$3; shift 3
mount --bind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount --bind /etc/resolv.conf "$root/etc/resolv.conf"
mount --bind "$image" "$root/srv"
mount --bind "$state" "$root/mnt"
exec chroot "$root" env -i PATH=/usr/bin TMPDIR=/var/tmp "$@"
"""

SSH_CONFIG = """\
Host {name}
  HostName 127.0.0.1
  Port {port}
  User root
  IdentityFile {key}
  IdentitiesOnly yes
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  LogLevel ERROR
  ServerAliveInterval 15
  ServerAliveCountMax 8
"""

INVENTORY = """\
---
lab:
  hosts:
    {name}:
      ansible_ssh_common_args: -F {folder}/ssh_config
      ansible_control_path_dir: {sockets}
      ansible_python_interpreter: /usr/bin/python3
"""


def _began(pid: int) -> str | None:
    """When the process began, in the kernel's ticks: with its number it names a process for good."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        return None


class Machine:
    """One laboratory host by its name."""

    def __init__(self, name: str) -> None:
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
            raise LabError(f"{name!r} is no name for a laboratory host: use small letters, digits and dashes")
        self.name = name
        self.folder = MACHINES / name
        self.inventory = self.folder / "inventory.yml"

    @property
    def state(self) -> dict:
        try:
            content: dict = json.loads((self.folder / "machine.json").read_text())
        except FileNotFoundError:
            return {}
        return content

    @property
    def running(self) -> bool:
        state = self.state
        return bool(state) and _began(state["pid"]) == state["began"]

    def ssh(self, *words: str) -> list[str]:
        return ["ssh", "-F", str(self.folder / "ssh_config"), self.name, *words]

    def start(self, house: Path, disks: Path, command: list[str], **kind: Any) -> None:
        """Run QEMU from the system in ``house``, with the image folder ``disks`` and what the host is, for the record."""
        self.stop()
        self.folder.mkdir(parents=True)
        with (self.folder / "qemu.log").open("w") as log:
            process = subprocess.Popen(
                ["unshare", "--mount", "--propagation", "private", "sh", "-euc", LAUNCH, "sh", house, disks, self.folder, *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        # The path of a socket has at most 107 characters, a checkout's may have more.
        record = {"pid": process.pid, "began": _began(process.pid), "sockets": tempfile.mkdtemp(prefix="vfpool-", dir="/tmp"), **kind}
        (self.folder / "machine.json").write_text(json.dumps(record, indent=2) + "\n")
        while not (self.folder / "qmp").exists():
            if process.poll() is not None:
                raise LabError(f"QEMU did not start: {(self.folder / 'qemu.log').read_text().strip()}")
            time.sleep(0.05)
        port = self._ssh_port()
        (self.folder / "ssh_config").write_text(SSH_CONFIG.format(name=self.name, port=port, key=disks / "key"))
        self.inventory.write_text(INVENTORY.format(name=self.name, folder=self.folder, sockets=record["sockets"]))

    def wait(self, command: str) -> None:
        """Wait for ssh, then run a command in the host, whatever it comes to."""
        port, began = self._ssh_port(), time.monotonic()
        next_word = began + 5
        while not self._answers(port):
            if not self.running or _zombie(self.state["pid"]) or time.monotonic() > began + TIMEOUT:
                raise LabError(f"{self.name} did not come up: see {LOGS}/{self.name}-console.log and {self.name}-qemu.log there")
            if time.monotonic() > next_word:
                next_word += 5
                say(f"  {self._last_word()}")
            time.sleep(0.1)
        try:
            subprocess.run(self.ssh(command), check=False, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, timeout=TIMEOUT)
        except subprocess.TimeoutExpired as error:
            raise LabError(f"{self.name} is up, and had not settled after {TIMEOUT} s: see {LOGS}/{self.name}-console.log") from error

    def monitor(self, line: str) -> str:
        """What QEMU's human monitor answers to ``line``."""
        with socket.socket(socket.AF_UNIX) as connection:
            # As long as a checkout's path is, this one is short enough for a socket.
            folder = os.open(self.folder, os.O_PATH)
            try:
                connection.connect(f"/proc/self/fd/{folder}/qmp")
            finally:
                os.close(folder)
            stream = connection.makefile("rw")
            stream.readline()
            for request in ({"execute": "qmp_capabilities"}, {"execute": "human-monitor-command", "arguments": {"command-line": line}}):
                stream.write(json.dumps(request) + "\n")
                stream.flush()
                while "return" not in (answer := json.loads(stream.readline())):
                    if "error" in answer:
                        raise LabError(f"QEMU refused {line!r}: {answer['error']['desc']}")
        return str(answer["return"])

    def _ssh_port(self) -> int:
        for line in self.monitor("info usernet").splitlines():
            if "HOST_FORWARD" in line:
                return int(line.split()[3])
        raise LabError(f"QEMU forwards no port to {self.name}")

    @staticmethod
    def _answers(port: int) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    def _last_word(self) -> str:
        """The last line on the console, without colours and time stamps."""
        console = (self.folder / "console.log").read_text(errors="replace")
        lines = [re.sub(r"\x1b\[[0-9;?!]*[a-zA-Z]|^\[ *[0-9.]+\]", "", line).strip() for line in console.splitlines()]
        return next((line[:100] for line in reversed(lines) if line), "no word on its console yet")

    def stop(self) -> None:
        """End the host and remove what it left, but keep its console."""
        if self.running:
            pid = self.state["pid"]
            os.kill(pid, signal.SIGKILL)
            while self.running and not _zombie(pid):
                time.sleep(0.02)
        if "sockets" in self.state:
            shutil.rmtree(self.state["sockets"], ignore_errors=True)
        if self.folder.exists():
            LOGS.mkdir(parents=True, exist_ok=True)
            for log in self.folder.glob("*.log"):
                log.replace(LOGS / f"{self.name}-{log.name}")
            shutil.rmtree(self.folder)


def _zombie(pid: int) -> bool:
    """Whether the process has ended and only waits for its parent, which may be this one, to notice."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def machines() -> list[Machine]:
    """Every laboratory host of this checkout, running or not."""
    return [Machine(folder.name) for folder in sorted(MACHINES.glob("*"))]
