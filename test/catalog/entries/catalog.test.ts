import { randomBytes } from 'node:crypto';
import test from 'ava';
import { putEnvelope, readTaggedEnvelope } from '../../../catalog/entries/artifact.ts';
import { openCatalogMemory } from '../../../catalog/entries/catalog-memory.ts';
import { chooseVersion, parseWanted, versionMissing } from '../../../catalog/entries/choose-version.ts';
import { indexName } from '../../../catalog/entries/open-catalog.ts';
import { search } from '../../../catalog/entries/search.ts';
import { yank } from '../../../catalog/entries/yank.ts';
import { openRegistryShelf } from '../../../catalog/shelves/registry-shelf.ts';
import type { Shelf } from '../../../catalog/shelves/shelf.ts';
import { publish } from '../../../catalog/transfer/publish.ts';
import { payloadOf } from '../../../catalog/trust/envelope.ts';
import type { EngineError } from '../../../engine/errors.ts';
import type { Report } from '../../../engine/model/event.ts';
import { temporaryFolder } from '../../temporary-folder.ts';
import { openSample, places, policyOf } from '../open-catalogs.ts';
import { calm, openQuickly } from '../registry/openings.ts';
import { digestOf, startSmallRegistry } from '../registry/small-registry.ts';
import { samplePublication } from '../sample-publication.ts';
import { newKey } from '../trust/keys.ts';

const day = 24 * 60 * 60 * 1000;
const now = Date.parse('2026-11-22');

for (const [kind, makePlace] of Object.entries(places)) {
  test(`${kind}: what is published is found, by name, text and what it offers or needs`, async (t) => {
    const place = await makePlace(t);
    await publish(openSample(t, place()), { bundle: samplePublication(), channels: [] });
    const index = await openSample(t, place()).index();
    const found = (request: Partial<Parameters<typeof search>[2]>) =>
      index && search(index, 'here', { text: [], ...request }).map(({ name }) => name);

    t.deepEqual(found({}), ['php']);
    t.deepEqual(found({ text: ['PROGRAMS', 'php'] }), ['php']);
    t.deepEqual(found({ text: ['ruby'] }), []);
    t.deepEqual(found({ offers: 'http', needs: 'postgresql' }), ['php']);
    t.deepEqual(found({ offers: 'postgresql' }), []);
  });

  test(`${kind}: publishing again sends nothing, and a new version only what is new`, async (t) => {
    const place = await makePlace(t);
    const [layer, other] = [randomBytes(50_000), randomBytes(10)];
    const first = await publish(openSample(t, place()), {
      bundle: samplePublication({ layer }),
      channels: [],
    });
    const again = await publish(openSample(t, place()), {
      bundle: samplePublication({ layer }),
      channels: [],
    });
    const next = samplePublication({ layer, version: '1.1.0' });
    const second = await publish(openSample(t, place()), { bundle: next, channels: [] });
    const third = await publish(openSample(t, place()), {
      bundle: samplePublication({ layer: other }),
      channels: [],
    }).catch((error: unknown) => error);

    t.true(first.sentBytes > 50_000);
    t.is(again.sentBytes, 0);
    t.true(second.sentBytes < 5_000 && second.skippedBytes >= 50_000);
    t.like(third, { code: 'VERSION_EXISTS' });
  });

  test(`${kind}: publishers at the same time lose no version, and each one's index is whole`, async (t) => {
    const place = await makePlace(t);
    const versions = ['1.0.0', '1.0.1', '1.0.2', '1.0.3', '1.0.4'];

    await Promise.all(
      versions.map((version) =>
        publish(openSample(t, place()), { bundle: samplePublication({ version }), channels: [] }),
      ),
    );

    const index = await openSample(t, place()).index();
    t.deepEqual(
      index?.entries.map(({ version }) => version),
      versions,
    );
  });

  test(`${kind}: of two contents under one version one is refused`, async (t) => {
    const place = await makePlace(t);
    const both = await Promise.allSettled(
      [1, 2].map(() => publish(openSample(t, place()), { bundle: samplePublication(), channels: [] })),
    );

    const refused = both.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []));
    t.true(refused.length >= 1);
    for (const error of refused) t.like(error, { code: 'VERSION_EXISTS' });
  });

  for (const moment of ['entry--php_1.0.0', 'index'])
    test(`${kind}: who is overtaken just before writing ${moment} and who overtakes never both succeed`, async (t) => {
      const place = await makePlace(t);
      const bundles = [samplePublication(), samplePublication()] as const;
      const other = async () =>
        await publish(openSample(t, place()), { bundle: bundles[1], channels: [] }).then(
          ({ digest }) => digest,
          () => undefined,
        );
      let overtaking: Promise<string | undefined> | undefined;
      const shelf = before(place(), moment, async () => {
        overtaking ??= other();
        // in a folder the other one waits until this one is done
        if (kind === 'registry') await overtaking;
      });

      const own = await publish(openSample(t, shelf), { bundle: bundles[0], channels: [] }).then(
        ({ digest }) => digest,
        (error: EngineError) => error.code,
      );

      const winners = [own, await overtaking].filter((digest) => digest?.startsWith('sha256:'));
      const index = await openSample(t, place()).index();
      t.true(winners.length <= 1);
      t.deepEqual(
        index?.entries.map(({ identity }) => identity),
        winners,
      );
      if (winners[0] !== own) t.is(own, 'VERSION_EXISTS');
      const tagged = await place().repository('php').manifest('1.0.0', calm);
      const standing = await readTaggedEnvelope(place().repository(indexName), 'entry--php_1.0.0', calm);
      t.is(tagged && JSON.parse(String(tagged.bytes)).config.digest, winners[0]);
      t.is(standing && JSON.parse(String(payloadOf(standing))).entry.identity, winners[0]);
    });

  test(`${kind}: a version that is withdrawn is chosen only by those who name it, and all are told why`, async (t) => {
    const place = await makePlace(t);
    for (const version of ['1.0.0', '1.1.0'])
      await publish(openSample(t, place()), { bundle: samplePublication({ version }), channels: [] });
    await yank(openSample(t, place()), { name: 'php', version: '1.1.0', reason: 'loses data' });
    const index = await openSample(t, place()).index();
    const choose = (text: string) => {
      const wanted = parseWanted(text);
      const chosen = index && wanted && chooseVersion(index, wanted);
      return chosen && [chosen.entry.version, chosen.yanked];
    };

    t.deepEqual(choose('php'), ['1.0.0', undefined]);
    t.deepEqual(choose('php@^1'), ['1.0.0', undefined]);
    t.deepEqual(choose('php@1.1.0'), ['1.1.0', 'loses data']);
    t.is(choose('php@^1.1'), undefined);
    const error = versionMissing({ name: 'php', range: '^1.1' }, [{ catalog: 'here', index }]);
    t.like(error, {
      code: 'VERSION_MISSING',
      hint: 'Published: 1.1.0, 1.0.0. 1.1.0 was withdrawn: loses data',
    });
    const missing = await t.throwsAsync(
      yank(openSample(t, place()), { name: 'php', version: '9.0.0', reason: 'x' }),
    );
    t.like(missing, { code: 'VERSION_MISSING' });
  });

  test(`${kind}: channels move`, async (t) => {
    const place = await makePlace(t);
    let clock = now;
    const open = () => openSample(t, place(), { now: () => (clock += 1000) });
    await publish(open(), { bundle: samplePublication({ version: '1.0.0' }), channels: ['stable'] });
    await publish(open(), { bundle: samplePublication({ version: '2.0.0' }), channels: ['edge'] });
    const before = await open().index();
    const bundle = samplePublication({ version: '2.0.1' });
    await publish(open(), { bundle, channels: ['stable', 'edge'] });
    const after = await open().index();
    const at = (index: typeof before, range: string) =>
      index && chooseVersion(index, { name: 'php', range })?.entry.version;

    t.deepEqual([at(before, 'stable'), at(before, 'edge')], ['1.0.0', '2.0.0']);
    t.deepEqual([at(after, 'stable'), at(after, 'edge')], ['2.0.1', '2.0.1']);
  });

  test(`${kind}: a signed catalog is believed by who trusts its key, and by nobody else`, async (t) => {
    const place = await makePlace(t);
    const [key, stranger] = [await newKey(), await newKey()];
    const bundle = samplePublication();
    await publish(openSample(t, place(), { keys: [key.public] }), { bundle, key: key.signing, channels: [] });

    const believed = await openSample(t, place(), { keys: [key.public] }).index();
    const refused = await t.throwsAsync(openSample(t, place(), { keys: [stranger.public] }).index());
    const warnings: string[] = [];
    const report: Report = (event) => {
      if (event.type === 'warning') warnings.push(event.code);
    };
    const insecure = await openSample(t, place(), {
      keys: [stranger.public],
      isInsecure: true,
      report,
    }).index();

    t.is(believed?.entries.length, 1);
    t.like(refused, { code: 'SIGNATURE_UNTRUSTED' });
    t.is(insecure?.entries.length, 1);
    t.deepEqual(warnings, ['SIGNATURE_UNTRUSTED']);
  });

  test(`${kind}: an old index, another catalog, and a signed index past its time are noticed`, async (t) => {
    const [place, elsewhere] = [await makePlace(t), await makePlace(t)];
    const key = await newKey();
    const memory = openCatalogMemory(temporaryFolder(t));
    const options = { keys: [key.public], memory };
    const send = (shelf: ReturnType<typeof place>, version: string) =>
      publish(openSample(t, shelf, { keys: [key.public] }), {
        bundle: samplePublication({ version }),
        key: key.signing,
        channels: [],
      });
    await send(place(), '1.0.0');
    const repository = place().repository(indexName);
    const old = await readTaggedEnvelope(repository, 'index', calm);
    await send(place(), '1.1.0');
    await send(elsewhere(), '1.0.0');
    await openSample(t, place(), options).index();
    const other = await readTaggedEnvelope(elsewhere().repository(indexName), 'index', calm);

    if (old) await putEnvelope(repository, 'index', old, calm);
    const rolledBack = await t.throwsAsync(openSample(t, place(), options).index());
    if (other) await putEnvelope(repository, 'index', other, calm);
    const mixed = await t.throwsAsync(openSample(t, place(), options).index());
    const stale = await t.throwsAsync(
      openSample(t, elsewhere(), { keys: [key.public], now: () => now + 91 * day }).index(),
    );

    t.like(rolledBack, { code: 'CATALOG_ROLLED_BACK' });
    t.like(mixed, {
      code: 'CATALOG_ROLLED_BACK',
      message: /another catalog/.test(mixed?.message ?? '') ? mixed?.message : '',
    });
    t.like(stale, { code: 'CATALOG_STALE' });
  });

  test(`${kind}: an index that was lost is made again by the next publisher`, async (t) => {
    const place = await makePlace(t);
    await publish(openSample(t, place()), { bundle: samplePublication(), channels: [] });
    const repository = place().repository(indexName);
    const first = await readTaggedEnvelope(repository, 'index', calm);
    await publish(openSample(t, place()), { bundle: samplePublication({ version: '1.1.0' }), channels: [] });
    if (first) await putEnvelope(repository, 'index', first, calm);

    await publish(openSample(t, place()), { bundle: samplePublication({ version: '1.2.0' }), channels: [] });

    const index = await openSample(t, place()).index();
    t.deepEqual(
      index?.entries.map(({ version }) => version),
      ['1.0.0', '1.1.0', '1.2.0'],
    );
  });

  test(`${kind}: what is no index is CATALOG_CORRUPT`, async (t) => {
    const place = await makePlace(t);
    const envelope = { payloadType: 'x', payload: '', signatures: [] };
    await place().exclusively(
      () => putEnvelope(place().repository(indexName), 'index', envelope, calm),
      calm,
    );

    t.like(await t.throwsAsync(openSample(t, place()).index()), { code: 'CATALOG_CORRUPT' });
  });
}

test('what somebody whom nobody trusts slips into a registry never gets into its index', async (t) => {
  const { host } = await startSmallRegistry(t);
  const shelf = () => openRegistryShelf(openQuickly(t, host), 'acme');
  const [key, stranger] = [await newKey(), await newKey()];
  const send = (version: string, by: typeof key) =>
    publish(openSample(t, shelf(), { keys: [by.public] }), {
      bundle: samplePublication({ version }),
      key: by.signing,
      channels: [],
    });
  await send('1.0.0', key);
  const index = await readTaggedEnvelope(shelf().repository(indexName), 'index', calm);
  await openSample(t, shelf(), { isInsecure: true, policy: policyOf([stranger.public]) }).index();
  await publish(openSample(t, shelf(), { isInsecure: true, policy: policyOf([stranger.public]) }), {
    bundle: samplePublication({ version: '6.6.6' }),
    key: stranger.signing,
    channels: [],
  });
  if (index) await putEnvelope(shelf().repository(indexName), 'index', index, calm);

  await send('1.1.0', key);

  const after = await openSample(t, shelf(), { keys: [key.public] }).index();
  t.deepEqual(
    after?.entries.map(({ version }) => version),
    ['1.0.0', '1.1.0'],
  );
});

test('a registry that does not answer is replaced by its mirror, or by what was seen last', async (t) => {
  const [server, second] = [await startSmallRegistry(t), await startSmallRegistry(t)];
  const memory = openCatalogMemory(temporaryFolder(t));
  const shelf = () => openRegistryShelf(openQuickly(t, server.host), 'acme');
  await publish(openSample(t, shelf()), { bundle: samplePublication(), channels: [] });
  for (const [name, value] of server.manifests) second.manifests.set(name, value);
  for (const [digest, bytes] of server.blobs) second.blobs.set(digest, bytes);
  await openSample(t, shelf(), { memory }).index();
  server.mischief = (_, response) => {
    response.destroy();
    return true;
  };

  const remembered = await openSample(t, shelf(), { memory }).index();
  const unknown = await t.throwsAsync(openSample(t, shelf()).index());
  const mirror = { registry: openQuickly(t, second.host), path: 'acme' };
  const mirrored = await openSample(
    t,
    openRegistryShelf(openQuickly(t, server.host), 'acme', mirror),
  ).index();

  t.is(remembered?.entries.length, 1);
  t.like(unknown, { code: 'REGISTRY_UNREACHABLE' });
  t.is(mirrored?.entries.length, 1);
});

test('a registry whose index never holds what was written to it is CATALOG_BUSY in the end', async (t) => {
  const server = await startSmallRegistry(t);
  server.mischief = (request, response, path) => {
    if (request.method !== 'PUT' || !path.endsWith('/manifests/index')) return false;
    request.resume();
    response.writeHead(201).end();
    return true;
  };
  const shelf = openRegistryShelf(openQuickly(t, server.host), 'acme');

  const error = await t.throwsAsync(
    publish(openSample(t, shelf), { bundle: samplePublication(), channels: [] }),
  );

  t.like(error, { code: 'CATALOG_BUSY' });
});

test('a registry that lost a part of what it holds the manifest of gets it with the next version', async (t) => {
  const server = await startSmallRegistry(t);
  const shelf = openRegistryShelf(openQuickly(t, server.host), 'acme');
  const [layer, description] = [randomBytes(50_000), 'apiVersion: sheaf/v1'];
  const first = samplePublication({ layer, description });
  await publish(openSample(t, shelf), { bundle: first, channels: [] });
  const asked = server.requests.length;
  const next = samplePublication({ layer, description, version: '1.1.0' });
  await publish(openSample(t, shelf), { bundle: next, channels: [] });
  const questions = server.requests.slice(asked).filter((each) => each.startsWith('HEAD'));
  server.blobs.delete(digestOf(layer));

  const last = samplePublication({ layer, description, version: '1.2.0' });
  const healed = await publish(openSample(t, shelf), { bundle: last, channels: [] });

  t.is(questions.length, 1); // for the packing list, which is another one
  t.true(healed.sentBytes > layer.length);
  t.true(server.blobs.has(digestOf(layer)));
});

test('a signed index past its time is renewed by publishing the same version again', async (t) => {
  const server = await startSmallRegistry(t);
  const shelf = openRegistryShelf(openQuickly(t, server.host), 'acme');
  const key = await newKey();
  const later = { keys: [key.public], now: () => now + 91 * day };
  const request = { bundle: samplePublication(), key: key.signing, channels: [] };
  await publish(openSample(t, shelf, { keys: [key.public] }), request);

  const stale = await t.throwsAsync(openSample(t, shelf, later).index());
  await publish(openSample(t, shelf, later), request);

  t.like(stale, { code: 'CATALOG_STALE' });
  t.is((await openSample(t, shelf, later).index())?.entries.length, 1);
});

/** Lets something happen in the moment before a tag is written for the first time. */
function before(shelf: Shelf, moment: string, act: () => Promise<void>): Shelf {
  return {
    ...shelf,
    repository: (name, mountFrom) => {
      const repository = shelf.repository(name, mountFrom);
      return {
        ...repository,
        putManifest: async (manifest, tag, signal) => {
          if (tag === moment) await act();
          await repository.putManifest(manifest, tag, signal);
        },
      };
    },
  };
}
