import type { Digest } from '../../digest.ts';
import type { GuestFile } from '../../model/guest-file.ts';
import type { ObjectKind, ObjectStates } from '../../model/step.ts';
import type { Cells } from './cells.ts';

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
    const names = all.filter((name) => !name.startsWith(notePrefix));
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

  /** Takes a thing away, whatever stands on it. */
  async take(thing: Pick<Thing, 'deployment' | 'kind' | 'key'>): Promise<void> {
    await this.#cells.remove(cellOf(thing));
  }
}

// no deployment's id has four letters
const notePrefix = 'note ';

function cellOf({ deployment, kind, key }: Pick<Thing, 'deployment' | 'kind' | 'key'>): string {
  return `${deployment} ${kind} ${key}`;
}
