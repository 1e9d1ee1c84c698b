#!/bin/bash
# Copyright: (c) 2026, the vfpool.sriov authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The first process of a host's namespaces: turns them into a host of its own whose sysfs is the synthetic tree $1,
# says so, and lives until its standard input closes. With it the kernel ends every process and mount in here.
set -eu
tree=$1

mount -t tmpfs -o mode=755 none /run
mkdir -p /run/lock /run/overlay

# What libvirt and Ansible write below /etc and /var goes to memory. Not /var as a whole: the tree may lie in /var/tmp.
for folder in /etc /var/lib /var/cache /var/log; do
    layers=/run/overlay$folder
    mkdir -p "$layers/upper" "$layers/work"
    mount -t overlay -o "lowerdir=$folder,upperdir=$layers/upper,workdir=$layers/work" none "$folder"
done
rm -rf /etc/libvirt/qemu /var/lib/libvirt/*

for folder in class/net class/infiniband bus/pci/devices bus/pci/drivers kernel/iommu_groups; do
    if [ -d "/sys/$folder" ]; then
        mount --bind "$tree/$folder" "/sys/$folder"
    fi
done
ip link set lo up

mkdir -p /etc/libvirt
printf '%s\n' 'auth_unix_ro = "none"' 'auth_unix_rw = "none"' 'log_filters = "1:network 1:conf 3:*"' >/etc/libvirt/libvirtd.conf
# The QEMU driver, which gives qemu:///system its name, wants this account of libvirt-daemon-system to exist.
grep -q '^libvirt-qemu:' /etc/passwd || echo 'libvirt-qemu:x:64055:106::/var/lib/libvirt:/usr/sbin/nologin' >>/etc/passwd
grep -q '^kvm:' /etc/group || echo 'kvm:x:106:' >>/etc/group
grep -q '^libvirt-qemu:' /etc/group || echo 'libvirt-qemu:x:64055:' >>/etc/group

echo ready
read -r _ || true
