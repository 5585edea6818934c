import type { ExecRequest } from '../driver.ts';
import type { Files } from './files.ts';
import type { Thing } from './world.ts';

type Instance = Extract<Thing, { kind: 'instance' }>;

/** What lies in the volumes of a pretended guest, by their keys. */
export type GuestVolumes = {
  readonly read: (volume: string) => Promise<Files>;
  readonly write: (volume: string, files: Files) => Promise<void>;
};

/**
 * Runs one of the few commands that a pretended guest knows: `cat PATH` of the files laid into it and of its volumes,
 * `sh -c 'cat > PATH'`, which writes its input into a volume, `echo WORDS`, `cat` of its input, `sh -c 'exit N'`.
 *
 * @returns the exit code, 127 for any other command
 */
export async function runCommandLine(
  instance: Instance,
  { command, stdin, stdout, stderr }: ExecRequest,
  volumes: GuestVolumes,
): Promise<number> {
  const [program, ...args] = command;
  const path = args[0] ?? '';
  if (program === 'echo') {
    stdout.write(`${args.join(' ')}\n`);
    return 0;
  }
  if (program === 'cat' && args.length === 0) {
    for await (const chunk of stdin ?? []) stdout.write(chunk);
    return 0;
  }
  if (program === 'cat') {
    const content = await contentOf(instance, path, volumes);
    if (content === undefined) stderr.write(`cat: ${path}: No such file or directory\n`);
    else stdout.write(content);
    return content === undefined ? 1 : 0;
  }
  const script = program === 'sh' && args[0] === '-c' ? (args[1] ?? '') : '';
  const place = placeOf(instance, /^cat > (\S+)$/.exec(script)?.[1] ?? '');
  if (place !== undefined) {
    const chunks: Buffer[] = [];
    for await (const chunk of stdin ?? []) chunks.push(Buffer.from(chunk));
    const files = await volumes.read(place.volume);
    files.write(place.path, Buffer.concat(chunks));
    await volumes.write(place.volume, files);
    return 0;
  }
  const exit = /^exit (\d+)$/.exec(script);
  return exit ? Number(exit[1]) : 127;
}

async function contentOf(
  instance: Instance,
  path: string,
  volumes: GuestVolumes,
): Promise<Uint8Array | string | undefined> {
  const place = placeOf(instance, path);
  if (place !== undefined) return (await volumes.read(place.volume)).content(place.path);
  return instance.files.find((one) => one.path === path)?.content;
}

function placeOf(
  { state }: Instance,
  path: string,
): { readonly volume: string; readonly path: string } | undefined {
  const volume = state.volumes.find(({ mount }) => path.startsWith(`${mount}/`));
  return volume && { volume: volume.key, path: path.slice(volume.mount.length + 1) };
}
