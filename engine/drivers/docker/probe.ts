import { randomBytes } from 'node:crypto';
import { EngineError } from '../../errors.ts';
import type { DriverContext } from './context.ts';
import { statusOf } from './engine-api.ts';
import { attendantImage, attendantPath } from './images.ts';
import { labelNames } from './labels.ts';

/**
 * Tries whether a sandbox can load packet rules on this Engine, with one that has no network and goes by itself.
 *
 * @returns why not; undefined when it can
 */
export async function probeIsolation(
  context: DriverContext,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    return await probe(context, signal).catch(async (error) => {
      if (statusOf(error) !== 404) throw error;
      return await probe(context, signal); // somebody has just swept it away
    });
  } catch (error) {
    if (
      !(error instanceof EngineError) ||
      ['OPERATION_INTERRUPTED', 'PROVIDER_UNREACHABLE'].includes(error.code)
    )
      throw error;
    return error.message;
  }
}

/** Removes trials of this home that were not begun: whoever made them was killed, or tries again. */
export async function sweepProbes({ api, home }: Pick<DriverContext, 'api' | 'home'>): Promise<void> {
  const probes = await api.containers([`${labelNames.home}=${home}`, `${labelNames.role}=probe`]);
  for (const { id, state } of probes) if (state === 'created') await api.removeContainer(id);
}

async function probe(context: DriverContext, signal: AbortSignal): Promise<string | undefined> {
  const { api, home } = context;
  const name = `sheaf-probe-${randomBytes(6).toString('hex')}`;
  await api.createContainer(name, {
    Image: await attendantImage(context, signal),
    Cmd: [attendantPath, 'sandbox', '--rules', '/rules.json', '--once'],
    Labels: { [labelNames.home]: home, [labelNames.role]: 'probe' },
    HostConfig: {
      AutoRemove: true,
      NetworkMode: 'none',
      CapDrop: ['ALL'],
      CapAdd: ['NET_ADMIN'],
      SecurityOpt: ['no-new-privileges'],
    },
  });
  const said = await api.runOnce(name);
  return said === 'ready' ? undefined : said.slice(-400) || 'a trial sandbox says nothing';
}
