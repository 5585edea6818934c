import { randomBytes } from 'node:crypto';
import { EngineError } from '../../errors.ts';
import type { VolumeAccess } from '../../model/volume.ts';
import { ByteStream } from '../byte-stream.ts';
import { openGuestVolume } from '../guest-volume.ts';
import type { Patience } from '../line-socket.ts';
import { askSupervisor } from '../supervisor.ts';
import { claimOne } from './claim.ts';
import type { RuntimeFiles } from './layout.ts';
import { connectOnce, unixSocket } from './unix-socket.ts';

/** Others may be at the port; each of their acts is bounded. */
const claimTimeoutMs = 30_000;
const greetingTimeoutMs = 10_000;
const greetAgainMs = 200;

/**
 * Opens the way to a volume of a machine, on the one port that carries data; who comes second waits.
 *
 * @throws EngineError INSTANCE_SILENT, VOLUME_UNUSABLE when its kit has no such port or the instance no such volume
 */
export async function openVolumePort(
  files: RuntimeFiles,
  volume: { readonly key: string; readonly name: string },
  signal: AbortSignal,
): Promise<VolumeAccess> {
  const claim = await claimOne([files.data], { timeoutMs: claimTimeoutMs, signal });
  try {
    const stream = new ByteStream(await connected(files.data, volume.key), signal);
    try {
      await enter(stream, volume);
    } catch (error) {
      stream.end();
      throw error;
    }
    const patience: Patience = { timeoutMs: greetingTimeoutMs, signal };
    return openGuestVolume({
      volume: volume.key,
      stream,
      isHeld: async () => (await askSupervisor(unixSocket(files.control), patience)).condition === 'held',
      release: claim.release,
    });
  } catch (error) {
    await claim.release();
    throw error;
  }
}

async function connected(socket: string, volume: string) {
  try {
    return await connectOnce(socket);
  } catch (cause) {
    throw new EngineError('VOLUME_UNUSABLE', `the volume ${volume} cannot be reached`, {
      hint: 'When the instance was started by an older version, restart it.',
      cause,
    });
  }
}

/** Greets the supervisor as on every port, and asks it to lead into the volume. @see kit/PROTOCOL.md */
async function enter(
  stream: ByteStream,
  { key, name }: { readonly key: string; readonly name: string },
): Promise<void> {
  const patience: Patience = { timeoutMs: greetingTimeoutMs };
  const sync = randomBytes(12).toString('hex');
  const greet = (): void =>
    void stream.send(`\n${JSON.stringify({ sync })}\n`, patience).catch(() => undefined);
  greet();
  const again = setInterval(greet, greetAgainMs);
  try {
    while ((await stream.line(patience)) !== JSON.stringify({ sync }));
  } finally {
    clearInterval(again);
  }
  await stream.send(`${JSON.stringify({ id: 1, op: 'volume', volume: name })}\n`, patience);
  for (;;) {
    const line = await stream.line(patience);
    if (line.startsWith('{"id":1,"ok"')) return;
    if (line.startsWith('{"id":1,'))
      throw new EngineError('VOLUME_UNUSABLE', `the instance does not lead into its volume ${key}`);
  }
}
