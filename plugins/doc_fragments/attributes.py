# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module says about itself in the same words."""

from __future__ import annotations


class ModuleDocFragment:
    # A module that changes the host. It uses this one alone.
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode and predict what would change without changing anything.
    support: full
  diff_mode:
    description: Returns what changed, or in check mode would change, when in diff mode.
    support: full
  idempotent:
    description: When run twice in a row with the same options, the second run changes nothing.
    support: full
  platform:
    description: Operating systems that the managed host may run.
    support: full
    platforms: linux
"""

    # A module that only reads.
    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode and predict what would change without changing anything.
    support: full
    details: The module changes nothing, in check mode or outside it.
  diff_mode:
    description: Returns what changed, or in check mode would change, when in diff mode.
    support: N/A
    details: The module changes nothing.
  idempotent:
    description: When run twice in a row with the same options, the second run changes nothing.
    support: full
    details: The module changes nothing.
  platform:
    description: Operating systems that the managed host may run.
    support: full
    platforms: linux
"""

    # A module that returns facts, beside the one before.
    FACTS = r"""
options: {}
attributes:
  facts:
    description: Returns an C(ansible_facts) dictionary that updates the facts of the host.
    support: full
"""
