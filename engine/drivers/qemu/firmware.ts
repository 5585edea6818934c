import { access } from 'node:fs/promises';
import { EngineError } from '../../errors.ts';
import { readDiskStart } from '../../formats/qcow2.ts';
import type { Machine } from './qemu-arguments.ts';

/** OVMF with its settings in the same file, which a machine keeps in memory: each start is a first one. */
const uefi = '/usr/share/ovmf/OVMF.fd';
const sectorBytes = 512;
const codeBytes = 440;

/**
 * Gives the firmware that boots a whole disk: UEFI's for one without a boot program for BIOS in its first sector.
 *
 * @param disk - a qcow2
 * @throws EngineError TOOL_MISSING when that is not installed
 * @source UEFI specification 2.10, 5.2.1 "Legacy Master Boot Record"
 */
export async function firmwareFor(
  disk: string,
  instance: string,
  firmware: string = uefi,
): Promise<Pick<Machine, 'firmware'>> {
  const start = await readDiskStart(disk, sectorBytes);
  if (start === undefined || start.subarray(0, codeBytes).some((byte) => byte !== 0)) return {};
  try {
    await access(firmware);
  } catch (cause) {
    throw new EngineError(
      'TOOL_MISSING',
      `the disk of ${instance} boots by UEFI alone, and no such firmware is installed`,
      { hint: 'Install the Debian package ovmf.', details: { instance, package: 'ovmf' }, cause },
    );
  }
  return { firmware };
}
