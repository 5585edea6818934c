import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { EngineError } from '../engine/errors.ts';
import { addAdopt } from './commands/adopt.ts';
import { addBackup } from './commands/backup.ts';
import { addBuild } from './commands/build.ts';
import { addCheck } from './commands/check.ts';
import { addCompletion } from './commands/completion.ts';
import { addConfirm } from './commands/confirm.ts';
import { addCopy } from './commands/copy.ts';
import { addDoctor } from './commands/doctor.ts';
import { addDown } from './commands/down.ts';
import { addEvents } from './commands/events.ts';
import { addExec } from './commands/exec.ts';
import { addGraph } from './commands/graph.ts';
import { addInit } from './commands/init.ts';
import { addInspect } from './commands/inspect.ts';
import { addKey } from './commands/key.ts';
import { addLock } from './commands/lock.ts';
import { addLogs } from './commands/logs.ts';
import { addMove } from './commands/move.ts';
import { addPack } from './commands/pack.ts';
import { addPlan } from './commands/plan.ts';
import { addPool } from './commands/pool.ts';
import { addPrune } from './commands/prune.ts';
import { addPublish } from './commands/publish.ts';
import { addPull } from './commands/pull.ts';
import { addRepair } from './commands/repair.ts';
import { addRestore } from './commands/restore.ts';
import { addRollback } from './commands/rollback.ts';
import { addSbom } from './commands/sbom.ts';
import { addScale } from './commands/scale.ts';
import { addSearch } from './commands/search.ts';
import { addService } from './commands/service.ts';
import { addSign } from './commands/sign.ts';
import { addState } from './commands/state.ts';
import { addStatus } from './commands/status.ts';
import { addUndo } from './commands/undo.ts';
import { addUp } from './commands/up.ts';
import { addUpgrade } from './commands/upgrade.ts';
import { addVerify } from './commands/verify.ts';
import { addWatch } from './commands/watch.ts';
import { addYank } from './commands/yank.ts';
import { reportFailure } from './failure.ts';
import type { RunVerb } from './host.ts';
import { takeFolder } from './options.ts';
import { chooseStyle } from './output/style.ts';
import { watchOutput } from './output-watch.ts';
import { type CommonOptions, createRunner } from './runner.ts';

/** In the order in which somebody meets them. */
const verbs: readonly ((program: Command, run: RunVerb) => void)[] = [
  addInit,
  addCheck,
  addGraph,
  addLock,
  addBuild,
  addPack,
  addInspect,
  addVerify,
  addSign,
  addKey,
  addPublish,
  addSearch,
  addPull,
  addYank,
  addSbom,
  addPlan,
  addUp,
  addStatus,
  addLogs,
  addExec,
  addEvents,
  addScale,
  addUpgrade,
  addRollback,
  addRepair,
  addWatch,
  addMove,
  addConfirm,
  addUndo,
  addBackup,
  addRestore,
  addCopy,
  addDown,
  addPool,
  addDoctor,
  addAdopt,
  addService,
  addState,
  addPrune,
  addCompletion,
];

/** Reads the command line and runs the verb that it names; ends the process with the contract's exit code. */
export async function runProgram(process: NodeJS.Process): Promise<void> {
  const args = process.argv.slice(2);
  const output = watchOutput(process);
  const program = createProgram((kind, work) => run(kind, work));
  const run = createRunner(process, output, () => program.opts<CommonOptions>());
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown;
    // Help and the version are thrown too, with 0.
    if (thrown.exitCode === 0) return;
    const verbArgs = args.includes('--') ? args.slice(0, args.indexOf('--')) : args;
    process.exitCode = await reportFailure(usageError(thrown), {
      stdout: process.stdout,
      stderr: process.stderr,
      isJson: verbArgs.includes('--json'),
      style: chooseStyle(process.env, process.stderr.isTTY === true),
      folder: process.cwd(),
    });
  }
}

/** Makes the command line with all its verbs, each of which is run by what is given. */
export function createProgram(run: RunVerb): Command {
  const program = new Command('sheaf')
    .description('Packs, runs and moves applications made of appliances, as one unit, with their data.')
    .version(readVersion(), '-V, --version', 'print the version')
    .option('--json', 'write JSON for programs')
    .option(
      '--home <dir>',
      'keep the state there (default: $SHEAF_HOME, else $XDG_DATA_HOME/sheaf)',
      takeFolder,
    )
    .helpOption('-h, --help', 'show this help')
    .helpCommand('help [verb]', 'show the help of a verb')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ outputError: () => undefined })
    .exitOverride()
    .addHelpText('after', '\nStart with: sheaf up applications/guestbook --as guestbook');
  for (const add of verbs) add(program, run);
  return program;
}

function readVersion(): string {
  const manifest: { version: string } = JSON.parse(
    readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
  );
  return manifest.version;
}

/** Turns commander's text, `error: unknown option '--jsn'\n(Did you mean --json?)`, into an error with a hint. */
function usageError(error: CommanderError): EngineError {
  if (error.code === 'commander.help')
    return new EngineError('USAGE_WRONG', 'no verb was given', { hint: 'See "sheaf --help".' });
  const [first = '', suggestion] = error.message.replace(/^error: /, '').split('\n');
  const meant = /^\((.*)\)$/.exec(suggestion ?? '')?.[1];
  return new EngineError('USAGE_WRONG', first, {
    hint: meant ?? 'See "sheaf --help", or "sheaf help VERB".',
  });
}
