import type { Argument, Command, Option } from 'commander';
import { errorTable } from '../engine/errors.ts';
import { verbOf } from './completion/find-candidates.ts';

/**
 * Writes the manual page, as `man` reads it.
 *
 * @param program - with all verbs
 * @returns text in the man(7) macros
 */
export function manualOf(program: Command): string {
  const verbs = program.createHelp().visibleCommands(program);
  return [
    '.\\" Written by scripts/generate-manual.ts.',
    '.TH SHEAF 1 "" "Sheaf" "User commands"',
    section('NAME'),
    'sheaf \\- packs, runs and moves applications made of appliances',
    section('SYNOPSIS'),
    '.B sheaf',
    '[\\fB\\-\\-json\\fR] [\\fB\\-\\-home\\fR \\fIdir\\fR] \\fIverb\\fR ...',
    section('DESCRIPTION'),
    plain(program.description()),
    '.PP',
    plain(
      'An application is described as a graph of prebuilt appliances, joined by typed wires. Sheaf checks the graph before ' +
        'anything runs, and brings it up as a connected group of virtual machines in which nothing passes but what a ' +
        'wire allows.',
    ),
    section('OPTIONS'),
    ...program.createHelp().visibleOptions(program).flatMap(describeOption),
    section('VERBS'),
    ...verbs.filter((verb) => verb.name() !== 'help').flatMap(describeVerb),
    section('EXIT STATUS'),
    ...term('0', 'Done.'),
    ...term('2', plain(errorTable.USAGE_WRONG.meaning)),
    ...Object.entries(errorTable)
      .filter(([code]) => code !== 'USAGE_WRONG')
      .sort(([, a], [, b]) => a.exit - b.exit)
      .flatMap(([code, { exit, meaning }]) => term(String(exit), `${plain(meaning)} (${plain(code)})`)),
    section('ENVIRONMENT'),
    ...term('SHEAF_HOME', 'Folder of the state. \\fB\\-\\-home\\fR goes before it.'),
    ...term(
      'XDG_DATA_HOME',
      'Holds the state in the folder sheaf where SHEAF_HOME is not set; by default ~/.local/share.',
    ),
    ...term('XDG_CONFIG_HOME', 'Holds the key of the secrets in the folder sheaf; by default ~/.config.'),
    ...term('NO_COLOR', 'Leaves colours out.'),
    section('FILES'),
    ...term('application.yaml, appliance.yaml', 'Descriptions; docs/model.md explains them.'),
    ...term('sheaf.lock', 'The versions that were chosen.'),
    '',
  ].join('\n');
}

function describeVerb(verb: Command): readonly string[] {
  const inner = verb
    .createHelp()
    .visibleCommands(verb)
    .filter((command) => command.name() !== 'help');
  if (inner.length > 0) return inner.flatMap(describeVerb);
  const options = verb
    .createHelp()
    .visibleOptions(verb)
    .filter(({ long }) => long !== '--help');
  const head = [`\\fBsheaf ${plain(verbOf(verb))}\\fR`, ...verb.registeredArguments.map(argumentText)];
  return [
    `.SS "${head.join(' ')}"`,
    plain(verb.description()),
    ...verb.registeredArguments
      .filter(({ description }) => description !== '')
      .flatMap((argument) => term(argumentText(argument), plain(sentence(argument.description)))),
    ...options.flatMap(describeOption),
    ...examplesOf(verb),
  ];
}

function describeOption(option: Option): readonly string[] {
  const [, names = '', value] = /^([^<[]*?)\s*(?:[<[](.+)[>\]])?$/.exec(option.flags) ?? [];
  const shown = `\\fB${plain(names)}\\fR${value === undefined ? '' : ` \\fI${plain(value)}\\fR`}`;
  const choices = option.argChoices ? ` One of ${option.argChoices.join(', ')}.` : '';
  return term(shown, plain(`${sentence(option.description)}${choices}`));
}

/** The examples that a verb's help ends with. */
function examplesOf(verb: Command): readonly string[] {
  let help = '';
  verb.configureOutput({ writeOut: (text) => (help += text) });
  verb.outputHelp();
  const examples = help.split(/\nExamples?:\n/)[1]?.trimEnd();
  if (examples === undefined) return [];
  return ['.PP', '.nf', '.RS', ...examples.split('\n').map((line) => plain(line.trim())), '.RE', '.fi'];
}

function argumentText(argument: Argument): string {
  const name = `\\fI${plain(argument.name())}\\fR${argument.variadic ? '...' : ''}`;
  return argument.required ? name : `[${name}]`;
}

function section(title: string): string {
  return `.SH ${title}`;
}

function term(head: string, text: string): readonly string[] {
  return ['.TP', head.startsWith('\\f') || head.startsWith('[') ? head : `.B ${head}`, text];
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`;
}

/** Text that troff takes as it stands. */
function plain(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^([.'])/gm, '\\&$1');
}
