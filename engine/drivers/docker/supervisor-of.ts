import { type Connect, LineSocket, silent } from '../line-socket.ts';
import type { DriverContext } from './context.ts';
import { supervisorPath } from './images.ts';
import { objectName } from './labels.ts';

/** Gives what connects to an instance's supervisor, by a program of the kit that the Engine starts beside it. */
export function supervisorOf({ api }: DriverContext, deployment: string, instance: string): Connect {
  return async ({ timeoutMs }) => {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(silent(`no answer for ${timeoutMs} ms`)), timeoutMs);
    const connecting = api.converse(objectName(deployment, instance), [supervisorPath, 'channel']);
    try {
      return new LineSocket(await Promise.race([connecting, late.promise]));
    } catch (error) {
      connecting.then(
        (stream) => stream.destroy(),
        () => undefined,
      );
      throw silent('its channel is not open', error);
    } finally {
      clearTimeout(timer);
    }
  };
}
