#!/bin/sh
# Makes a stock Debian on one disk, as clouds publish it: GPT with partitions for BIOS, UEFI and the root, GRUB that finds
# the root by its label, cloud-init with its usual sources, netplan with systemd-networkd; a compressed qcow2.
#
#   debian-disk.sh TARGET ARCHIVES     ARCHIVES keeps downloaded packages
set -eu
target=$1
archives=$2
work=$(mktemp -d "$target.XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -p "$archives"
export ARCHIVES="$archives"

cat >"$work/early.cfg" <<'CONFIG'
search --no-floppy --label cloudimg-rootfs --set=root
set prefix=($root)/boot/grub
CONFIG
# in the image's own root, so that the host needs none of its tools
cat >"$work/boot.sh" <<'SCRIPT'
set -eu
modules='part_gpt ext2 search search_label normal linux configfile'
grub-mkimage -O i386-pc -o /boot/core.img -p /boot/grub -c /boot/early.cfg biosdisk $modules
grub-mkimage -O x86_64-efi -o /boot/grub.efi -p /boot/grub -c /boot/early.cfg fat $modules
truncate -s 8M /boot/efi.img
mkfs.vfat -n UEFI /boot/efi.img
mmd -i /boot/efi.img ::/EFI ::/EFI/BOOT
mcopy -i /boot/efi.img /boot/grub.efi ::/EFI/BOOT/BOOTX64.EFI
SCRIPT

mmdebstrap --mode=root --variant=minbase --format=directory --architectures=amd64 --dpkgopt=force-unsafe-io \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/man/*' \
  --aptopt='Acquire::Languages "none"' --skip=essential/unlink \
  --setup-hook='mkdir -p "$1/var/cache/apt/archives"; find "$ARCHIVES" -maxdepth 1 -name "*.deb" -exec cp --preserve=timestamps -t "$1/var/cache/apt/archives" {} +' \
  --customize-hook='find "$1/var/cache/apt/archives" -maxdepth 1 -name "*.deb" -exec cp --update --preserve=timestamps -t "$ARCHIVES" {} +' \
  --customize-hook=': >"$1/etc/machine-id"; chroot "$1" systemctl --quiet enable systemd-networkd; mkdir -p "$1/boot/grub" "$1/boot/efi"' \
  --customize-hook="cp '$work/early.cfg' '$work/boot.sh' \"\$1/boot/\"; chroot \"\$1\" sh /boot/boot.sh" \
  --include=systemd-sysv,dbus,udev,cloud-init,cloud-guest-utils,netplan.io,iproute2,linux-image-cloud-amd64,initramfs-tools,grub-pc-bin,grub-efi-amd64-bin,dosfstools,mtools,busybox \
  bookworm "$root" >"$work/log" 2>&1 || { tail -n 30 "$work/log" >&2; exit 1; }

version=$(ls "$root/boot" | sed -n 's/^vmlinuz-//p')
cat >"$root/boot/grub/grub.cfg" <<CONFIG
linux /boot/vmlinuz-$version root=LABEL=cloudimg-rootfs ro console=tty0 console=ttyS0,115200
initrd /boot/initrd.img-$version
boot
CONFIG
cat >"$root/etc/fstab" <<'TABLE'
LABEL=cloudimg-rootfs / ext4 rw,discard,errors=remount-ro,x-systemd.growfs 0 1
LABEL=UEFI /boot/efi vfat umask=0077,nofail 0 2
TABLE
echo 'datasource_list: [NoCloud, ConfigDrive, OpenStack, Ec2, None]' >"$root/etc/cloud/cloud.cfg.d/90_dpkg.cfg"
mv "$root/boot/core.img" "$root/boot/efi.img" "$root/usr/lib/grub/i386-pc/boot.img" "$work/"
rm "$root/boot/boot.sh" "$root/boot/early.cfg" "$root/boot/grub.efi"
mebibytes=1400
mkfs.ext4 -q -F -L cloudimg-rootfs -d "$root" "$work/partition" ${mebibytes}M >/dev/null
truncate -s $((mebibytes + 14))M "$work/disk"
sfdisk --quiet "$work/disk" <<TABLE
label: gpt
first-lba: 2048
disk1 : start=$((12 * 2048)), size=$((mebibytes * 2048)), type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709
disk14 : start=2048, size=$((3 * 2048)), type=21686148-6449-6E6F-744E-656564454649
disk15 : start=$((4 * 2048)), size=$((8 * 2048)), type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B
TABLE
dd if="$work/efi.img" of="$work/disk" bs=1M seek=4 conv=notrunc,sparse status=none
dd if="$work/partition" of="$work/disk" bs=1M seek=12 conv=notrunc,sparse status=none

# what grub-install would do: the boot sector with the place of the core, and the core in its partition
python3 - "$work" <<'PYTHON'
import struct, sys
work, start = sys.argv[1], 2048
boot, core = (bytearray(open(f'{work}/{name}.img', 'rb').read()) for name in ('boot', 'core'))
struct.pack_into('<Q', boot, 0x5c, start)
struct.pack_into('<Q', core, 0x1f4, start + 1)
boot[0x66:0x68] = b'\x90\x90'
assert len(core) < 3 * 2048 * 512
with open(f'{work}/disk', 'r+b') as disk:
    disk.write(boot[:440])
    disk.seek(start * 512)
    disk.write(core)
PYTHON
qemu-img convert -c -O qcow2 "$work/disk" "$work/disk.qcow2"
mv "$work/disk.qcow2" "$target"
