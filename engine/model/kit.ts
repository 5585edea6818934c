import type { Digest } from '../digest.ts';
import type { Descriptor } from './blob.ts';

/**
 * The guest kit: what lets an image run as a VM, and what stands beside the VM on the host.
 *
 * Its canonical JSON lies in the blob store; the digest of that text names the kit.
 */
export type Kit = {
  readonly kind: 'Kit';
  readonly version: string;
  readonly platform: 'linux/amd64';
  /** Linux image for QEMU's `-kernel`. */
  readonly kernel: Descriptor;
  /** Initramfs with the supervisor, busybox and the modules that the boot needs. */
  readonly initramfs: Descriptor;
  /** Squashfs of the other kernel modules, for `/lib/modules`. */
  readonly modules: Descriptor;
  /** The supervisor alone, a static program, for drivers that run containers. */
  readonly supervisor: Descriptor;
  /**
   * Static host program that stands beside machines, for servers that cannot compile their own. It is taken from a kit only
   * when its digest is the one that the installation names: see `engine/images/attendant.ts`.
   */
  readonly attendant: Descriptor;
};

/** A kit and the digest that names it. */
export type NamedKit = { readonly digest: Digest; readonly kit: Kit };

/**
 * The kernel's command line for a kit, whoever boots it.
 *
 * - `panic=-1` ends a machine whose kernel has failed; its start is the driver's to repeat.
 * - `no_timer_check`: on a busy host the kernel's test of its timer fails by chance, and the machine hangs for ever.
 * - `cryptomgr.notests`, `rcupdate.rcu_expedited=1` take a sixth off the time to boot.
 */
export const kernelCommandLine =
  'console=ttyS0 quiet panic=-1 no_timer_check cryptomgr.notests rcupdate.rcu_expedited=1';
