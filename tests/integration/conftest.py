# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.vfpool.sriov.tests.integration.host import Host
from ansible_collections.vfpool.sriov.tests.lab.image import SUITES, image
from ansible_collections.vfpool.sriov.tests.sysfs_tree import PF


@pytest.fixture(scope="session")
def namespaces(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """VFPOOL_HOST_SYSTEM may name a release of the laboratory, or a folder with another Debian system; else it is this machine's own."""
    system = os.environ.get("VFPOOL_HOST_SYSTEM", "/")
    host = Host(tmp_path_factory.mktemp("host"), image(system) / "root" if system in SUITES else Path(system))
    yield host
    host.close()


@pytest.fixture
def host(namespaces: Host) -> Iterator[Host]:
    """A host without cards and networks, and its libvirtd: give it cards with `host.tree.pf(...)`."""
    namespaces.reset()
    namespaces.start_libvirtd()
    yield namespaces


@pytest.fixture
def card(host: Host) -> PF:
    """The card of most tests: a PF of 4 VFs."""
    return host.tree.pf("enp1s0", "0000:01:00.0", vfs=4)
