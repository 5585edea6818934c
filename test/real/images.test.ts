import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createGunzip } from 'node:zlib';
import test, { type ExecutionContext } from 'ava';
import { runCommand } from '../../engine/command.ts';
import { groupPlaces } from '../../engine/drivers/qemu/group-places.ts';
import { EngineError } from '../../engine/errors.ts';
import { layerForOverlay } from '../../engine/formats/layer.ts';
import { readTar, type TarEntry } from '../../engine/formats/tar.ts';
import { type BuiltImage, findImage, type ImageRequest } from '../../engine/images/build-image.ts';
import { findPins } from '../../engine/images/image-pins.ts';
import { loadImage } from '../../engine/images/load-image.ts';
import type { Blobs } from '../../engine/model/blob.ts';
import type { EventBody } from '../../engine/model/event.ts';
import type { ImagePins } from '../../engine/model/lock.ts';
import { type ImageHome, openImageHome, sampleRequest } from './support/build-sample.ts';
import { packageCache as cache } from './support/test-home.ts';

const killRounds = 4;

// one home for most tests, so that the base layer is built once
let home: string;
let images: ImageHome;
let sample: BuiltImage;
let buildMs: number;

test.before(async () => {
  home = await mkdtemp(join(tmpdir(), 'sheaf-images-'));
  images = await openImageHome(home, cache);
  const start = performance.now();
  sample = await images.build(sampleRequest);
  buildMs = performance.now() - start;
});

test.after.always(async () => {
  images.close();
  await rm(home, { recursive: true });
});

test.serial('an image is a base layer and a layer of its own, whole and fit for a machine', async (t) => {
  const image = await loadImage(sample.manifest.digest, images.blobs);

  const [base, own] = await Promise.all(image.layers.map(({ digest }) => layerPaths(digest, images.blobs)));

  t.false(sample.wasCached);
  t.is(image.layers.length, 2);
  t.true(base?.has('usr/bin/bash'));
  t.false(base?.has('usr/bin/apt-get'));
  t.deepEqual(
    [...(base ?? [])].filter((path) => path.includes('mmdebstrap') || path.startsWith('etc/apt/sources')),
    ['etc/apt/sources.list.d/'],
  );
  t.true(own?.has('usr/bin/jq'));
  t.false(own?.has('usr/bin/bash'));
  t.true(own?.has('usr/share/doc/jq/copyright'));
  for (const path of [
    'etc/hostname',
    'etc/resolv.conf',
    'etc/machine-id',
    'usr/sbin/policy-rc.d',
    'var/log/dpkg.log',
  ])
    t.false(base?.has(path) || own?.has(path), path);
  t.true(image.packages.some(({ name, version }) => name === 'jq' && version !== ''));
  t.true(image.packages.some(({ name }) => name === 'libc6'));
});

test.serial('building it again does no work', async (t) => {
  const events: EventBody[] = [];

  const again = await images.build(sampleRequest, { report: (event) => void events.push(event) });

  t.deepEqual(again, { ...sample, wasCached: true });
  t.like(events, [{ type: 'build', state: 'cached' }]);
  t.is(events.length, 1);
});

test.serial('built in another place of what a lock pins it has the same digest', async (t) => {
  const other = await mkdtemp(join(tmpdir(), 'sheaf-elsewhere-'));
  t.teardown(() => rm(other, { recursive: true }));
  const pins = await pinsOf(t, sampleRequest);
  const script = fileURLToPath(new URL('support/build-sample.ts', import.meta.url));
  const command = 'umask 077; exec "$0" "$@"';

  await runCommand('sh', ['-c', command, process.execPath, script, other, cache, JSON.stringify(pins)], {
    directory: '/',
    timeoutMs: 600_000,
    environment: { TZ: 'Asia/Kathmandu', LC_ALL: 'C', LANG: 'tr_TR.UTF-8', HOME: '/nowhere' },
  });
  const elsewhere = await openImageHome(other, cache);
  t.teardown(() => elsewhere.close());
  const built = await findImage({ ...sampleRequest, pins }, elsewhere);

  t.deepEqual(built?.manifest, sample.manifest);
  t.deepEqual(await findImage({ ...sampleRequest, pins }, images), built);
});

test.serial(
  'a lock pins every package by version and digest, and what it pins is what is built',
  async (t) => {
    const pins = await pinsOf(t, sampleRequest);
    const { packages } = await loadImage(sample.manifest.digest, images.blobs);
    const image = { kind: 'packages', suite: 'bookworm', packages: ['jq', 'less'] } as const;
    const gone = { ...pins.own, jq: { version: '1.6-1', sha256: '0'.repeat(64) } };
    const forged = { ...pins.own, jq: { version: pins.own?.['jq']?.version ?? '', sha256: '0'.repeat(64) } };

    const errors = await Promise.all(
      [
        { ...sampleRequest, pins: { ...pins, own: gone } },
        { ...sampleRequest, pins: { ...pins, own: forged } },
        { ...sampleRequest, image, pins },
      ].map(async (request) => await t.throwsAsync(images.build(request), { instanceOf: EngineError })),
    );

    t.deepEqual(
      packages.map(({ name, version, sha256 }) => [name, version, sha256]),
      Object.entries({ ...pins.base, ...pins.own })
        .map(([name, { version, sha256 }]) => [name, version, sha256])
        .sort(([a = ''], [b = '']) => (a < b ? -1 : 1)),
    );
    t.true(packages.some(({ name, licenses }) => name === 'jq' && licenses?.includes('Expat')));
    t.deepEqual(
      errors.map((error) => error?.code),
      ['PACKAGE_GONE', 'IMAGE_FAILED', 'IMAGE_FAILED'],
    );
    t.regex(errors[0]?.hint ?? '', /nearest that it has is 1\.6-/);
    t.regex(errors[1]?.message ?? '', /not the one that the lock pins/);
  },
);

test.serial('a set-up script changes the image, and only the image', async (t) => {
  const setup = `#!/bin/sh
set -eu
refused() { if "$@"; then exit 9; fi; }
refused mknod /tmp/disk b 8 0
refused unshare --user true
refused chroot / true
refused sh -c 'echo x >/proc/sys/kernel/core_pattern'
test "$(ls /proc/1/root/)" = "$(ls /)"
test "$(wc -l </proc/net/dev)" = 3
grep -q '^Max core file size *0 ' /proc/self/limits
refused head -c 300M /dev/zero >/dev/shm/too-much
rm /dev/shm/too-much
echo made >/etc/made
chown daemon:daemon /etc/made
rm /usr/bin/jq /etc/debian_version
`;
  const { layers } = await images.build(withSetup(setup));

  const entries = await readEntries(layers[1]?.digest ?? sample.manifest.digest, images.blobs);
  const made = entries.find(({ path }) => path === 'etc/made');

  t.is(made?.uid, 1);
  t.is(made?.gid, 1);
  t.false(entries.some(({ path }) => path === 'usr/bin/jq'));
  t.is(entries.find(({ path }) => path === 'etc/debian_version')?.type, 'character-device');
});

test.serial('a set-up script that starts processes without end is stopped by its share', async (t) => {
  if (!(await groupPlaces()).some(({ resources }) => resources.includes('pids'))) {
    t.pass('no control groups here, so nothing is limited');
    return;
  }
  const bomb = 'n=0; while [ $n -lt 2000 ]; do sleep 600 & n=$((n + 1)); done';

  const error = await t.throwsAsync(images.build(withSetup(bomb)), { instanceOf: EngineError });

  t.is(error?.code, 'IMAGE_FAILED');
  t.regex(error?.message ?? '', /fork/);
  await nothingIsLeft(t, home);
});

const failures: Readonly<Record<string, { request: ImageRequest; message: RegExp; hint: RegExp }>> = {
  'a package that does not exist': {
    request: withPackages('nginx-ligth'),
    message: /no package nginx-ligth/,
    hint: /nginx-light/,
  },
  'a package that is an option': {
    request: withPackages('--yes'),
    message: /no name of a Debian package/,
    hint: /image of sample/,
  },
  'a suite that the mirrors do not have': {
    request: { ...sampleRequest, image: { kind: 'packages', suite: 'bookwurm', packages: ['jq'] } },
    message: /bookwurm/,
    hint: /apt sources/,
  },
  'a set-up script that fails': {
    request: withSetup('echo the disk is cold >&2\nexit 3\n'),
    message: /set-up script ended with 3: the disk is cold/,
    hint: /script/,
  },
};

for (const [title, { request, message, hint }] of Object.entries(failures)) {
  test.serial(`${title} is IMAGE_FAILED and leaves nothing`, async (t) => {
    const error = await t.throwsAsync(images.build(request), { instanceOf: EngineError, message });

    t.is(error?.code, 'IMAGE_FAILED');
    t.regex(error?.hint ?? '', hint);
    await nothingIsLeft(t, home);
  });
}

test.serial('a build that is stopped on request leaves nothing', async (t) => {
  const stop = new AbortController();
  const report = (event: EventBody): void => {
    if (event.type === 'build' && event.message.startsWith('installs')) stop.abort();
  };

  const error = await t.throwsAsync(images.build(withPackages('haproxy'), { signal: stop.signal, report }), {
    instanceOf: EngineError,
  });

  t.is(error?.code, 'OPERATION_INTERRUPTED');
  await nothingIsLeft(t, home);
});

test.serial('a disk that is full is DISK_FULL and leaves nothing', async (t) => {
  const small = await mkdtemp(join(tmpdir(), 'sheaf-small-'));
  await runCommand('mount', ['-t', 'tmpfs', '-o', 'size=60m', 'small', small]);
  t.teardown(async () => {
    await runCommand('umount', [small]);
    await rm(small, { recursive: true });
  });
  const cramped = await openImageHome(small, cache);

  const error = await t.throwsAsync(cramped.build(sampleRequest), { instanceOf: EngineError });
  cramped.close();

  t.is(error?.code, 'DISK_FULL');
  await nothingIsLeft(t, small);
  t.deepEqual(await readdir(join(small, 'blobs/sha256')), []);
});

test.serial(
  'a kill at any instant leaves no mount and no process, and the next build succeeds',
  async (t) => {
    const hurt = await mkdtemp(join(tmpdir(), 'sheaf-killed-'));
    t.teardown(() => rm(hurt, { recursive: true }));
    const script = fileURLToPath(new URL('support/build-sample.ts', import.meta.url));

    for (let round = 0; round < killRounds; round += 1) {
      const child = spawn(process.execPath, [script, hurt, cache], { stdio: 'ignore' });
      const instant = Math.random() * buildMs;
      t.log(`killed after ${Math.round(instant)} ms`);
      const ended = once(child, 'close');
      await Promise.race([ended, delay(instant)]);
      child.kill('SIGKILL');
      await ended;
      await noProcessOrMount(t, hurt);
    }
    const healed = await openImageHome(hurt, cache);
    t.teardown(() => healed.close());
    const built = await healed.build(sampleRequest);

    t.is(built.manifest.digest, sample.manifest.digest);
    await nothingIsLeft(t, hurt);
  },
);

async function pinsOf(t: ExecutionContext, request: ImageRequest): Promise<ImagePins> {
  const { name, version, image } = request;
  const found = await findPins([{ name, version, image, folder: '/' }], images);
  t.deepEqual(found.unknown, []);
  return { base: found.images['bookworm'] ?? {}, own: found.images[`${name}@${version}`] ?? {} };
}

function withSetup(setup: string): ImageRequest {
  return { ...sampleRequest, setup };
}

function withPackages(...packages: readonly string[]): ImageRequest {
  return { ...sampleRequest, image: { kind: 'packages', suite: 'bookworm', packages } };
}

async function readEntries(digest: `sha256:${string}`, blobs: Blobs): Promise<readonly TarEntry[]> {
  const entries: TarEntry[] = [];
  for await (const { entry } of readTar(layerForOverlay(() => blobs.open(digest).pipe(createGunzip()))))
    entries.push(entry);
  return entries;
}

async function layerPaths(digest: `sha256:${string}`, blobs: Blobs): Promise<ReadonlySet<string>> {
  return new Set((await readEntries(digest, blobs)).map(({ path }) => path));
}

async function nothingIsLeft(t: ExecutionContext, folder: string): Promise<void> {
  await noProcessOrMount(t, folder);
  for (const place of ['scratch', 'unfinished'])
    for (const owner of await readdir(join(folder, place)))
      t.deepEqual(await readdir(join(folder, place, owner)), []);
}

/** Processes of a killed parent die a moment after it. */
async function noProcessOrMount(t: ExecutionContext, folder: string): Promise<void> {
  const deadline = Date.now() + 5000;
  let found = await processesIn(folder);
  while (found.length > 0 && Date.now() < deadline) {
    await delay(50);
    found = await processesIn(folder);
  }
  t.deepEqual(found, []);
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n');
  t.deepEqual(
    mounts.filter((line) => line.includes(`${folder}/`)),
    [],
  );
}

async function processesIn(folder: string): Promise<readonly string[]> {
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const commands = await Promise.all(
    ids.map((id) => readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')),
  );
  return commands.filter((command) => command.includes(folder));
}
