# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules that talk to libvirt have in common."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  uri:
    description:
      - The libvirt daemon, such as V(qemu:///system), V(network:///system) or V(qemu+ssh://root@host/system).
      - V(localhost), a loopback address or this host's own name without a port is this host.
        Of a daemon on another host only libvirt's own answers are known, and nothing of that host's PFs and VFs.
        Where that matters, run the module on that host.
    type: str
    default: qemu:///system
requirements:
  - libvirt 7.7 or later on the host
  - the Python library libvirt on the host (package C(python3-libvirt)); a module that runs under another Python finds the system's by itself
  - the Python library lxml on the host (package C(python3-lxml))
"""
