#!/usr/bin/env bash
# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The first process of a host's namespaces: turns them into a host of its own whose sysfs is the synthetic tree in $1,
# an empty folder that becomes a file system in memory.
# It says "ready", makes the host new again for every line it reads, and lives until its standard input closes;
# then the kernel ends every process and mount in here.
set -eu
tree=$1

# What libvirt, Ansible and modules write goes to memory. Not /var as a whole: this checkout may lie there.
layered="/etc /var/lib /var/cache /var/log"

renew() {
    mount -t tmpfs -o mode=755 none /run
    mkdir -p /run/lock
    for folder in $layered; do
        layers=/run/layers$folder
        mkdir -p "$layers/upper" "$layers/work"
        mount -t overlay -o "lowerdir=$folder,upperdir=$layers/upper,workdir=$layers/work" none "$folder"
    done
    # This machine's own libvirt, if it has one, is none of this host's business.
    rm -rf /etc/libvirt /var/lib/libvirt/* /var/cache/libvirt/*
    mkdir /etc/libvirt
    printf '%s\n' 'auth_unix_ro = "none"' 'auth_unix_rw = "none"' 'log_filters = "2:daemon 3:*"' 'log_outputs = "1:stderr"' >/etc/libvirt/libvirtd.conf
    # The QEMU driver, which gives qemu:///system its name, wants the accounts of libvirt-daemon-system.
    grep -q '^libvirt-qemu:' /etc/passwd || echo 'libvirt-qemu:x:64055:106::/var/lib/libvirt:/usr/sbin/nologin' >>/etc/passwd
    grep -q '^kvm:' /etc/group || echo 'kvm:x:106:' >>/etc/group
    grep -q '^libvirt-qemu:' /etc/group || echo 'libvirt-qemu:x:64055:' >>/etc/group
    echo ready
}

mount -t tmpfs none "$tree"
for folder in class/net class/infiniband bus/pci/devices bus/pci/drivers kernel/iommu_groups; do
    mkdir -p "$tree/$folder"
    if [ -d "/sys/$folder" ]; then
        mount --bind "$tree/$folder" "/sys/$folder"
    fi
done
ip link set lo up

renew
while read -r _; do
    for folder in $layered /run; do
        umount -l "$folder"
    done
    for link in $(ip -o link show type bridge | cut -d: -f2); do
        ip link delete "$link"
    done
    renew
done
