import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import type { ExecutionContext } from 'ava';
import { digestOf } from '../../engine/digest.ts';
import { writeTar } from '../../engine/formats/tar.ts';
import { writeLayout } from '../images/layout-of.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { type CliRun, runCli } from './run-cli.ts';

/** A vendor with a key, and a user with homes of their own who trusts it. */
export type Trade = {
  /** Where everything lies. */
  readonly folder: string;
  /** Writes the appliance `bees` in a version, and publishes it. */
  publish(version: string, more?: string): Promise<void>;
  /** Runs a verb as the vendor; it must succeed. */
  vendor(...args: readonly string[]): Promise<void>;
  /** Runs a verb as the user, with `--json`. */
  user(...args: readonly string[]): Promise<CliRun>;
  /** Forgets the user's catalogs and what was fetched. */
  readonly home: string;
};

/** Makes a vendor who publishes to a catalog, and a user whose settings name it. @param catalog - a folder or `oci://host/path` */
export async function openTrade(t: ExecutionContext, catalog?: string): Promise<Trade> {
  const folder = temporaryFolder(t);
  const place = catalog ?? join(folder, 'catalog');
  const run = (who: string, args: readonly string[]): Promise<CliRun> => {
    const environment = { SHEAF_HOME: join(folder, who, 'home'), XDG_CONFIG_HOME: join(folder, who) };
    return runCli([...args, '--json'], { folder, environment });
  };
  const vendor = async (...args: readonly string[]): Promise<void> => {
    const { code, stdout, stderr } = await run('vendor', args);
    t.is(code, 0, `${args.join(' ')}: ${stdout}${stderr}`);
  };
  await vendor('key', 'new', 'acme', '--plain');
  const policy = `apiVersion: sheaf/v1\nkind: TrustPolicy\nkeys: {acme: {file: ${join(folder, 'acme.pub')}}}\nrules: [{keys: [acme]}]\n`;
  for (const who of ['vendor', 'user']) {
    mkdirSync(join(folder, who, 'sheaf'), { recursive: true });
    writeFileSync(join(folder, who, 'sheaf/trust.yaml'), policy);
  }
  writeFileSync(
    join(folder, 'user/sheaf/catalogs.yaml'),
    `apiVersion: sheaf/v1\nkind: Catalogs\ncatalogs: [{catalog: "${place}"}]\n`,
  );
  const publish = async (version: string, more = ''): Promise<void> => {
    const own = join(folder, `bees-${version}`);
    const owner = { mode: 0o755, uid: 0, gid: 0, mtime: 0, target: '', attributes: {} };
    const content = Buffer.from(version);
    const tar = await buffer(
      writeTar([{ ...owner, path: 'bees', type: 'file', size: content.length, content }]),
    );
    const layer = {
      mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
      content: gzipSync(tar),
      diffId: digestOf(tar),
    };
    const { manifest } = await writeLayout(join(own, 'layout'), [layer], { Entrypoint: ['/bees'] });
    writeFileSync(join(own, 'appliance.yaml'), beesOf(version, `oci:./layout@${manifest}`, more));
    await vendor('publish', own, '--to', place, '--key', 'acme.key');
  };
  return { folder, publish, vendor, user: (...args) => run('user', args), home: join(folder, 'user/home') };
}

function beesOf(version: string, image: string, more: string): string {
  return [
    'apiVersion: sheaf/v1',
    'kind: Appliance',
    'name: bees',
    `version: ${version}`,
    'terminals: {in: {direction: in, protocol: http, port: 80}}',
    `image: {oci: "${image}"}`,
    'resources: {cpu: {min: 0.1, default: 0.1, max: 1}, memory: {min: 32MiB, default: 32MiB, max: 64MiB}}',
    more,
  ].join('\n');
}

/** Writes an assembly that uses `bees`. */
export function writeHive(folder: string, range: string): string {
  const hive = join(folder, 'hive');
  mkdirSync(hive, { recursive: true });
  writeFileSync(
    join(hive, 'assembly.yaml'),
    `apiVersion: sheaf/v1\nkind: Assembly\nname: hive\nversion: 1.0.0\nappliances:\n  one: {uses: "bees@${range}"}\nterminals:\n  in: {inner: one.in}\n`,
  );
  return hive;
}
