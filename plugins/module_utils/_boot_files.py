# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private to this collection: the files that bring a PF back after a reboot (pure: a declared state in, texts out).

A udev rule gives the PF's device a name of its own, found by what does not change when the interface's name does. A oneshot unit
waits for that device and runs a short script before libvirt starts its networks. systemd.link alone would leave out
what it has no setting for (rates, drivers, link up) and what it does not apply (trust), and would take the interface's naming over.
"""

from __future__ import annotations

import json

from ansible_collections.vfpool.sriov.plugins.module_utils._errors import SriovError
from ansible_collections.vfpool.sriov.plugins.module_utils._interfaces import FOR_USER_SPACE
from ansible_collections.vfpool.sriov.plugins.module_utils._pf_options import PF_SPEC, VF_SPEC, fits, is_driver_name, is_number_of_vfs
from ansible_collections.vfpool.sriov.plugins.module_utils._range_option import parse_ranges
from ansible_collections.vfpool.sriov.plugins.module_utils._vf_attributes import ATTRIBUTES, batch, settings
from ansible_collections.vfpool.sriov.plugins.module_utils._vf_wish import check_values

__all__ = ["boot_files", "declared_in", "is_script_of", "paths", "will_have_interface"]

_DECLARED, _OF = "# declared: ", "# of the PF: "

# Without SYSTEMD_WANTS, by which any later event of the device, as of "udevadm trigger", would run the script in the midst of the day.
_RULE = """ACTION!="remove", {match}, TAG+="systemd", ENV{{SYSTEMD_ALIAS}}+="/vfpool/sriov/{key}"
"""

_UNIT = """[Unit]
Description=SR-IOV VFs of the PF {title}
# The usual dependency on sysinit.target would close a circle where cloud-init wants the network before that.
DefaultDependencies=no
Requires=vfpool-sriov-{key}.device
After=vfpool-sriov-{key}.device local-fs.target systemd-udevd.service
Wants=network-pre.target
Before=network-pre.target libvirtd.service virtnetworkd.service virtqemud.service shutdown.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh {script}
# A host whose card hangs comes up all the same.
TimeoutStartSec={limit}

[Install]
WantedBy=multi-user.target
"""

_FIND = """
# The PF is where udev found it, under whatever name it has now.
device=$(systemctl show --property=SysFSPath --value vfpool-sriov-{key}.device)
name=${{device##*/}}
pf=$(readlink -f "$device/device")
[ -e "$pf/sriov_numvfs" ] || pf=${{pf%/*}}  # an interface of virtio lies one level deeper
failed=0
"""

_FIND_WITHOUT_INTERFACE = """
pf=$(systemctl show --property=SysFSPath --value vfpool-sriov-{key}.device)
failed=0
"""

_ESWITCH_MODE = """
# A card without a switch is what others are in legacy mode, and it refuses even that.
mode=$(devlink dev eswitch show "pci/${{pf##*/}}" 2> /dev/null | sed -n 's/.* mode \\([a-z]*\\).*/\\1/p')
if [ "${{mode:-legacy}}" != {mode} ]; then
  if [ "$(cat "$pf/sriov_numvfs")" = 0 ]; then
    devlink dev eswitch set "pci/${{pf##*/}}" mode {mode} || failed=1
  else
    echo "The PF has VFs already, and keeps its eswitch_mode ${{mode:-legacy}}." >&2
    failed=1
  fi
fi
"""

_MAKE = """
# VFs that are there already may be in use, and another number would destroy them.
count={count}
present=$(cat "$pf/sriov_numvfs")
if [ "$present" = 0 ] && [ "$count" != 0 ]; then
  echo "$count" > "$pf/sriov_numvfs" || failed=1
  new=1
  made=$(cat "$pf/sriov_numvfs")
  [ "$made" = "$count" ] || {{ echo "The PF made $made of $count VFs." >&2; failed=1; }}
elif [ "$present" != "$count" ]; then
  echo "The PF has $present VFs already, not $count, and keeps them." >&2
  failed=1
fi
has_interface() {{
  for net in "$1"/net "$1"/virtio*/net; do
    [ ! -d "$net" ] || return 0
  done
  return 1
}}
# No interface comes from what is no network card, nor, without ib_ipoib, from InfiniBand.
is_complete() {{
  case $(cat "$1/class") in
    0x0207*) [ -e "$1/infiniband" ] || has_interface "$1" ;;
    0x02*) has_interface "$1" ;;
  esac
}}
# For udev to load the VFs' driver, which then makes their interfaces in its own time.
udevadm settle --timeout={timeout} || failed=1
deadline=$(($(date +%s) + {timeout}))
for vf in "$pf"/virtfn*; do
  case $(readlink "$vf/driver") in */vfio* | */uio*) continue ;; esac
  while [ -e "$vf/driver" ] && ! is_complete "$vf" && [ "$(date +%s)" -lt "$deadline" ]; do
    sleep 0.1
  done
  [ ! -e "$vf/driver" ] || is_complete "$vf" || {{ echo "${{vf##*/}} has no interface after {timeout} s." >&2; failed=1; }}
done
udevadm settle --timeout={timeout} || failed=1
"""

_CARRIER = """
# Rates are refused until the link has found its speed.
tries=150
while [ "$tries" -gt 0 ] && [ "$(cat "$device/carrier" 2> /dev/null)" != 1 ]; do
  sleep 0.1
  tries=$((tries - 1))
done
"""

_IN_USE = """
# Also run by a restart, when guests may have VFs: what is in use is left alone.
driver_of() {
  [ ! -e "$1/driver" ] || basename "$(readlink -f "$1/driver")"
}
in_use() {
  [ -z "$new" ] || return 1
  for upper in "$1"/net/*/upper_* "$1"/virtio*/net/*/upper_*; do
    [ ! -e "$upper" ] || { echo "$1 is left alone: $upper stands on it." >&2; return 0; }
  done
  for net in "$1"/net "$1"/virtio*/net; do
    [ ! -d "$net" ] || [ -n "$(ls "$net")" ] || { echo "$1 is left alone: its interface is in another network namespace." >&2; return 0; }
  done
  for vdpa in "$1"/vdpa[0-9]*; do
    [ ! -e "$vdpa" ] || { echo "$1 is left alone: vDPA has it." >&2; return 0; }
  done
  for verbs in "$1"/infiniband_verbs/*; do
    [ ! -e "$verbs" ] || [ -z "$(find /proc/[0-9]*/fd -lname "*/infiniband/${verbs##*/}" 2> /dev/null)" ] ||
      { echo "$1 is left alone: a process has ${verbs##*/} open." >&2; return 0; }
  done
  case $(driver_of "$1") in
    vfio*) echo "$1 is left alone: VFIO has it." >&2 ;;
    *) return 1 ;;
  esac
}
"""

_LINK_DOWN = """
for vf in "$pf"/virtfn*; do
  ! in_use "$vf" || cut_off=1
done
[ -n "$cut_off" ] || ip link set dev "$name" down || failed=1
"""

_ATTRIBUTES = """
unless_in_use() {{
  while read -r line; do
    index=${{line#* vf }}
    index=${{index%% *}}
    if [ "$index" != "$last" ]; then
      last=$index
      busy=0
      ! in_use "$pf/virtfn$index" || busy=1
    fi
    [ "$busy" = 1 ] || echo "$line"
  done
}}
unless_in_use << EOF | ip -force -batch - || failed=1
{lines}EOF
"""

_BOUND_AS = """
is_bound_as() {{
  case $2:$(driver_of "$1") in
    default: | {user_space}) return 1 ;;
    default:* | "$2:$2") ;;
    *) return 1 ;;
  esac
}}
"""

_DRIVERS = """
release() {
  [ ! -e "$1/driver" ] || basename "$(readlink -f "$1")" > "$1/driver/unbind"
}
# While new VFs are to get no driver, the kernel has none for an old one either unless by its override.
probe() {
  autoprobe=$(cat "$pf/sriov_drivers_autoprobe" 2> /dev/null)
  [ "$autoprobe" != 0 ] || echo 1 > "$pf/sriov_drivers_autoprobe"
  basename "$(readlink -f "$1")" > "$1/subsystem/drivers_probe"
  probed=$?
  [ "$autoprobe" != 0 ] || echo 0 > "$pf/sriov_drivers_autoprobe"
  return "$probed"
}
byte() {
  od -An -tu1 -j "$2" -N 1 "$1/config" 2> /dev/null | tr -d ' '
}
# No file tells it but the configuration space, in its list of capabilities.
msix_count() {
  at=$(byte "$1" 52)
  while [ "${at:-0}" -ge 64 ] && [ "$at" -le 252 ]; do
    if [ "$(byte "$1" "$at")" = 17 ]; then
      echo $(((($(byte "$1" $((at + 3))) << 8 | $(byte "$1" $((at + 2)))) & 2047) + 1))
      return
    fi
    at=$(byte "$1" $((at + 1)))
  done
}
set_msix_count() {
  [ "$(msix_count "$1")" != "$2" ] && ! in_use "$1" || return 0
  had=$(driver_of "$1")
  release "$1"
  echo "$2" > "$1/sriov_vf_msix_count" || failed=1
  [ -z "$had" ] || probe "$1"
}
bind() {
  ! is_bound_as "$1" "$2" && ! in_use "$1" || return 0
  if [ "$2" = default ]; then
    echo > "$1/driver_override"
  else
    modprobe --quiet "$2"
    echo "$2" > "$1/driver_override"
  fi
  release "$1"
  probe "$1" || failed=1
  bound="$bound $2 $1"
}
# Unless told otherwise, the kernel has seen to that when it made the VF.
bind_default() {
  [ "$(cat "$pf/sriov_drivers_autoprobe" 2> /dev/null)" != 0 ] || bind "$1" default
}
bind_none() {
  ! in_use "$1" || return 0
  echo none > "$1/driver_override"
  release "$1" || failed=1
}
"""

# The kernel counts a VF as probed that no driver took.
_DRIVERS_CAME = """
udevadm settle || failed=1
# shellcheck disable=SC2086
set -- $bound  # a driver and a VF in turn
while [ $# -gt 0 ]; do
  is_bound_as "$2" "$1" || { echo "$2 did not get the driver $1." >&2; failed=1; }
  shift 2
done
"""


def paths(key: str, root: str = "/") -> dict[str, str]:
    """Where the files of one PF lie; ``wanted_by`` is the link that lets systemd start the unit."""
    return {
        "script": f"{root}etc/vfpool.sriov/{key}",
        "rule": f"{root}etc/udev/rules.d/85-vfpool-sriov-{key}.rules",
        "unit": f"{root}etc/systemd/system/vfpool-sriov-{key}.service",
        "wanted_by": f"{root}etc/systemd/system/multi-user.target.wants/vfpool-sriov-{key}.service",
    }


def boot_files(key: str, pf: dict, title: str, declared: dict, timeout: int) -> dict[str, str]:
    """``script``, ``rule`` and ``unit`` for the PF whose identity is ``key``; ``declared`` as of ``declared_in``."""
    return {
        "script": _script(key, pf, declared, timeout),
        "rule": _RULE.format(match=_match(key, pf), key=key),
        "unit": _UNIT.format(title=title, key=key, script=paths(key)["script"], limit=60 + 3 * timeout),
    }


def declared_in(script: str) -> dict | None:
    """What a script was made from: options of the module, with `vfs` as VF index to attributes. None when it cannot be told,
    which is so of all when a part of it is nothing that the module takes: root runs what is made of it.
    """
    line = next((line for line in script.splitlines() if line.startswith(_DECLARED)), _DECLARED)
    try:
        declared = json.loads(line[len(_DECLARED) :])
        vfs = {index: values for text, values in declared.pop("vfs", {}).items() for index in parse_ranges(text)}
        for index, values in vfs.items():
            if not (fits(values, VF_SPEC) and is_driver_name(values.get("driver", "default"))):
                return None
            check_values(values, f"VF {index}")
    except (ValueError, AttributeError, TypeError, RecursionError, SriovError):
        return None
    return {**declared, "vfs": vfs} if fits(declared, PF_SPEC) and is_number_of_vfs(declared.get("num_vfs", "max")) else None


def is_script_of(pf: dict, script: str) -> bool:
    """Whether a script was made for the PF, by where that was then."""
    return f"{_OF}{pf['pci_address']}" in script.splitlines()


def will_have_interface(pf: dict) -> bool:
    """After a boot, an interface is in no other network namespace any more. Of one that is there and not seen, the facts know no altnames."""
    return pf["name"] is not None or pf["altnames"] is None


def _match(key: str, pf: dict) -> str:
    if not key.startswith("pci"):
        return f'SUBSYSTEM=="net", ENV{{ID_NET_NAME_MAC}}=="{key}", ATTRS{{sriov_totalvfs}}=="?*"'
    if not will_have_interface(pf):
        return f'SUBSYSTEM=="pci", KERNEL=="{pf["pci_address"]}", DRIVER=="?*"'
    return f'SUBSYSTEM=="net", KERNELS=="{pf["pci_address"]}"'


def _script(key: str, pf: dict, declared: dict, timeout: int) -> str:
    vfs: dict[int, dict] = declared.get("vfs", {})
    parts = [f"{_DECLARED}{json.dumps(declared, sort_keys=True)}\n{_OF}{pf['pci_address']}\n"]
    parts.append((_FIND if will_have_interface(pf) else _FIND_WITHOUT_INTERFACE).format(key=key))
    if "drivers_autoprobe" in declared:
        parts.append(f'echo {int(declared["drivers_autoprobe"])} > "$pf/sriov_drivers_autoprobe" || failed=1\n')
    if "eswitch_mode" in declared:
        parts.append(_ESWITCH_MODE.format(mode=declared["eswitch_mode"]))
    if "mtu" in declared:
        parts.append(f'ip link set dev "$name" mtu {declared["mtu"]} || failed=1\n')
    if "num_vfs" in declared:
        count = '$(cat "$pf/sriov_totalvfs")' if declared["num_vfs"] == "max" else declared["num_vfs"]
        parts.append(_MAKE.format(count=count, timeout=timeout))
    if declared.get("link") == "up":
        parts.append('ip link set dev "$name" up || failed=1\n')
    with_care = ([_LINK_DOWN] if declared.get("link") == "down" else []) + _attributes(vfs) + _drivers(vfs)
    return "".join([*parts, *([_IN_USE] if with_care else []), *with_care, 'exit "$failed"\n'])


def _attributes(vfs: dict[int, dict]) -> list[str]:
    wrong = settings({}, {index: {name: values[name] for name in ATTRIBUTES if name in values} for index, values in vfs.items()})
    if not wrong:
        return []
    carrier = [_CARRIER] if any(setting.values.get("max_tx_rate") for setting in wrong) else []
    return [*carrier, _ATTRIBUTES.format(lines=batch("$name", wrong))]


def _drivers(vfs: dict[int, dict]) -> list[str]:
    lines = []
    for index, values in sorted(vfs.items()):
        vf = f'"$pf/virtfn{index}"'
        if "msix_count" in values:
            lines.append(f"set_msix_count {vf} {values['msix_count']}\n")
        driver = values.get("driver")
        if driver in ("none", "default"):
            lines.append(f"bind_{driver} {vf}\n")
        elif driver is not None:
            lines.append(f"bind {vf} {driver}\n")
    bound_as = _BOUND_AS.format(user_space=" | ".join(f"default:{pattern}" for pattern in FOR_USER_SPACE))
    return [bound_as, _DRIVERS, *lines, _DRIVERS_CAME] if lines else []
