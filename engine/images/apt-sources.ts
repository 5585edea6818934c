import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError } from '../errors.ts';

/** A file of package sources as apt reads it; names ending in `.sources` hold deb822, all others one line a source. */
export type SourcesFile = { readonly name: string; readonly text: string };

/** What is known of this machine's own system, from `/etc/os-release`. */
export type HostRelease = { readonly id: string; readonly codename: string };

type Stanza = ReadonlyMap<string, string>;

// other archives may use a suite's name too, but not these names of components together with it
const debianComponents: ReadonlySet<string> = new Set(['main', 'contrib', 'non-free', 'non-free-firmware']);
const pockets = ['', '-updates', '-security'] as const;
const releaseAliases = ['stable', 'oldstable', 'testing'];
const optionFields: Readonly<Record<string, string>> = {
  arch: 'Architectures',
  lang: 'Languages',
  target: 'Targets',
};

/**
 * Reads the package sources of this machine.
 *
 * @param folder - `/etc/apt`, or what stands for it
 */
export async function readSourcesFiles(folder: string): Promise<readonly SourcesFile[]> {
  const parts = await readdir(join(folder, 'sources.list.d')).catch(() => []);
  const names = [
    'sources.list',
    ...parts
      .filter((name) => /\.(list|sources)$/.test(name))
      .sort()
      .map((name) => join('sources.list.d', name)),
  ];
  const files = await Promise.all(
    names.map(async (name) => ({
      name,
      text: await readFile(join(folder, name), 'utf8').catch(() => ''),
    })),
  );
  return files.filter((file) => file.text !== '');
}

/**
 * Chooses the sources of one Debian suite, with its updates and its security fixes, from those of the machine.
 *
 * When the machine has none of that suite, but is itself a Debian of another, its own mirrors are taken with the
 * suite's name put in. Keys, architectures and every other option stay as they are; foreign archives are left out.
 *
 * @returns deb822 text for a `.sources` file
 * @throws EngineError IMAGE_FAILED when no source serves the suite
 */
export function selectSources(files: readonly SourcesFile[], suite: string, host: HostRelease): string {
  const stanzas = files.flatMap((file) =>
    file.name.endsWith('.sources') ? parseStanzas(file.text) : parseLines(file.text),
  );
  const names = host.id === 'debian' ? [suite, host.codename, ...releaseAliases] : [suite];
  for (const name of names) {
    const chosen = stanzas.flatMap((stanza) => narrow(stanza, name, suite));
    if (chosen.length > 0) return chosen.map(writeStanza).join('\n');
  }
  throw new EngineError('IMAGE_FAILED', `this machine's apt has no source of Debian ${suite}`, {
    hint: `Add Debian's ${suite} to /etc/apt/sources.list.d.`,
    details: { suite, files: files.map((file) => file.name) },
  });
}

/** Reads the identity of a system out of the text of its `/etc/os-release`. */
export function parseRelease(text: string): HostRelease {
  const value = (key: string): string => new RegExp(`^${key}="?([^"\n]*)"?$`, 'm').exec(text)?.[1] ?? '';
  return { id: value('ID'), codename: value('VERSION_CODENAME') };
}

/** Reduces a stanza to the pockets of a release, under the name of the suite that is wanted. */
function narrow(stanza: Stanza, release: string, suite: string): readonly Stanza[] {
  const words = (field: string): readonly string[] => stanza.get(field)?.split(/\s+/).filter(Boolean) ?? [];
  const components = words('Components');
  if (!words('Types').includes('deb') || /^(no|false|0)$/i.test(stanza.get('Enabled') ?? '')) return [];
  if (components.length === 0 || !components.every((component) => debianComponents.has(component))) return [];
  const suites = pockets
    .filter((pocket) => words('Suites').includes(release + pocket))
    .map((pocket) => suite + pocket);
  const addresses = words('URIs').filter((address) => !address.startsWith('cdrom:'));
  if (suites.length === 0 || addresses.length === 0) return [];
  return [
    new Map([...stanza, ['Types', 'deb'], ['URIs', addresses.join(' ')], ['Suites', suites.join(' ')]]),
  ];
}

/** @source sources.list(5), "DEB822-STYLE FORMAT" */
function parseStanzas(text: string): readonly Stanza[] {
  const lines = text.split('\n').filter((line) => !line.startsWith('#'));
  const stanzas: Map<string, string>[] = [new Map()];
  let field = '';
  for (const line of lines) {
    const stanza = stanzas.at(-1);
    if (line.trim() === '') {
      stanzas.push(new Map());
    } else if (/^[ \t]/.test(line)) {
      stanza?.set(field, `${stanza.get(field) ?? ''}\n${line}`);
    } else {
      const at = line.indexOf(':');
      field = properCase(line.slice(0, at));
      stanza?.set(field, line.slice(at + 1).trim());
    }
  }
  return stanzas.filter((stanza) => stanza.size > 0);
}

/** @source sources.list(5), "ONE-LINE-STYLE FORMAT" */
function parseLines(text: string): readonly Stanza[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+([^#]+)/.exec(line);
    const [, options = '', address, suite, components] = match ?? [];
    if (address === undefined || suite === undefined || components === undefined) return [];
    const fields = options
      .split(/\s+/)
      .filter(Boolean)
      .map((option): [string, string] => {
        const [name = '', value = ''] = option.split('=', 2);
        return [optionFields[name] ?? properCase(name), value.replaceAll(',', ' ')];
      });
    return [
      new Map([
        ['Types', 'deb'],
        ['URIs', address],
        ['Suites', suite],
        ['Components', components.trim()],
        ...fields,
      ]),
    ];
  });
}

function writeStanza(stanza: Stanza): string {
  return [...stanza].map(([field, value]) => `${field}: ${value}\n`).join('');
}

/** Writes a field's name as this file knows it, for apt takes any case. */
function properCase(name: string): string {
  const trimmed = name.trim().toLowerCase();
  return trimmed === 'uris' ? 'URIs' : trimmed.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
}
