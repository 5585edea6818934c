import { digestOf } from '../../engine/digest.ts';
import type { Blueprint, BlueprintAppliance } from '../../engine/model/blueprint.ts';
import type { RunContext } from '../../engine/run/context.ts';
import { type RevertRequest, revert } from '../../engine/run/revert.ts';
import { up } from '../../engine/run/up.ts';
import { upgrade } from '../../engine/run/upgrade.ts';
import { guestbook, sampleClosure } from '../sample/blueprint.ts';
import { upRequest } from '../sample/context.ts';
import type { House } from './house.ts';

/** The deployment of these tests. */
export const shop = { owner: 'default', name: 'shop' } as const;

/**
 * Gives a version of the guest book.
 *
 * @param changed - appliances that are of that version too, and migrate their data
 */
export function edition(
  version: string,
  changed: readonly string[] = ['db'],
  options: Parameters<typeof guestbook>[0] = {},
): Blueprint {
  const blueprint = guestbook({ title: `Edition ${version}`, ...options });
  const renewed = (one: BlueprintAppliance): BlueprintAppliance =>
    changed.includes(one.path)
      ? {
          ...one,
          uses: { ...one.uses, version, digest: digestOf(`${one.path} ${version}`) },
          hooks: { migrate: { command: ['/migrate'], timeoutMs: 1000 } },
        }
      : one;
  return {
    ...blueprint,
    application: { ...blueprint.application, version },
    appliances: blueprint.appliances.map(renewed),
  };
}

/** Pretends that a version was built; its web servers and what it changed have layers of its own. */
export async function closureOf(blueprint: Blueprint) {
  const plain = sampleClosure(blueprint);
  const fresh = sampleClosure(blueprint, blueprint.application.version);
  const isNew = ({ path, hooks }: BlueprintAppliance): boolean =>
    path === 'web' || hooks.migrate !== undefined;
  const images = blueprint.appliances.map(
    (one) => [one.path, (isNew(one) ? fresh : plain).images.get(one.path) ?? []] as const,
  );
  return { ...plain, images: new Map(images) };
}

/** Acts of one life, by name. */
export const acts = {
  up: (blueprint: Blueprint) => (context: RunContext) =>
    up(context, upRequest(blueprint), () => closureOf(blueprint)),
  upgrade: (blueprint: Blueprint) => (context: RunContext) =>
    upgrade(context, upRequest(blueprint), () => closureOf(blueprint)),
  revert:
    (data?: NonNullable<RevertRequest['data']>) =>
    (context: RunContext): Promise<unknown> =>
      revert(context, { ...shop, ...(data && { data }) }),
};

/** Writes a word into the database's volume. */
export async function writeWord(house: House, word: string): Promise<void> {
  const id = await idOf(house);
  const files = await house.world.files(id, 'db.1/data');
  files.write('word', Buffer.from(word));
  await house.world.putFiles(id, 'db.1/data', files);
}

/** Reads what the database's volume holds: the word, and the version that it was migrated to. */
export async function dataIn(house: House): Promise<{ readonly word: string; readonly migrated: string }> {
  const files = await house.world.files(await idOf(house), 'db.1/data');
  const text = (path: string): string =>
    Buffer.from(files.content(path) ?? '')
      .toString()
      .trim();
  return { word: text('word'), migrated: text('.sheaf/migrate') };
}

async function idOf({ store }: House): Promise<string> {
  return (await store.deployment(shop.owner, shop.name))?.id ?? '';
}
