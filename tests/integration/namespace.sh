#!/usr/bin/env bash
# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# namespace.sh SYSTEM CHECKOUT NAME: the first process of a host's namespaces. In them it makes
#   /run/sys   a synthetic sysfs, in memory
#   /run/host  the root of the host: the Debian system in SYSTEM (/ is this machine's own), whose every change is in memory,
#              with the synthetic cards in its /sys, and with CHECKOUT at its own place
# It says "ready", makes the host new again for every line it reads, and lives until its standard input closes;
# then the kernel ends every process and mount in here. NAME is how to find these among all mounts.
set -eu
system=$1 checkout=$2 name=$3 tree=/run/sys host=/run/host layers=/run/layers

renew() {
    mount -t tmpfs "$name" "$layers"
    mkdir "$layers/upper" "$layers/work"
    mount -t overlay -o "lowerdir=$system,upperdir=$layers/upper,workdir=$layers/work" "$name" "$host"
    for place in /dev /proc /sys; do
        mount --rbind "$place" "$host$place"
    done
    mkdir -p "$host$checkout"
    mount --bind "$checkout" "$host$checkout"
    if mountpoint -q /usr && [ "$system" = / ]; then
        mount --bind /usr "$host/usr"
    fi
    mount -t tmpfs -o mode=755 "$name" "$host/run"
    mkdir "$host/run/lock"
    # What libvirt knows on this machine is none of the host's business.
    rm -rf "$host/etc/libvirt" "$host"/var/lib/libvirt/* "$host"/var/cache/libvirt/*
    mkdir "$host/etc/libvirt"
    cat >"$host/etc/libvirt/libvirtd.conf" <<'END'
auth_unix_ro = "none"
auth_unix_rw = "none"
log_filters = "2:daemon 3:*"
log_outputs = "1:stderr"
END
    # The QEMU driver, which gives qemu:///system its name, wants the accounts of libvirt-daemon-system.
    grep -q '^libvirt-qemu:' "$host/etc/passwd" || echo 'libvirt-qemu:x:64055:106::/var/lib/libvirt:/usr/sbin/nologin' >>"$host/etc/passwd"
    grep -q '^kvm:' "$host/etc/group" || echo 'kvm:x:106:' >>"$host/etc/group"
    grep -q '^libvirt-qemu:' "$host/etc/group" || echo 'libvirt-qemu:x:64055:' >>"$host/etc/group"
    echo ready
}

mount -t tmpfs "$name" /run
mkdir "$tree" "$host" "$layers"
for part in class/net class/infiniband bus/pci/devices bus/pci/drivers kernel/iommu_groups; do
    mkdir -p "$tree/$part"
    if [ -d "/sys/$part" ]; then
        mount --bind "$tree/$part" "/sys/$part"
    fi
done
ip link set lo up

renew
while read -r _; do
    umount --lazy --recursive "$host"
    umount --lazy "$layers"
    for link in $(ip -o link show | cut -d: -f2 | cut -d@ -f1 | grep -vw lo); do
        ip link delete "$link" 2>/dev/null || true # it went with its other end
    done
    renew
done
