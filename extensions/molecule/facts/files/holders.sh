#!/usr/bin/env bash
# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Gives the seven VFs of enp1s0 to seven different holders: a guest with a lease, an assigned PCI device, a guest that does
# not run, somebody's macvtap, a named and a nameless network namespace, and a process that opened VFIO. On the third of them stand a VLAN and
# a MACsec device in other namespaces as well. The PF's driver gets configuration.
set -eu

echo 7 >/sys/class/net/enp1s0/device/sriov_numvfs
udevadm settle
ip link set enp1s0 up
ip link set enp1s0 vf 1 mac 02:00:00:00:00:01 vlan 100 qos 3
ip link set enp1s0 vf 2 spoofchk off
ip link set enp1s0 vf 2 trust on

address() { basename "$(readlink "/sys/class/net/enp1s0/device/virtfn$1")"; }

domain() {
    cat <<END
<domain type='qemu'>
  <name>$1</name>
  <memory unit='MiB'>64</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices>$2</devices>
</domain>
END
}

virsh net-create /dev/stdin <<END
<network><name>leased</name><forward mode='passthrough'><interface dev='enp1s0v0'/></forward></network>
END
IFS=':.' read -r domain bus slot function <<<"$(address 1)"
domain holder-of-0 "<interface type='network'><source network='leased'/></interface>" | virsh create --paused /dev/stdin
domain holder-of-1 "<hostdev mode='subsystem' type='pci' managed='yes'><source>
  <address domain='0x$domain' bus='0x$bus' slot='0x$slot' function='0x$function'/></source></hostdev>" | virsh create --paused /dev/stdin
domain holder-of-2 "<interface type='direct'><source dev='enp1s0v2' mode='passthrough'/></interface>" | virsh define /dev/stdin
ip netns add tagged
ip link add link enp1s0v2 name tag5 type vlan proto 802.1ad id 5 # of 802.1Q the emulated card would have to know, and refuses it
ip link set tag5 netns tagged
ip netns add secured
ip link add link enp1s0v2 name sec0 type macsec
ip link set sec0 netns secured
ip link add link enp1s0v3 name holder-of-3 type macvtap mode bridge
ip netns add holder-of-4
ip link set enp1s0v4 netns holder-of-4
systemd-run --unit=holder-of-5 unshare --net sleep infinity
nameless=$(systemctl show --property=MainPID --value holder-of-5)
until [ "$(readlink "/proc/$nameless/ns/net")" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.1; done
ip link set enp1s0v5 netns "$nameless"
virsh nodedev-detach "pci_$(address 6 | tr ':.' '__')"
group=$(basename "$(readlink "/sys/class/net/enp1s0/device/virtfn6/iommu_group")")
systemd-run --unit=holder-of-6 bash -c "exec sleep infinity <>/dev/vfio/$group"
