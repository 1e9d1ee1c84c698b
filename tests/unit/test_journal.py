# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._journal import Journal
from ansible_collections.vfpool.sriov.plugins.module_utils._libvirt import network_key


@pytest.mark.parametrize(
    ("uri", "key"),
    [
        ("qemu:///system", "n"),
        ("network:///system", "n"),
        ("qemu+unix:///system?mode=direct", "n"),
        ("qemu+unix:///system?socket=/var/run/libvirt/virtqemud-sock", "n"),
        ("network:///system?socket=/run/libvirt/virtnetworkd-sock&mode=direct", "n"),
        ("qemu+unix:///system?socket=/run/other/libvirt-sock", "n at system at /run/other/libvirt-sock"),
        ("qemu:///session", "n at session"),
        ("qemu+ssh://kvm2/system", "n at kvm2/system"),
        ("qemu+ssh://root@localhost/system", "n"),
        ("qemu+tls://[::1]/system", "n"),
        ("qemu+tls://[0:0:0:0:0:0:0:1]/system", "n"),
        ("qemu+ssh://127.0.1.1/system", "n"),
        ("qemu+ssh://localhost.localdomain/system", "n"),
        ("qemu+ssh://localhost.example.com/system", "n at localhost.example.com/system"),
        (f"qemu+ssh://{os.uname().nodename}.elsewhere.example/system", f"n at {os.uname().nodename}.elsewhere.example/system"),
        (f"qemu+ssh://{os.uname().nodename}/session", "n at session"),
        ("qemu+ssh://localhost:2222/system", "n at localhost:2222/system"),
        ("network+ssh://root@kvm2/system?keyfile=/root/.ssh/key", "n at kvm2/system"),
        ("qemu+ssh://root@kvm2:2222/system", "n at kvm2:2222/system"),
        ("qemu+ssh://kvm2/system?socket=/run/other/libvirt-sock", "n at kvm2/system at /run/other/libvirt-sock"),
    ],
)
def test_a_network_has_one_key_for_each_daemon_that_may_have_it(uri: str, key: str):
    assert network_key("n", uri) == key


UUID = "0b2d64da-3d0e-431e-afdd-804415d6ebbb"
XML = "<network><name>n</name></network>"
OWNER = f"<owner><name>web1</name><uuid>{UUID}</uuid></owner>"
MAC = "<mac address='52:54:00:00:00:01'/>"
KEPT, TAKEN = (
    f"<networkport><uuid>{uuid}</uuid>{OWNER}{MAC}<plug type='direct' dev='enp1s0v0' mode='passthrough'/></networkport>"
    for uuid in (UUID, "5d7c1d16-4c24-4d2f-8a43-2d0a0f2a5e8d")
)


@pytest.mark.parametrize("text", ["{}", "[]", "null", '{"uuid": 5, "xml": "", "leases": []}', '{"uuid": "", "xml": "", "leases": [5]}',
                                  '{"uuid": "", "xml": "<network/>", "leases": []}', "{", ""])  # fmt: skip
def test_what_is_no_record_is_refused_with_its_path_and_what_to_do(tmp_path: Path, text: str):
    journal = Journal("n", str(tmp_path))
    Path(journal.path).write_text(text + "\n")
    with pytest.raises(SriovError, match=rf"^The record {journal.path} .* cannot be read .*: compare the network's leases with its guests by hand"):
        journal.read()


@pytest.mark.parametrize(
    "lease",
    [
        "",
        "web1",
        "<networkport/>",
        f"<networkport>{OWNER}{MAC}</networkport>",
        f"<networkport><uuid>{UUID}</uuid>{MAC}</networkport>",
        f"<networkport><uuid>{UUID}</uuid>{OWNER}<mac/></networkport>",
        f"<networkport><uuid>{UUID}</uuid>{OWNER}{MAC}<plug type='hostdev-pci'/></networkport>",
        f"<networkport><uuid>{UUID}</uuid>{OWNER}{MAC}<plug type='hostdev-pci'><address bus='first'/></plug></networkport>",
    ],
)
def test_a_record_of_what_is_no_lease_is_refused_as_well(tmp_path: Path, lease: str):
    journal = Journal("n", str(tmp_path))
    journal.write(UUID, XML, [KEPT], [KEPT, lease])
    with pytest.raises(SriovError, match=r"cannot be read \(it is no record\): compare"):
        journal.read()


def test_a_record_tells_whether_any_lease_was_at_risk(tmp_path: Path):
    journal = Journal("n", str(tmp_path))
    journal.write(UUID, XML, [KEPT], [KEPT, TAKEN])
    assert journal.read() == {
        "uuid": UUID, "xml": XML, "name": "n", "leases": [KEPT], "before": [KEPT, TAKEN], "stopped": False, "done": set(),
    }  # fmt: skip
    journal.stopping()
    journal.mark("5d7c1d16-4c24-4d2f-8a43-2d0a0f2a5e8d")
    record = journal.read()
    assert record is not None and record["stopped"] and record["done"] == {"5d7c1d16-4c24-4d2f-8a43-2d0a0f2a5e8d"}


@pytest.mark.parametrize("name", ["n" * 250, "网络" * 40])
def test_a_network_with_a_long_name_has_a_record_of_its_own(tmp_path: Path, name: str):
    journal = Journal(name, str(tmp_path))
    journal.write(UUID, XML, [], [])
    assert journal.read() is not None
    assert Journal(f"{name}x", str(tmp_path)).read() is None


def test_a_lease_that_cannot_be_noted_does_not_keep_the_next_from_going_back(tmp_path: Path):
    journal = Journal("n", str(tmp_path / "gone"))
    journal.mark(UUID)
    assert journal.read() is None
