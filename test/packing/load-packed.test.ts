import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { load } from '../../engine/compile/load.ts';
import { canonicalJson, digestOf } from '../../engine/digest.ts';
import { EngineError, type ErrorCode } from '../../engine/errors.ts';
import type { PackingList } from '../../engine/model/packing-list.ts';
import { blueprintRevision } from '../../engine/packing/blueprint-revision.ts';
import { loadPacked, withoutInputs } from '../../engine/packing/load-packed.ts';
import { packedClosure } from '../../engine/packing/packed-closure.ts';
import { root } from '../cli/run-cli.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { packedSource } from './packed-source.ts';

const pair = join(root, 'test/fixtures/pair');
const guestbook = join(root, 'applications/guestbook');
const catalogs = [join(root, 'appliances')];

for (const [name, folder, places] of [
  ['own appliances', pair, []],
  ['appliances of a catalog, and content', guestbook, catalogs],
] as const) {
  test(`an application with ${name} compiles packed to the blueprint of its folder`, async (t) => {
    const inputs = { ...withoutInputs, expose: {} };
    const packed = await packedSource(folder, places, (list) => ({ ...list, ...identityOf(folder) }));
    const { compiled } = await load(folder, inputs, { catalogs: places, workingDirectory: folder });

    const unpacked = await loadPacked('x.sheaf', packed, inputs, temporaryFolder(t));

    t.is(canonicalJson(unpacked.compiled.blueprint), canonicalJson(compiled.blueprint));
    t.deepEqual(unpacked.compiled.problems, []);
    t.deepEqual([...unpacked.compiled.templates], [...compiled.templates]);
    t.truthy(unpacked.compiled.blueprint);
    if (unpacked.compiled.blueprint === null) return;
    const { closure } = await packedClosure(packed, unpacked.compiled.blueprint);
    t.deepEqual([closure.kit], [packed.list.kit?.list.digest]);
    t.deepEqual(
      [...closure.images.keys()].sort(),
      unpacked.compiled.blueprint.appliances.map(({ path }) => path).sort(),
    );
  });
}

test('the descriptions of a packed source are gone when it is compiled', async (t) => {
  const scratch = temporaryFolder(t);

  await loadPacked('x.sheaf', await packedSource(pair), null, scratch);

  t.deepEqual(
    readdirSync(scratch).flatMap((process) => readdirSync(join(scratch, process))),
    [],
  );
});

const contradictions: readonly {
  readonly what: string;
  readonly code?: ErrorCode;
  readonly change: (list: PackingList) => PackingList;
}[] = [
  { what: 'another name than its description', change: (list) => ({ ...list, name: 'other' }) },
  { what: 'another version than its description', change: (list) => ({ ...list, version: '2.0.0' }) },
  { what: 'another kind than its description', change: (list) => ({ ...list, packs: 'assembly' }) },
  {
    what: 'another blueprint',
    change: (list) => ({ ...list, blueprint: { revision: blueprintRevision, digest: digestOf('x') } }),
  },
  {
    what: 'a lock of other appliances',
    change: (list) => ({ ...list, lock: { ...list.lock, appliances: {} } }),
  },
  {
    what: 'a lock of other digests',
    code: 'INPUT_INVALID',
    change: (list) => ({
      ...list,
      lock: {
        ...list.lock,
        appliances: Object.fromEntries(
          Object.entries(list.lock.appliances).map(([path, entry]) => [
            path,
            { ...entry, digest: digestOf('x') },
          ]),
        ),
      },
    }),
  },
  ...['../escaped.yaml', '/tmp/escaped.yaml', 'sheaf.lock', 'application.yaml/x', 'a/../b', 'a//b'].map(
    (path) => ({
      what: `a file at ${path}`,
      change: (list: PackingList) => {
        const [first] = Object.values(list.files);
        return first === undefined ? list : { ...list, files: { ...list.files, [path]: first } };
      },
    }),
  ),
  {
    what: 'a content folder that leads out',
    change: (list) => ({ ...list, places: { '../../escaped': { kind: 'folder', digest: digestOf('x') } } }),
  },
];

for (const { what, code = 'BUNDLE_CONTRADICTORY', change } of contradictions) {
  test(`a packing list with ${what} is refused, and nothing is left of it`, async (t) => {
    const scratch = temporaryFolder(t);
    const packed = await packedSource(pair, [], change);

    await t.throwsAsync(loadPacked('x.sheaf', packed, null, scratch), { instanceOf: EngineError, code });

    t.false(existsSync('/tmp/escaped.yaml'));
    t.deepEqual(
      readdirSync(scratch).flatMap((process) => readdirSync(join(scratch, process))),
      [],
    );
  });
}

test('a packing list that lacks an image, a content or the kit cannot be run', async (t) => {
  const whole = await packedSource(guestbook, catalogs, (list) => ({ ...list, ...identityOf(guestbook) }));
  const { compiled } = await loadPacked('x.sheaf', whole, withoutInputs, temporaryFolder(t));
  const { blueprint } = compiled;
  const { kit: _, ...withoutKit } = whole.list;
  const lists: readonly PackingList[] = [
    withoutKit,
    { ...whole.list, images: {} },
    { ...whole.list, contents: [] },
    { ...whole.list, contents: whole.list.contents.map((content) => ({ ...content, to: '/etc' })) },
  ];

  t.truthy(blueprint);
  for (const list of lists)
    await refused(t, async () => blueprint && packedClosure({ ...whole, list }, blueprint));
});

test('a blueprint of the same revision has the same digest as ever', async (t) => {
  const { compiled } = await load(pair, withoutInputs, { catalogs: [], workingDirectory: pair });

  // when this fails and bundles of before shall still be taken: raise the revision, and write both anew
  t.deepEqual(
    [blueprintRevision, digestOf(canonicalJson(compiled.blueprint))],
    [1, 'sha256:0becd87d900fef64dba3ea5af661bd78c4f1436b01f8f793bb15500d78032daa'],
  );
});

async function refused(t: ExecutionContext, act: () => Promise<unknown>): Promise<void> {
  await t.throwsAsync(act, { instanceOf: EngineError, code: 'BUNDLE_CONTRADICTORY' });
}

function identityOf(folder: string): Pick<PackingList, 'name' | 'version'> {
  return { name: folder === pair ? 'pair' : 'guestbook', version: '1.0.0' };
}
