import type { Digest } from '../../digest.ts';
import type { GuestFile } from '../../model/guest-file.ts';
import type { ObjectKind, ObjectStates } from '../../model/step.ts';
import type { Cells } from './cells.ts';
import { Files } from './files.ts';

/** An object of the pretended provider. */
export type Thing = {
  readonly [K in ObjectKind]: {
    readonly deployment: string;
    readonly kind: K;
    readonly key: string;
    readonly generation: number;
    /** Null from the first act on it to the last. */
    readonly fingerprint: Digest | null;
    readonly state: ObjectStates[K];
    /** Of an instance: whether its machine runs. */
    readonly isOn: boolean;
    /** Of an instance: what was laid into it. */
    readonly files: readonly GuestFile[];
    /** Of an instance whose data are held still: until when, in milliseconds since 1970. */
    readonly heldUntil?: number;
    /** Of a volume: the generation that made it empty, which tells old data from new. */
    readonly born: number;
  };
}[ObjectKind];

/** The pretended provider of the memory driver: things, each in a cell of its own. */
export class World {
  readonly #cells: Cells;

  constructor(cells: Cells) {
    this.#cells = cells;
  }

  /** Lists what exists of a deployment, or of all, by kind and key. */
  async things(deployment?: string): Promise<readonly Thing[]> {
    const all = await this.#cells.list(deployment === undefined ? '' : `${deployment} `);
    const names = all.filter((name) => !name.startsWith(notePrefix) && !name.startsWith(filesPrefix));
    const texts = await Promise.all(names.map((name) => this.#cells.read(name)));
    return texts.flatMap((text) => (text === undefined ? [] : [JSON.parse(text) as Thing]));
  }

  /** Writes a thing whole. */
  async put(thing: Thing): Promise<void> {
    await this.#cells.write(cellOf(thing), JSON.stringify(thing));
  }

  /** Leaves a text with a deployment; null takes it away. */
  async leaveNote(deployment: string, text: string | null): Promise<void> {
    if (text === null) await this.#cells.remove(`${notePrefix}${deployment}`);
    else await this.#cells.write(`${notePrefix}${deployment}`, text);
  }

  /** Gives the text of every deployment that has one. */
  async notes(): Promise<ReadonlyMap<string, string>> {
    const notes = new Map<string, string>();
    for (const name of await this.#cells.list(notePrefix)) {
      const text = await this.#cells.read(name);
      if (text !== undefined) notes.set(name.slice(notePrefix.length), text);
    }
    return notes;
  }

  /** Takes a thing away, whatever stands on it; with a volume what lies in it. */
  async take(thing: Pick<Thing, 'deployment' | 'kind' | 'key'>): Promise<void> {
    if (thing.kind === 'volume') await this.#cells.remove(filesCell(thing.deployment, thing.key));
    if (thing.kind === 'snapshot')
      for (const name of await this.#cells.list(filesCell(thing.deployment, keptIn(thing.key, ''))))
        await this.#cells.remove(name);
    await this.#cells.remove(cellOf(thing));
  }

  /** Gives what lies in a volume. */
  async files(deployment: string, volume: string): Promise<Files> {
    return new Files(await this.#cells.read(filesCell(deployment, volume)));
  }

  /** Keeps what lies in some volumes, under the key of a snapshot. */
  async keepFiles(deployment: string, snapshot: string, volumes: readonly string[]): Promise<void> {
    for (const volume of volumes)
      await this.putFiles(deployment, keptIn(snapshot, volume), await this.files(deployment, volume));
  }

  /** Puts into a volume what was kept of it. */
  async restoreFiles(deployment: string, snapshot: string, volume: string): Promise<void> {
    await this.putFiles(deployment, volume, await this.files(deployment, keptIn(snapshot, volume)));
  }

  async putFiles(deployment: string, volume: string, files: Files): Promise<void> {
    await this.#cells.write(filesCell(deployment, volume), files.text());
  }
}

// no deployment's id has four or five letters
const notePrefix = 'note ';
const filesPrefix = 'files ';

function keptIn(snapshot: string, volume: string): string {
  return `${snapshot}:${volume}`;
}

function filesCell(deployment: string, volume: string): string {
  return `${filesPrefix}${deployment} ${volume}`;
}

function cellOf({ deployment, kind, key }: Pick<Thing, 'deployment' | 'kind' | 'key'>): string {
  return `${deployment} ${kind} ${key}`;
}
