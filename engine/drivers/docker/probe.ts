import { randomBytes } from 'node:crypto';
import { EngineError } from '../../errors.ts';
import type { DriverContext } from './context.ts';
import { attendantImage, attendantPath } from './images.ts';
import { labelNames } from './labels.ts';
import { untilReady } from './sandbox.ts';

/**
 * Tries whether a sandbox can load packet rules on this Engine, with one that has no network.
 *
 * @returns why not; undefined when it can
 */
export async function probeIsolation(
  context: DriverContext,
  signal: AbortSignal,
): Promise<string | undefined> {
  const name = `sheaf-probe-${randomBytes(6).toString('hex')}`;
  try {
    await context.api.createContainer(name, {
      Image: await attendantImage(context, signal),
      Cmd: [attendantPath, 'sandbox', '--rules', '/rules.json'],
      Labels: { [labelNames.home]: context.home, [labelNames.role]: 'probe' },
      HostConfig: {
        NetworkMode: 'none',
        CapDrop: ['ALL'],
        CapAdd: ['NET_ADMIN'],
        SecurityOpt: ['no-new-privileges'],
        LogConfig: { Type: 'local', Config: { 'max-size': '100k', 'max-file': '2' } },
      },
    });
    await context.api.start(name);
    await untilReady(context, name, signal);
    return undefined;
  } catch (error) {
    if (
      !(error instanceof EngineError) ||
      ['OPERATION_INTERRUPTED', 'PROVIDER_UNREACHABLE'].includes(error.code)
    )
      throw error;
    return error.message;
  } finally {
    await context.api.removeContainer(name).catch(() => undefined);
  }
}
