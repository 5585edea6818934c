import { readdir, readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { runCommand } from '../command.ts';
import { EngineError } from '../errors.ts';

/** A kernel module of the boot: its file's name and bytes. */
export type BootModule = { readonly name: string; readonly content: Uint8Array };

/** What must work before the image's root can be entered and the host be answered. What they depend on comes along. */
const bootModules = [
  'virtio_pci',
  'virtio_blk',
  'squashfs',
  'overlay',
  'isofs',
  'virtio_net',
  'virtio_console',
  'virtio-rng',
];

/** What guests may load, as paths below `kernel/`. Drivers of hardware that no virtual machine of ours has are left out. */
const guestModules = [
  'arch/x86/crypto/',
  'crypto/',
  'drivers/block/loop.ko',
  'drivers/block/nbd.ko',
  'drivers/block/zram/',
  'drivers/md/dm-',
  'drivers/net/bonding/',
  'drivers/net/dummy.ko',
  'drivers/net/geneve.ko',
  'drivers/net/ifb.ko',
  'drivers/net/ipvlan/',
  'drivers/net/macvlan.ko',
  'drivers/net/tun.ko',
  'drivers/net/veth.ko',
  'drivers/net/vrf.ko',
  'drivers/net/vxlan/',
  'drivers/net/wireguard/',
  'drivers/virtio/virtio_balloon.ko',
  'fs/autofs/',
  'fs/binfmt_misc.ko',
  'fs/btrfs/',
  'fs/configfs/',
  'fs/exfat/',
  'fs/fat/',
  'fs/fuse/',
  'fs/nfs/',
  'fs/nfsd/',
  'fs/nls/',
  'fs/smb/',
  'fs/udf/',
  'fs/xfs/',
  'lib/',
  'net/8021q/',
  'net/bridge/',
  'net/core/',
  'net/ipv4/',
  'net/ipv6/',
  'net/key/',
  'net/netfilter/',
  'net/netlink/',
  'net/openvswitch/',
  'net/packet/',
  'net/sched/',
  'net/tls/',
  'net/unix/',
  'net/xfrm/',
];

/**
 * Reduces a kernel's modules to those that guests may load, with the lists that modprobe reads.
 *
 * Fewer modules are fewer ways for a service to have the kernel load something with a hole in it.
 *
 * @param root - an unpacked kernel package; changed in place
 * @param release - such as `6.1.0-56-cloud-amd64`
 * @param busybox - the program, which brings depmod
 * @returns the modules of the boot, each behind those that it needs
 * @throws EngineError IMAGE_FAILED when the kernel lacks a module of the boot
 */
export async function reduceModules(
  root: string,
  release: string,
  busybox: string,
  signal: AbortSignal,
): Promise<readonly BootModule[]> {
  const folder = join(root, 'lib/modules', release);
  const depmod = (): Promise<unknown> =>
    runCommand(busybox, ['depmod', '-b', root, release], { signal, timeoutMs: 300_000 });
  await depmod();
  const dependencies = parseDependencies(await readFile(join(folder, 'modules.dep'), 'utf8'));
  const paths = [...dependencies.keys()];
  const boot = bootModules.map((name) => {
    const path = paths.find((candidate) => basename(candidate) === `${name}.ko`);
    if (path !== undefined) return path;
    throw new EngineError('IMAGE_FAILED', `the kernel ${release} has no module ${name}`);
  });
  const ordered = withDependencies(boot, dependencies);
  const wanted = paths.filter((path) => guestModules.some((start) => path.startsWith(`kernel/${start}`)));
  const kept = new Set(withDependencies([...boot, ...wanted], dependencies));
  await Promise.all(paths.filter((path) => !kept.has(path)).map((path) => rm(join(folder, path))));
  await depmod();
  return await Promise.all(
    ordered.map(async (path) => ({ name: basename(path), content: await readFile(join(folder, path)) })),
  );
}

/** Reads a `modules.dep`: for each module's path the paths that it needs. */
export function parseDependencies(text: string): ReadonlyMap<string, readonly string[]> {
  return new Map(
    text
      .split('\n')
      .filter(Boolean)
      .map((line) => {
        const [path = '', needs = ''] = line.split(':', 2);
        return [path, needs.split(' ').filter(Boolean)];
      }),
  );
}

/** Lists modules and all that they need, each behind its needs. */
export function withDependencies(
  paths: readonly string[],
  dependencies: ReadonlyMap<string, readonly string[]>,
): readonly string[] {
  const ordered = new Set<string>();
  const visit = (path: string): void => {
    if (ordered.has(path)) return;
    for (const need of dependencies.get(path) ?? []) visit(need);
    ordered.add(path);
  };
  for (const path of paths) visit(path);
  return [...ordered];
}

/** Finds the one kernel release whose modules lie in an unpacked package. */
export async function findRelease(root: string): Promise<string> {
  const [release, ...others] = await readdir(join(root, 'lib/modules'));
  if (release !== undefined && others.length === 0) return release;
  throw new EngineError('IMAGE_FAILED', 'the kernel package does not hold the modules of one kernel');
}
