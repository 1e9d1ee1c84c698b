# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules for networks return is what their documentation says: the same keys at every place, and values of the documented types."""

from __future__ import annotations

import pytest

from ansible_collections.vfpool.sriov.tests.integration.host import FIREWALL, Host
from ansible_collections.vfpool.sriov.tests.integration.warm import Warm
from ansible_collections.vfpool.sriov.tests.unit.documented import differences, returned_by

# A member has the one or the other.
EITHER = ("network.pool.members has, or lacks, ['interface']", "network.pool.members has, or lacks, ['address']")


@pytest.mark.parametrize("mode", ["passthrough", "hostdev"])
def test_a_run_returns_what_is_documented(host: Host, card, mode):
    warm = Warm(host)
    options = {"name": "n", "pf": "enp1s0", "mode": mode, "managed": True if mode == "hostdev" else None, "_ansible_diff": True}
    warm.module("passthrough_network", **options)
    for module, given in (
        ("passthrough_port", {**FIREWALL, "_ansible_diff": True}),
        ("passthrough_network", options),
        ("passthrough_network", {**options, "state": "rendered"}),
        ("passthrough_network_info", {}),
    ):
        documented = returned_by(module)
        result = {key: value for key, value in warm.module(module, **given).items() if key not in ("changed", "invocation")}
        assert result.keys() == documented.keys() - ({"network", "actions", "diff"} if "xml" in result else {"xml"})
        assert [line for key in result for line in differences(result[key], documented[key], key) if line not in EITHER] == []
