#!/bin/sh
# Makes a stock Debian on one disk, as a cloud would boot it: a BIOS boot sector, GRUB, systemd, cloud-init.
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

mmdebstrap --mode=root --variant=minbase --format=directory --architectures=amd64 --dpkgopt=force-unsafe-io \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/man/*' \
  --aptopt='Acquire::Languages "none"' --skip=essential/unlink \
  --setup-hook='mkdir -p "$1/var/cache/apt/archives"; find "$ARCHIVES" -maxdepth 1 -name "*.deb" -exec cp --preserve=timestamps -t "$1/var/cache/apt/archives" {} +' \
  --customize-hook='find "$1/var/cache/apt/archives" -maxdepth 1 -name "*.deb" -exec cp --update --preserve=timestamps -t "$ARCHIVES" {} +' \
  --customize-hook='rm -f "$1/etc/machine-id"; mkdir -p "$1/boot/grub"' \
  --customize-hook='chroot "$1" grub-mkimage -O i386-pc -o /boot/core.img -p "(hd0,msdos1)/boot/grub" biosdisk part_msdos ext2 normal linux' \
  --include=systemd-sysv,dbus,udev,cloud-init,ifupdown,iproute2,linux-image-cloud-amd64,initramfs-tools,grub-pc-bin,busybox \
  bookworm "$root" >"$work/log" 2>&1 || { tail -n 30 "$work/log" >&2; exit 1; }

version=$(ls "$root/boot" | sed -n 's/^vmlinuz-//p')
cat >"$root/boot/grub/grub.cfg" <<CONFIG
linux (hd0,msdos1)/boot/vmlinuz-$version root=/dev/vda1 ro console=ttyS0
initrd (hd0,msdos1)/boot/initrd.img-$version
boot
CONFIG
echo '/dev/vda1 / ext4 errors=remount-ro 0 1' >"$root/etc/fstab"
cp "$root/boot/core.img" "$root/usr/lib/grub/i386-pc/boot.img" "$work/"
mebibytes=1200
mkfs.ext4 -q -F -d "$root" "$work/partition" ${mebibytes}M
truncate -s $((mebibytes + 1))M "$work/disk"
dd if="$work/partition" of="$work/disk" bs=1M seek=1 conv=notrunc,sparse status=none

# what grub-install would do: the boot sector with the place of the core, the core, one active partition of Linux
python3 - "$work" "$mebibytes" <<'PYTHON'
import struct, sys
work, mebibytes = sys.argv[1], int(sys.argv[2])
boot, core = (bytearray(open(f'{work}/{name}.img', 'rb').read()) for name in ('boot', 'core'))
struct.pack_into('<Q', boot, 0x5c, 1)
struct.pack_into('<Q', core, 0x1f4, 2)
boot[0x66:0x68] = b'\x90\x90'
boot[446:510] = struct.pack('<B3sB3sII', 0x80, b'\xfe\xff\xff', 0x83, b'\xfe\xff\xff', 2048, mebibytes * 2048) + bytes(48)
assert len(core) < 2047 * 512
with open(f'{work}/disk', 'r+b') as disk:
    disk.write(boot[:512] + core)
PYTHON
qemu-img convert -O qcow2 "$work/disk" "$work/disk.qcow2"
mv "$work/disk.qcow2" "$target"
