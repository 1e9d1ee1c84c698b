# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host that benchmarks run Ansible on: namespaces with the system of the laboratory's image, which has a server of ssh, too."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

from ansible_collections.vfpool.sriov.tests.bench.table import Cost
from ansible_collections.vfpool.sriov.tests.integration.host import CHECKOUT, Host
from ansible_collections.vfpool.sriov.tests.lab.image import image

__all__ = ["NEW_SSH", "OPEN_SSH", "bench_host", "run_of"]

# How Ansible reaches the host: by nothing, by a connection that each run makes anew, and by one that an earlier run left open.
LOCAL, NEW_SSH, OPEN_SSH = "local", "new ssh", "open ssh"
# Where Ansible keeps connections open for a minute.
_OPEN = "/root/.ansible/cp"
_SSH_SERVER = """
mkdir -p /run/sshd /root/.ssh
ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys
/usr/sbin/sshd
"""


@contextmanager
def bench_host() -> Iterator[Host]:
    with tempfile.TemporaryDirectory() as folder:
        host = Host(Path(folder), image("bookworm") / "root")
        try:
            host.run("sh", "-ec", _SSH_SERVER)
            yield host
        finally:
            host.close()


def run_of(host: Host, module: list[str], over: str = LOCAL, python: str = "/usr/bin/python3") -> Callable[[], Cost]:
    """One whole ``ansible -m``; over ssh, what the host works is not in the processor time."""
    # The path by which this program finds the tests would hide the collection from Ansible.
    command = ["env", "--chdir=/", "--unset=PYTHONPATH", f"ANSIBLE_CONFIG={CHECKOUT}/ansible.cfg", "ANSIBLE_HOST_KEY_CHECKING=no"]
    command += ["ansible", "localhost", "-i", "localhost,", "-c", over.rpartition(" ")[2], "-e", f"ansible_python_interpreter={python}", "-m", *module]

    def run() -> Cost:
        if over == NEW_SSH:
            host.run("rm", "-rf", _OPEN)
        start, before = time.perf_counter(), getrusage(RUSAGE_CHILDREN)
        host.run(*command)
        after = getrusage(RUSAGE_CHILDREN)
        return Cost(time.perf_counter() - start, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)

    return run
