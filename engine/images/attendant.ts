import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isInstalled } from '../command.ts';
import type { Digest } from '../digest.ts';
import { orDiskFull } from '../disk-full.ts';
import { EngineError } from '../errors.ts';
import type { Blobs, Descriptor, Refs } from '../model/blob.ts';
import type { Report } from '../model/event.ts';
import { openProcessFolder } from '../process-folder.ts';
import { systemCode } from '../system-code.ts';
import { buildKitPrograms, digestSources, programMediaType } from './kit-programs.ts';

/** Where the attendant is looked for. */
export type AttendantPlaces = {
  /** The folder of the kit's Go module. */
  readonly sources: string;
  readonly blobs: Pick<Blobs, 'size' | 'write'>;
  readonly refs: Refs;
};

/** What {@link makeAttendant} works with. */
export type AttendantRequest = AttendantPlaces & {
  /** Where unfinished work lies: a parent as `openProcessFolder` takes it. */
  readonly scratch: string;
  readonly signal: AbortSignal;
  readonly report: Report;
};

/**
 * What a checkout says of its own attendant, in `attendant.json` beside the sources.
 *
 * It lets a server without Go take the program from anywhere: only bytes of this very digest are taken.
 */
export type AttendantPin = {
  /** Of the sources that it was made of; with others it means nothing. */
  readonly sources: Digest;
  readonly program: Digest;
  /** The compiler that gives these bytes. */
  readonly go: string;
};

/** The file of an {@link AttendantPin}, in the folder of the sources. */
export const attendantPinFile = 'attendant.json';

/** Reads what a checkout says of its attendant; undefined when that is nothing, or is said of other sources. */
export async function readAttendantPin(sources: string): Promise<AttendantPin | undefined> {
  let text: string;
  try {
    text = await readFile(join(sources, attendantPinFile), 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  const pin = JSON.parse(text) as AttendantPin; // ours, like the program that reads it
  return pin.sources === (await digestSources(sources)) ? pin : undefined;
}

/**
 * Gives the attendant when it is stored: the program that runs on the host, as root where we are root.
 *
 * It belongs to this installation. The bytes that count are those that the checkout names, however they came here, or
 * those that were compiled here of these sources; what a bundle calls the attendant of its kit is never asked.
 */
export async function findAttendant({
  sources,
  blobs,
  refs,
}: AttendantPlaces): Promise<Descriptor | undefined> {
  const pin = await readAttendantPin(sources);
  for (const digest of [pin?.program, refs.get(await refOf(sources))]) {
    const size = digest && (await blobs.size(digest));
    if (digest && size !== undefined) return { mediaType: programMediaType, digest, size };
  }
  return undefined;
}

/**
 * Compiles the attendant, or finds it stored.
 *
 * @throws EngineError TOOL_MISSING when there is no Go; TOOL_FAILED, DISK_FULL
 */
export async function makeAttendant(request: AttendantRequest): Promise<Descriptor> {
  const stored = await findAttendant(request);
  if (stored !== undefined) return stored;
  const { sources, blobs, refs, scratch, signal, report } = request;
  if (!(await isInstalled('go')))
    throw new EngineError('TOOL_MISSING', 'the attendant, which stands beside machines, is not compiled', {
      hint: 'Install the Debian package golang-go, or use a bundle that this version of Sheaf has packed: such a bundle brings it.',
      details: { tool: 'go', package: 'golang-go' },
    });
  report({ type: 'build', subject: 'attendant', state: 'started', message: 'compiles it' });
  const work = await mkdtemp(join(await openProcessFolder(scratch), 'attendant-'));
  try {
    const { attendant } = await buildKitPrograms(['attendant'], sources, work, signal);
    const digest = await blobs.write(attendant);
    const made = { mediaType: programMediaType, digest, size: attendant.length };
    await rememberAttendant(sources, made, refs);
    report({ type: 'build', subject: 'attendant', state: 'done', message: digest });
    return made;
  } catch (error) {
    throw orDiskFull(error, work);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Remembers which program was compiled of these sources. */
export async function rememberAttendant(
  sources: string,
  { digest }: Pick<Descriptor, 'digest'>,
  refs: Pick<Refs, 'set'>,
): Promise<void> {
  refs.set(await refOf(sources), digest);
}

async function refOf(sources: string): Promise<string> {
  return `attendant/${await digestSources(sources)}`;
}
