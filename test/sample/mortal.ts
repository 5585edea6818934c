import type { Driver } from '../../engine/drivers/driver.ts';
import type { Store } from '../../engine/model/store.ts';

/** A store and a driver that die together at a moment, as a process that is killed does. */
export type Mortal = {
  readonly store: Store;
  readonly driver: Driver;
  /** Resolves at the moment of death. */
  readonly death: Promise<void>;
  /** Moments that went by, named; each call has one before and one after it. */
  readonly moments: readonly string[];
  /** Lets a moment of something else go by. */
  readonly moment: (name: string) => Promise<void>;
};

const writes = [
  ...(['begin', 'writePlan', 'writeStep', 'writeEvents', 'end'] as const),
  ...(['beginMove', 'writeMove', 'commitMove', 'endMove'] as const),
];

/**
 * Wraps a store and a driver so that at the n-th moment everything stops: nothing that was begun ever returns, and
 * nothing more is done. Moments lie before and after each write of the store and before, amid and after each
 * act of the driver.
 *
 * @param openDriver - opens the driver with a function that is to be waited for at each of its moments
 * @param lastMoment - from 1; more than there are moments lets everything live
 * @param witness - sees all as a kill at each moment would leave it
 */
export function mortal(
  store: Store,
  openDriver: (interfere: (moment: string) => Promise<void>) => Driver,
  lastMoment: number,
  witness: (name: string) => void = () => undefined,
): Mortal {
  const moments: string[] = [];
  const { promise: death, resolve: die } = Promise.withResolvers<void>();
  const forever = new Promise<never>(() => undefined);
  const moment = async (name: string): Promise<void> => {
    if (moments.length >= lastMoment) await forever;
    moments.push(name);
    witness(name);
    if (moments.length < lastMoment) return;
    die();
    await forever;
  };
  const wrapped: Record<string, unknown> = {};
  for (const name of writes) {
    wrapped[name] = async (...args: readonly unknown[]) => {
      await moment(`before ${name}`);
      const act: (...all: readonly unknown[]) => Promise<unknown> = store[name].bind(store) as never;
      const result = await act(...args);
      await moment(`after ${name}`);
      return result;
    };
  }
  const mortalStore = new Proxy(store, {
    get: (target, name) => {
      if (typeof name === 'string' && name in wrapped) return wrapped[name];
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
  return { store: mortalStore, driver: openDriver(moment), death, moments, moment };
}
