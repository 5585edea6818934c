import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type BundleFile, contentsOf, mediaTypes, packFile } from '../../../catalog/index.ts';
import { compile } from '../../../engine/compile/compile.ts';
import { load } from '../../../engine/compile/load.ts';
import { lockOf } from '../../../engine/compile/lock.ts';
import { canonicalJson, type Digest, digestOf } from '../../../engine/digest.ts';
import type { Descriptor } from '../../../engine/model/blob.ts';
import type { Kit } from '../../../engine/model/kit.ts';
import type { PackedImage, PackingList } from '../../../engine/model/packing-list.ts';
import { blueprintRevision } from '../../../engine/packing/blueprint-revision.ts';
import { filesToPack } from '../../../engine/packing/files-to-pack.ts';
import { withoutInputs } from '../../../engine/packing/load-packed.ts';
import { checkTemplate } from '../../../engine/render/check-template.ts';
import { type RawEntry, rawTar } from '../../catalog/raw-tar.ts';
import { quiet } from '../../catalog/sample-bundle.ts';

/** What hostile hands pack. */
export type Poison = {
  /** A bundle of `test/fixtures/pair`, out of which kit and images are taken. */
  readonly clean: BundleFile;
  /** Where everything hostile would leave a file, if it ran on the host. */
  readonly outside: string;
  /** Scratch of the test. */
  readonly folder: string;
  /** The text of the page. */
  readonly template: string;
  /** Further entries of the hostile layer, besides those that a guest may have. */
  readonly entries?: readonly RawEntry[];
  /** Changes the packing list at the end. */
  readonly change?: (list: PackingList) => PackingList;
};

/**
 * Packs an application as validly as anybody can who does not use `pack`: one appliance, with name and version of the
 * clean one, whose set-up script, hook, layer and kit try whatever they may to get onto the host.
 *
 * @returns the bundle file
 */
export async function packPoison(poison: Poison, file: string): Promise<string> {
  const { clean, folder } = poison;
  const { list: model } = clean.contents;
  const bytes = new Map<Digest, Buffer>();
  const add = (mediaType: string, content: string | Buffer): Descriptor => {
    const buffer = Buffer.from(content);
    const digest = digestOf(buffer);
    bytes.set(digest, buffer);
    return { mediaType, digest, size: buffer.length };
  };
  const source = writeTrap(join(folder, `trap-${crypto.randomUUID()}`), poison);
  const options = { catalogs: [], workingDirectory: source };
  // as it is, with its problems
  const loaded = await load(source, null, options);
  const { blueprint } = compile(loaded.source, withoutInputs, checkTemplate);
  const { files, places } = filesToPack(loaded.source);
  const list: PackingList = {
    ...{ apiVersion: 'sheaf/v1', kind: 'PackingList', packs: 'application', platform: 'linux/amd64' },
    ...{ name: 'trap', version: '1.0.0', lock: lockOf(loaded.source), contents: [] },
    files: Object.fromEntries(
      [...files].map(([path, { kind, text }]) => [path, add(mediaTypes[kind], text)]),
    ),
    places: Object.fromEntries(places),
    images: { 'front@1.0.0': await poisonedImage(poison, imageOf(model, 'front@1.0.0'), add) },
    kit: await poisonedKit(poison, add),
    ...(blueprint && {
      blueprint: { revision: blueprintRevision, digest: digestOf(canonicalJson(blueprint)) },
    }),
  };
  const contents = contentsOf(poison.change?.(list) ?? list);
  const open = (part: Descriptor) => {
    const own = bytes.get(part.digest);
    return own === undefined ? clean.open(part) : single(own);
  };
  await packFile({ contents, source: { open }, file }, quiet);
  return file;
}

/** Gives an image of a packing list. */
export function imageOf(list: PackingList, name: string): PackedImage {
  const image = list.images[name];
  if (image === undefined) throw new Error(`there is no image ${name}`);
  return image;
}

function writeTrap(folder: string, { template, outside }: Poison): string {
  const appliance = join(folder, 'appliances/front');
  mkdirSync(appliance, { recursive: true });
  const run = (name: string) => `[/bin/sh, -c, "echo ran > ${outside}/${name} || true"]`;
  writeFileSync(
    join(folder, 'application.yaml'),
    'apiVersion: sheaf/v1\nkind: Application\nname: trap\nversion: 1.0.0\nappliances:\n  front: {uses: front@^1}\n',
  );
  writeFileSync(join(appliance, 'setup.sh'), `echo ran > ${outside}/setup\n`);
  writeFileSync(join(appliance, 'index.html.njk'), template);
  writeFileSync(
    join(appliance, 'appliance.yaml'),
    `apiVersion: sheaf/v1
kind: Appliance
name: front
version: 1.0.0
terminals: {web: {direction: external, protocol: http, port: 80}}
resources:
  cpu: {min: 0.05, default: 0.1, max: 1}
  memory: {min: 16MiB, default: 24MiB, max: 64MiB}
image: {suite: bookworm, packages: [base-files], setup: setup.sh}
files:
  - {path: /srv/index.html, template: index.html.njk, mode: "0644"}
services:
  web: {command: [/run/sheaf/bin/busybox, httpd, -f, -p, "80", -h, /srv]}
hooks: {init: {command: ${run('hook')}, timeout: 10s}}
health: {http: {terminal: web, path: /}, interval: 1s, failures: 3}
`,
  );
  return folder;
}

/** The clean image under a layer with all that a guest may have and a host must not take: devices, links out, a file through one. */
async function poisonedImage(
  { clean, outside, entries = [] }: Poison,
  { manifest, config, layers }: PackedImage,
  add: (mediaType: string, content: string | Buffer) => Descriptor,
): Promise<PackedImage> {
  const tar = rawTar([
    { path: 'srv/disk', type: '4' },
    { path: 'srv/memory', type: '3' },
    { path: 'srv/out', type: '2', target: outside },
    { path: 'srv/out/layer', content: Buffer.from('ran') },
    { path: 'srv/up', type: '2', target: '../../../../../../..' },
    { path: `srv/up${outside}/layer`, content: Buffer.from('ran') },
    { path: 'etc/poisoned', content: Buffer.from('poisoned') },
    ...entries,
  ]);
  const settings = JSON.parse(Buffer.from(await clean.read({ ...config })).toString());
  const layer = add('application/vnd.oci.image.layer.v1.tar+gzip', gzipSync(tar));
  const text = {
    ...settings,
    rootfs: { type: 'layers', diff_ids: [...settings.rootfs.diff_ids, digestOf(tar)] },
  };
  const all = [...layers, layer];
  const own = add(config.mediaType, canonicalJson(text));
  const { mediaType } = manifest;
  const root = add(mediaType, canonicalJson({ schemaVersion: 2, mediaType, config: own, layers: all }));
  return { manifest: root, config: own, layers: all };
}

/** The clean kit with another program for the host. */
async function poisonedKit(
  { clean, outside }: Poison,
  add: (mediaType: string, content: string | Buffer) => Descriptor,
): Promise<NonNullable<PackingList['kit']>> {
  const { kit } = clean.contents.list;
  if (kit === undefined) throw new Error('the clean bundle has no kit');
  const text = JSON.parse(Buffer.from(await clean.read(kit.list)).toString()) as Kit;
  const attendant = add(text.attendant.mediaType, `#!/bin/sh\necho ran > ${outside}/attendant\n`);
  return {
    list: add(kit.list.mediaType, canonicalJson({ ...text, attendant })),
    parts: kit.parts.map((part) => (part.digest === text.attendant.digest ? attendant : part)),
  };
}

async function* single(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
