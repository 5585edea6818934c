import test from 'ava';
import { type Machine, qemuArguments } from '../../../engine/drivers/qemu/qemu-arguments.ts';

const machine: Machine = {
  mark: 'guest=sheaf-k3v9-web.1',
  uuid: '00000000-0000-8000-a000-000000000000',
  accelerator: 'tcg',
  cpus: 2,
  memoryMebibytes: 144,
  kernel: { file: '/blobs/kernel', initramfs: '/blobs/initramfs' },
  disks: [
    { serial: 'layer0', file: '/disks/a,b.squashfs', format: 'raw', isReadOnly: true },
    { serial: 'vol-data', file: '/volumes/data.qcow2', format: 'qcow2', isReadOnly: false },
  ],
  network: { tap: 'v-0123456789ab', mac: '02:00:00:00:00:01' },
  sockets: { qmp: '/run/a,b/qmp.sock', control: '/run/control.sock', exec: ['/run/exec.1.sock'] },
  user: 1_900_000_001,
  root: '/run/sheaf/folder',
};

test('a machine becomes a command line on which nothing is left to defaults', (t) => {
  const lines = qemuArguments(machine)
    .join('\n')
    .replaceAll(/\n(?!-)/g, ' ');

  t.is(`${lines}\n`, expected);
});

test('a disk that boots by itself is booted by the BIOS, lies below what is written, and may start again', (t) => {
  const { kernel: _, ...booted } = machine;
  const system = {
    serial: 'system',
    file: '/top',
    below: '/blobs/disk',
    format: 'qcow2',
    isReadOnly: false,
  } as const;

  const args = qemuArguments({ ...booted, disks: [system] });

  t.false(args.some((word) => ['-kernel', '-initrd', '-append', '-no-reboot'].includes(word)));
  const drive = JSON.parse(args[args.indexOf('-blockdev') + 1] ?? '');
  t.like(drive, { 'read-only': false, file: { filename: '/top' } });
  t.like(drive.backing, { 'read-only': true, backing: null, file: { filename: '/blobs/disk' } });
});

test("firmware is named where a machine has its own, and stays QEMU's where it has none", (t) => {
  const args = qemuArguments({ ...machine, firmware: '/usr/share/x.fd' });

  t.is(args[args.indexOf('-bios') + 1], '/usr/share/x.fd');
  t.false(qemuArguments(machine).includes('-bios'));
});

test('a machine without a network has no network device', (t) => {
  const { network: _, ...alone } = machine;

  t.notRegex(qemuArguments(alone).join(' '), /net/);
});

test('KVM gives the guest the processor of its host', (t) => {
  const args = qemuArguments({ ...machine, accelerator: 'kvm' });

  t.is(args[args.indexOf('-accel') + 1], 'kvm');
  t.is(args[args.indexOf('-cpu') + 1], 'host');
});

const expected = `-name guest=sheaf-k3v9-web.1,debug-threads=on
-uuid 00000000-0000-8000-a000-000000000000
-nodefaults
-no-user-config
-no-reboot
-display none
-machine q35,usb=off,vmport=off,sata=off,smbus=off,graphics=off
-accel tcg,thread=multi,tb-size=128
-cpu max
-smp 2
-m 144M
-rtc base=utc
-sandbox on,obsolete=deny,spawn=deny,resourcecontrol=deny
-runas 1900000001:1900000001
-chroot /run/sheaf/folder
-kernel /blobs/kernel
-initrd /blobs/initramfs
-append console=ttyS0 quiet panic=-1 no_timer_check cryptomgr.notests rcupdate.rcu_expedited=1
-chardev stdio,id=console,signal=off
-serial chardev:console
-chardev socket,id=monitor,server=on,wait=off,path=/run/a,,b/qmp.sock
-mon chardev=monitor,mode=control
-device {"driver":"virtio-rng-pci"}
-device {"driver":"virtio-serial-pci","id":"ports","max_ports":8}
-chardev socket,id=control,server=on,wait=off,path=/run/control.sock
-device {"driver":"virtserialport","bus":"ports.0","chardev":"control","name":"org.sheaf.control"}
-chardev socket,id=exec1,server=on,wait=off,path=/run/exec.1.sock
-device {"driver":"virtserialport","bus":"ports.0","chardev":"exec1","name":"org.sheaf.exec.1"}
-blockdev {"driver":"raw","node-name":"layer0","read-only":true,"file":{"driver":"file","filename":"/disks/a,b.squashfs"}}
-device {"driver":"virtio-blk-pci","drive":"layer0","serial":"layer0","addr":"a.0","multifunction":true}
-blockdev {"driver":"qcow2","node-name":"vol-data","read-only":false,"backing":null,"discard":"unmap","detect-zeroes":"unmap","file":{"driver":"file","filename":"/volumes/data.qcow2","discard":"unmap"}}
-device {"driver":"virtio-blk-pci","drive":"vol-data","serial":"vol-data","addr":"a.1","multifunction":true}
-netdev tap,id=net0,fd=3,vhost=off
-device {"driver":"virtio-net-pci","netdev":"net0","mac":"02:00:00:00:00:01","romfile":""}
`;
