import { randomBytes } from 'node:crypto';
import { EngineError } from '../../errors.ts';
import type { VolumeAccess } from '../../model/volume.ts';
import { ByteStream } from '../byte-stream.ts';
import type { DeploymentIdentity } from '../driver.ts';
import { openGuestVolume } from '../guest-volume.ts';
import { askSupervisor } from '../supervisor.ts';
import type { DriverContext } from './context.ts';
import { ensureImage, supervisorPath } from './images.ts';
import { labelsOf, objectName } from './labels.ts';
import { readRecords, recordOf } from './records.ts';
import { supervisorOf } from './supervisor-of.ts';

const answerTimeoutMs = 10_000;
const top = '/volume';
/** What owners, rights, attributes and links of others take, and making the volume the program's root. */
const capabilities = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'SETFCAP', 'MKNOD', 'SYS_CHROOT'];
const memoryBytes = 128 * 2 ** 20;

/**
 * Opens the way to a volume: a container of its own, without a network, in which only the volume and the kit's program
 * are. The instance itself has no rights over files of others. It goes when we do.
 *
 * @throws EngineError VOLUME_UNUSABLE
 */
export async function openVolumeProgram(
  context: DriverContext,
  deployment: DeploymentIdentity,
  key: string,
  signal: AbortSignal,
): Promise<VolumeAccess> {
  const { api, home } = context;
  const instance = key.slice(0, key.lastIndexOf('/'));
  const record = recordOf(await readRecords(context, deployment.id), 'instance', instance);
  const volume = record?.state.volumes.find((one) => one.key === key);
  if (record === undefined || volume === undefined)
    throw new EngineError('VOLUME_UNUSABLE', `${instance} has no volume ${key}`);
  const name = objectName(deployment.id, key, `-${randomBytes(4).toString('hex')}`);
  const { kit, layers } = record.state;
  await api.createContainer(name, {
    Image: await ensureImage(context, kit, layers),
    Cmd: [supervisorPath, 'volume', top],
    User: '0:0',
    OpenStdin: true,
    StdinOnce: true, // it ends when whoever opened it is gone
    AttachStdin: true,
    AttachStdout: true,
    Labels: labelsOf(home, deployment, {
      kind: 'volume',
      key,
      generation: record.generation,
      role: 'carrier',
    }),
    HostConfig: {
      AutoRemove: true,
      NetworkMode: 'none',
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      CapAdd: capabilities,
      SecurityOpt: ['no-new-privileges'],
      LogConfig: { Type: 'none' },
      Memory: memoryBytes,
      Mounts: [{ Type: 'volume', Source: objectName(deployment.id, key), Target: top }],
    },
  });
  const release = async (): Promise<void> => await api.removeContainer(name);
  try {
    const stream = new ByteStream(await api.startAttached(name), signal);
    return openGuestVolume({
      volume: key,
      stream,
      isHeld: async () => {
        const supervisor = supervisorOf(context, deployment.id, instance);
        return (await askSupervisor(supervisor, { timeoutMs: answerTimeoutMs, signal })).condition === 'held';
      },
      release,
    });
  } catch (error) {
    await release().catch(() => undefined); // the first failure is the one to tell
    throw error;
  }
}
