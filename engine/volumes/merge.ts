import { comparePaths } from '../model/volume.ts';

/** What several lists say of one path; undefined from those that do not have it. */
export type Met<Items extends readonly unknown[]> = {
  readonly path: string;
  readonly items: { readonly [I in keyof Items]: Items[I] | undefined };
};

type Lists<Items extends readonly unknown[]> = { readonly [I in keyof Items]: AsyncIterable<Items[I]> };

/** Goes through lists that are in the order of paths, all at once, path by path. */
export async function* merge<Items extends readonly { readonly path: string }[]>(
  ...lists: Lists<Items>
): AsyncGenerator<Met<Items>> {
  const iterators = lists.map((list) => list[Symbol.asyncIterator]());
  const heads = await Promise.all(iterators.map(async (iterator) => await iterator.next()));
  try {
    for (;;) {
      const paths = heads.flatMap((head) => (head.done ? [] : [head.value.path]));
      const [first, ...others] = paths;
      if (first === undefined) return;
      const path = others.reduce((least, other) => (comparePaths(other, least) < 0 ? other : least), first);
      const items = heads.map((head) => (!head.done && head.value.path === path ? head.value : undefined));
      // each list gives items of its own type
      yield { path, items: items as unknown as Met<Items>['items'] };
      for (const [index, iterator] of iterators.entries())
        if (items[index] !== undefined) heads[index] = await iterator.next();
    }
  } finally {
    await Promise.all(iterators.map(async (iterator) => await iterator.return?.(undefined)));
  }
}
