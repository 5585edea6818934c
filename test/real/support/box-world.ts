import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { GuestFile } from '../../../engine/model/guest-file.ts';
import type { InstanceState } from '../../../engine/model/step.ts';
import type { PlainValue } from '../../../engine/model/value.ts';
import { openRenderer } from '../../../engine/render/renderer.ts';
import { checkout, filesOf, sampleDeployment } from '../../render/instances.ts';
import { type Box, startBox } from './box.ts';
import { fetchPage, openBoxNetwork, type Page } from './box-network.ts';
import { openWorkshop } from './workshop.ts';

type PageOptions = Parameters<typeof fetchPage>[2];

/** How an instance differs from what the application says. */
export type Variation = {
  readonly properties?: Readonly<Record<string, PlainValue>>;
  /** Value of every secret. */
  readonly secret?: string;
  /** Replicas behind `out` by name, instead of all. */
  readonly out?: readonly string[];
};

/** An application in boxes: one network without any filter but the gateway's. */
export type BoxWorld = {
  /** Starts an instance, or starts it again on its volumes. */
  readonly start: (instance: string, variation?: Variation) => Promise<Box>;
  /** Gives an instance that runs its files anew. */
  readonly change: (instance: string, variation: Variation) => Promise<void>;
  readonly box: (instance: string) => Box;
  /** Asks an instance for a page, as somebody outside of the application. */
  readonly ask: (instance: string, path: string, options?: PageOptions) => Promise<Page>;
  readonly close: () => Promise<void>;
};

/** Addresses of whoever asks: {@link BoxWorld.ask} uses the first unless told otherwise. */
export const askers = ['10.83.0.240', '10.83.0.241'] as const;

/** Opens the world of an application of the checkout; nothing runs in it. */
export async function openBoxWorld(application: string): Promise<BoxWorld> {
  const sample = await sampleDeployment(application);
  const workshop = await openWorkshop();
  const network = await openBoxNetwork();
  const renderer = openRenderer({ timeMs: 30_000 });
  const folder = await mkdtemp(join(tmpdir(), 'sheaf-box-'));
  const boxes = new Map<string, Box>();
  const spaces = new Map<string, string>();
  const outside = await network.join('outside', ...askers);

  const stateOf = (instance: string, { properties, out }: Variation): InstanceState => {
    const state = known(sample.instances.get(instance), instance);
    const { scope } = state;
    const terminals = Object.entries(scope.terminals).map(([name, terminal]) => [
      name,
      name === 'out' && out
        ? { ...terminal, peers: terminal.peers.filter((peer) => out.includes(peer.name)) }
        : terminal,
    ]);
    return {
      ...state,
      scope: {
        ...scope,
        properties: { ...scope.properties, ...properties },
        terminals: Object.fromEntries(terminals),
      },
    };
  };
  const files = async (instance: string, variation: Variation): Promise<readonly GuestFile[]> =>
    await filesOf(stateOf(instance, variation), sample, renderer, variation.secret);
  const addressOf = (instance: string): string => known(sample.instances.get(instance), instance).address;

  return {
    async start(instance, variation = {}) {
      const state = stateOf(instance, variation);
      const { image, ...needed } = known(sample.images.get(state.uses.name), state.uses.name);
      if (image.kind !== 'packages') throw new Error(`${instance} is not made of packages`);
      const space = spaces.get(instance) ?? (await network.join(instance, state.address));
      spaces.set(instance, space);
      const box = await startBox({
        folder: join(folder, instance),
        space,
        layers: await workshop.layers({ ...needed, image }),
        supervisor: workshop.supervisor,
        files: await files(instance, variation),
        contents:
          state.uses.name === 'php' ? { '/srv/app': join(checkout, 'applications/guestbook/app') } : {},
        volumes: state.volumes.map(({ mount }) => mount),
      });
      boxes.set(instance, box);
      return box;
    },
    change: async (instance, variation) =>
      known(boxes.get(instance), instance).apply(await files(instance, variation)),
    box: (instance) => known(boxes.get(instance), instance),
    ask: (instance, path, options) =>
      fetchPage(outside, `http://${addressOf(instance)}${path}`, {
        ...(sample.toldClients.has(instance) && { from: askers[0], throughDoor: true }),
        ...options,
      }),
    async close() {
      for (const box of boxes.values()) await box.kill();
      renderer.close();
      workshop.close();
      await network.close();
      await rm(folder, { recursive: true });
    },
  };
}

function known<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw new Error(`there is no ${name}`);
  return value;
}
