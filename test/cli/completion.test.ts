import { spawnSync } from 'node:child_process';
import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import type { Command } from 'commander';
import { kindOf } from '../../cli/completion/candidate-kind.ts';
import { findCandidates, placeOf, verbOf } from '../../cli/completion/find-candidates.ts';
import { type Shell, shellScript, shells } from '../../cli/completion/shell-scripts.ts';
import { createProgram } from '../../cli/program.ts';
import { root, runCli, temporaryFolder } from './run-cli.ts';

const program = createProgram(async () => undefined);

const names = async (kind: string, deployment?: string): Promise<readonly string[]> =>
  kind === 'instance' ? [`${deployment}-web.1`, `${deployment}-db.1`] : [`a-${kind}`, `b-${kind}`];

const lines: readonly {
  readonly line: string;
  readonly offers: readonly string[];
  readonly paths?: 'files' | 'folders';
}[] = [
  { line: 'stat', offers: ['status', 'state'] },
  { line: 'pool ', offers: ['list', 'show', 'help'] },
  { line: 'pool show ', offers: ['a-pool', 'b-pool'] },
  { line: 'status b', offers: ['b-deployment'] },
  { line: 'logs shop ', offers: ['shop-web.1', 'shop-db.1'] },
  { line: 'logs --follow shop shop-w', offers: ['shop-web.1'] },
  { line: 'logs --home /x shop shop-w', offers: ['shop-web.1'] },
  { line: 'build a-appliance ', offers: ['b-appliance'] },
  { line: 'graph . --format m', offers: ['mermaid'] },
  { line: 'graph . --fo', offers: ['--format'] },
  { line: 'check ', offers: [], paths: 'files' },
  { line: 'check --home ', offers: [], paths: 'folders' },
  { line: 'exec shop shop-web.1 -- --', offers: [] },
  { line: 'help po', offers: ['pool'] },
  { line: 'status one two ', offers: [] },
  { line: 'nonsense ', offers: [] },
];

for (const { line, offers, paths = 'none' } of lines)
  test(`after "sheaf ${line}" the right words are offered`, async (t) => {
    const completion = await findCandidates(program, line.split(' '), names);

    const words = completion.candidates.map(({ word }) => word);
    if (line !== 'nonsense ') t.deepEqual(words, offers);
    else t.true(words.includes('check'));
    t.is(completion.paths, paths);
  });

test('every argument and every option with a value says what may stand there', (t) => {
  const unknown = allCommands(program).flatMap((command) =>
    [
      ...command.registeredArguments,
      ...command.options.filter(({ required, optional }) => required || optional),
    ]
      .filter((place) => !place.argChoices && kindOf(verbOf(command), placeOf(place)) === undefined)
      .map((place) => `${verbOf(command)}: ${placeOf(place)}`),
  );

  t.deepEqual(unknown, []);
});

const asked: Readonly<Record<Shell, { readonly program: string; readonly ask: string }>> = {
  bash: {
    program: 'bash',
    ask: `source "$1"; COMP_LINE="sheaf pool s"; COMP_POINT=12; _sheaf; printf "%s\\n" "\${COMPREPLY[@]}"`,
  },
  zsh: {
    program: 'zsh',
    ask: `compdef() {}; _describe() { print -l "\${(@)candidates%%:*}" }; source "$1"; words=(sheaf pool s); CURRENT=3; _sheaf`,
  },
  fish: { program: 'fish', ask: 'source $argv[2]; complete -C "sheaf pool s" | string split -f1 \\t' },
};

for (const shell of shells)
  test(`${shell} offers what the program answers`, async (t) => {
    const folder = await temporaryFolder(t);
    await symlink(join(root, 'cli/start.js'), join(folder, 'sheaf'));
    const { stdout } = await runCli(['completion', shell]);
    const script = join(folder, 'script');
    await writeFile(script, stdout);

    const run = spawnSync(asked[shell].program, ['-c', asked[shell].ask, shell, script], {
      encoding: 'utf8',
      env: { PATH: `${folder}:${process.env['PATH'] ?? ''}`, HOME: folder },
    });

    t.is(stdout.trimEnd(), shellScript(shell).trimEnd());
    t.is(run.stdout.trim(), 'show', run.stderr);
  });

function allCommands(command: Command): readonly Command[] {
  return [command, ...command.createHelp().visibleCommands(command).flatMap(allCommands)];
}
