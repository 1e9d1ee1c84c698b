# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The facts of a host of which not all can be seen: what lacks is null and named, and the rest is as root sees it where all is there."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

import pytest

from ansible_collections.vfpool.sriov.tests.integration.host import CHECKOUT, Host, network
from ansible_collections.vfpool.sriov.tests.integration.warm import PYTHON
from ansible_collections.vfpool.sriov.tests.unit.test_damage import named_parts

NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--")
# The module as Ansible starts it, but in a process of its own.
MODULE = """\
import json
from ansible.module_utils import basic
basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE = json.dumps({"ANSIBLE_MODULE_ARGS": {}}).encode(), "legacy"
from ansible_collections.vfpool.sriov.plugins.modules.sriov_vf_facts import main
main()
"""
NOT_INSTALLED = "libvirt is not installed on this host, so there is no ledger of guests to read"
PF = "0000:01:00.0"


@pytest.fixture
def card(host: Host) -> Host:
    """A card with a VF that has an interface, one that a process drives, one in another network namespace, and one that is leased."""
    pf = host.tree.pf("enp1s0", PF, vfs=4, iommu_group=None)
    for index in range(4):
        pf.vf(index).grouped(40 + index)
    pf.vf(1).nameless().bound_to("vfio-pci")
    pf.vf(2).elsewhere()
    return host


def facts(host: Host, *user: str) -> dict[str, Any]:
    done = host.run(*user, *PYTHON, "-c", MODULE, check=False)
    assert "Traceback" not in done.stdout + done.stderr, done
    assert done.returncode == 0, done
    sriov: dict[str, Any] = json.loads(done.stdout)["ansible_facts"]["sriov"]
    return sriov


def why_unknown(sriov: dict[str, Any], vf: int) -> list[str]:
    """Why there may be more holders of a VF, without the number of processes."""
    entries = [entry for entry in sriov["incomplete"] if (vf, "used_by") in named_parts({"incomplete": [entry]}, PF)]
    return [re.sub("[0-9]+", "N", entry["reason"]) for entry in entries]


def opener(host: Host, device: str) -> subprocess.Popen[Any]:
    """A process that has a device file open, below a root of its own: the machine's /dev is left alone."""
    file = f"/run/jail{device}"
    host.run("sh", "-c", f"mkdir -p $(dirname {file}) && touch {file}")
    process = host.start("env", "--chdir=/", "sh", "-c", f"exec 7<{file} && echo ready && exec sleep 1000", stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline() == "ready\n"
    return process


def test_without_libvirt_no_vf_is_known_to_be_free_and_the_facts_say_why(card: Host) -> None:
    card.stop_libvirtd()
    # All the host's commands but libvirt's daemons, in a folder in memory.
    card.run("sh", "-c", "mkdir /run/sbin && mount --bind /usr/sbin /run/sbin && mount -t tmpfs none /usr/sbin && ln -s /run/sbin/* /usr/sbin/")
    card.run("sh", "-c", "rm /usr/sbin/libvirtd && rm -f /usr/sbin/virt*d")
    opener(card, "/dev/vfio/41")
    sriov = facts(card)
    used_by = [vf["used_by"] for vf in sriov["pfs"][0]["vfs"]]
    assert [kind and kind[0]["kind"] for kind in used_by] == [None, "vfio", "netns", None]
    assert [entry["part"] for entry in sriov["incomplete"] if entry["reason"] == NOT_INSTALLED] == ["vfs[0-3].used_by"]


def test_a_user_who_is_not_root_is_told_of_everything_that_cannot_be_seen(card: Host) -> None:
    card.define(network("<interface dev='enp1s0v3'/>"))
    card.port_create("pool", "web1")
    opener(card, "/dev/vfio/41")
    card.start("unshare", "--net", "sleep", "1000")
    truth = facts(card)
    assert [[holder["kind"] for holder in vf["used_by"]] for vf in truth["pfs"][0]["vfs"]] == [[], ["vfio"], ["netns"], ["libvirt_port"]]
    card.run("chmod", "a+x", *map(str, CHECKOUT.parents))  # the module is imported from there
    sriov = facts(card, *NOBODY)
    (pf,), (was,) = sriov["pfs"], truth["pfs"]
    named = named_parts(sriov, PF)
    for index, is_, true in [(None, pf, was), *((vf["index"], vf, seen) for vf, seen in zip(pf["vfs"], was["vfs"]))]:
        for key in set(true) - {"vfs"}:
            if is_[key] != true[key]:
                assert is_[key] is None and (index, key) in named, f"{key} of VF {index} is {is_[key]}, and not {true[key]}"
    assert [vf["used_by"] and vf["used_by"][0]["kind"] for vf in pf["vfs"]] == [None, None, "netns", "libvirt_port"]
    said = "of some processes (N) cannot be seen: become root, in a container with CAP_SYS_PTRACE"
    namespaces, files = f"the network namespaces {said}", f"the open files {said}"
    assert [why_unknown(sriov, vf) for vf in range(4)] == [[namespaces], [files], [namespaces, files], [namespaces]]
