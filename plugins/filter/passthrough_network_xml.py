# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter passthrough_network_xml; its documentation is in passthrough_network_xml.yml beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._network_options import DEFINITION_SPEC, EXCLUSIVE, HOST_SPEC, POOL, REQUIRED_BY, definition
from ansible_collections.vfpool.sriov.plugins.module_utils._network_xml import network_text

_VALIDATOR = ArgumentSpecValidator({**DEFINITION_SPEC, **HOST_SPEC}, mutually_exclusive=EXCLUSIVE, required_one_of=[POOL], required_by=REQUIRED_BY)


def passthrough_network_xml(options: Any) -> str:
    if not isinstance(options, dict):
        raise AnsibleFilterError("passthrough_network_xml: the input is no dictionary of options of vfpool.sriov.passthrough_network.")
    result = _VALIDATOR.validate(options)
    if result.error_messages:
        raise AnsibleFilterError(f"passthrough_network_xml: {'; '.join(result.error_messages)}.")
    chosen = result.validated_parameters
    if chosen["vfs"] is not None:
        said = "the names of a PF's VFs are known on its host alone: give interfaces or addresses, which the filter interface_pool makes of facts and a range."
        raise AnsibleFilterError(f"passthrough_network_xml: vfs is {chosen['vfs']}, but {said}")
    try:
        return network_text(definition(chosen, {kind: chosen[kind] for kind in ("pf", "interfaces", "addresses")}))
    except SriovError as error:
        raise AnsibleFilterError(f"passthrough_network_xml: {error}") from None  # Ansible would print each cause as well


class FilterModule:
    """The filters of this file, by name."""

    def filters(self) -> dict[str, Callable[..., str]]:
        return {"passthrough_network_xml": passthrough_network_xml}
