import type { Argument, Command, Option } from 'commander';
import { type CandidateKind, kindOf } from './candidate-kind.ts';

/** A word that could stand next, with what it means. */
export type Candidate = { readonly word: string; readonly meaning: string };

/** What could stand in the last place of a command line. */
export type Completion = {
  readonly candidates: readonly Candidate[];
  /** What the shell itself shall offer besides. */
  readonly paths: 'files' | 'folders' | 'none';
};

/** Names that only the engine knows; asked for only when they could stand there. */
export type NameSource = (
  kind: Exclude<CandidateKind, 'file' | 'folder' | 'verb' | 'free'>,
  deployment: string | undefined,
) => Promise<readonly string[]>;

const nothing: Completion = { candidates: [], paths: 'none' };

/**
 * Finds what could stand in the last place of a command line.
 *
 * @param program - with all verbs
 * @param words - without the program's name; the last one is the one to complete, and may be empty
 */
export async function findCandidates(
  program: Command,
  words: readonly string[],
  names: NameSource,
): Promise<Completion> {
  const current = words.at(-1) ?? '';
  const { command, given, awaiting, isVerbatim } = follow(program, words.slice(0, -1));
  if (isVerbatim) return nothing;
  const completion = awaiting
    ? await valuesOf(verbOf(command), given, awaiting, names)
    : current.startsWith('-')
      ? { candidates: optionsOf(command), paths: 'none' as const }
      : command.commands.length > 0
        ? verbsOf(command)
        : await argumentOf(command, given, names);
  return {
    ...completion,
    candidates: completion.candidates.filter(({ word }) => word.startsWith(current)),
  };
}

/** A command's words from the program on, without the program's own name: `pool show`. */
export function verbOf(command: Command): string {
  const { parent } = command;
  return parent === null ? '' : `${verbOf(parent)} ${command.name()}`.trim();
}

/** Options of a verb, and those that every verb takes. */
export function allOptions(command: Command): readonly Option[] {
  const help = command.createHelp();
  return [...help.visibleOptions(command), ...help.visibleGlobalOptions(command)];
}

/** An option's name as it is written out: `--home`. */
export function longName(option: Option): string {
  return option.long ?? option.short ?? option.name();
}

type Position = {
  readonly command: Command;
  /** Arguments that stand before the last place. */
  readonly given: readonly string[];
  /** The option whose value comes next. */
  readonly awaiting: Option | undefined;
  /** After `--`, where the words are somebody else's. */
  readonly isVerbatim: boolean;
};

function follow(program: Command, words: readonly string[]): Position {
  let command = program;
  let awaiting: Option | undefined;
  const given: string[] = [];
  for (const word of words) {
    if (awaiting) awaiting = undefined;
    else if (word === '--') return { command, given, awaiting, isVerbatim: true };
    else if (word.startsWith('-')) {
      const option = allOptions(command).find(({ long, short }) => word === long || word === short);
      if (option?.required || option?.optional) awaiting = option;
    } else {
      const next = command.commands.find((candidate) => candidate.name() === word);
      if (next && given.length === 0) command = next;
      else given.push(word);
    }
  }
  return { command, given, awaiting, isVerbatim: false };
}

async function argumentOf(
  command: Command,
  given: readonly string[],
  names: NameSource,
): Promise<Completion> {
  const last = command.registeredArguments.at(-1);
  const argument = command.registeredArguments[given.length] ?? (last?.variadic ? last : undefined);
  if (argument === undefined) return nothing;
  const verb = verbOf(command);
  return kindOf(verb, placeOf(argument)) === 'verb' && command.parent
    ? verbsOf(command.parent)
    : await valuesOf(verb, given, argument, names);
}

async function valuesOf(
  verb: string,
  given: readonly string[],
  place: Argument | Option,
  names: NameSource,
): Promise<Completion> {
  if (place.argChoices)
    return { candidates: place.argChoices.map((word) => ({ word, meaning: '' })), paths: 'none' };
  const kind = kindOf(verb, placeOf(place));
  if (kind === undefined || kind === 'free' || kind === 'verb') return nothing;
  if (kind === 'file') return { candidates: [], paths: 'files' };
  if (kind === 'folder') return { candidates: [], paths: 'folders' };
  const found = await names(kind, given[0]);
  return {
    candidates: found.filter((word) => !given.includes(word)).map((word) => ({ word, meaning: '' })),
    paths: 'none',
  };
}

/** A place as {@link kindOf} takes it. */
export function placeOf(place: Argument | Option): string {
  if (!('flags' in place)) return place.name();
  return `${longName(place)} ${/[<[](.+?)(?:\.\.\.)?[>\]]/.exec(place.flags)?.[1] ?? ''}`;
}

function optionsOf(command: Command): readonly Candidate[] {
  return allOptions(command).map((option) => ({ word: longName(option), meaning: option.description }));
}

function verbsOf(command: Command): Completion {
  const candidates = command.createHelp().visibleCommands(command);
  return {
    candidates: candidates.map((verb) => ({
      word: verb.name(),
      meaning: verb.summary() || verb.description(),
    })),
    paths: 'none',
  };
}
