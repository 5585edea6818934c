import { EngineError } from '../../errors.ts';
import type { VolumeAccess } from '../../model/volume.ts';
import { ByteStream } from '../byte-stream.ts';
import { openGuestVolume } from '../guest-volume.ts';
import { askSupervisor } from '../supervisor.ts';
import type { DriverContext } from './context.ts';
import { supervisorPath } from './images.ts';
import { objectName } from './labels.ts';
import { readRecords, recordsOf } from './records.ts';
import { supervisorOf } from './supervisor-of.ts';

const answerTimeoutMs = 10_000;

/**
 * Opens the way to a volume of a container: the Engine starts the kit's program beside the services. Unlike them it has the
 * rights that foreign owners and attributes take; the volume is its root.
 *
 * @throws EngineError VOLUME_UNUSABLE, INSTANCE_MISSING
 */
export async function openVolumeProgram(
  context: DriverContext,
  deployment: string,
  key: string,
  signal: AbortSignal,
): Promise<VolumeAccess> {
  const instance = key.slice(0, key.lastIndexOf('/'));
  const { objects } = await readRecords(context, deployment);
  const record = recordsOf({ note: undefined, objects }, 'instance').find((one) => one.key === instance);
  const volume = record?.state.volumes.find((one) => one.key === key);
  if (volume === undefined) throw new EngineError('VOLUME_UNUSABLE', `${instance} has no volume ${key}`);
  const command = [supervisorPath, 'volume', volume.mount];
  const duplex = await context.api.converse(objectName(deployment, instance), command, 'with all rights');
  return openGuestVolume({
    volume: key,
    stream: new ByteStream(duplex, signal),
    isHeld: async () => {
      const supervisor = supervisorOf(context, deployment, instance);
      return (await askSupervisor(supervisor, { timeoutMs: answerTimeoutMs, signal })).condition === 'held';
    },
    release: async () => undefined,
  });
}
