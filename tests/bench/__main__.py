# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure, as ratios in one run against real peers on this machine: ``python -m …tests.bench [PART...]``; fails where a limit is exceeded."""

from __future__ import annotations

import sys
from collections.abc import Callable

from ansible_collections.vfpool.sriov.tests.bench import facts, lab, networks, pf

REPORTS: dict[str, Callable[[], tuple[str, bool]]] = {"facts": facts.report, "lab": lab.report, "networks": networks.report, "pf": pf.report}


def main(chosen: list[str]) -> int:
    kept = True
    for name in chosen or REPORTS:
        print(f"Measuring {name} …", file=sys.stderr, flush=True)
        text, within_limits = REPORTS[name]()
        print(f"\n{text}\n", flush=True)
        kept &= within_limits
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
