import type { PoolName, Street } from './street.ts';

const volume = 'db.1/data';
const file = 'base/entries';

/** Writes what a program in the database's instance would, if it works; nothing when it does not. @param taken - is called at the instant of writing @returns whether it was written */
export async function writeTo(
  street: Street,
  pool: PoolName,
  content: string,
  taken: () => void = () => undefined,
): Promise<boolean> {
  const id = await writerOf(street, pool);
  if (id === undefined) return false;
  const files = await street.worlds[pool].files(id, volume);
  files.write(file, Buffer.from(content));
  const put = street.worlds[pool].putFiles(id, volume, files);
  taken();
  await put;
  return true;
}

/** Reads what is in a pool's database, whether it works or not. */
export async function dataIn(street: Street, pool: PoolName): Promise<string | undefined> {
  const things = await street.worlds[pool].things();
  const disk = things.find((thing) => thing.kind === 'volume' && thing.key === volume);
  if (!disk) return undefined;
  return (await street.worlds[pool].files(disk.deployment, volume)).content(file)?.toString();
}

/** Tells whether a pool's database takes writes. */
export async function isWorking(street: Street, pool: PoolName): Promise<boolean> {
  return (await writerOf(street, pool)) !== undefined;
}

async function writerOf({ worlds }: Street, pool: PoolName): Promise<string | undefined> {
  const things = await worlds[pool].things();
  const one = things.find((thing) => thing.kind === 'instance' && thing.key === 'db.1');
  // a half-made one may work already
  const works = one?.kind === 'instance' && one.isOn && !one.state.isHeld;
  return works ? one.deployment : undefined;
}
