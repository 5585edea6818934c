import { userInfo } from 'node:os';
import type { Engine } from '../engine/index.ts';
import type { CatalogOptions } from './catalogs.ts';
import { reportFailure } from './failure.ts';
import type { Host, RunVerb } from './host.ts';
import { watchInterrupts } from './interrupt.ts';
import { askPassphrase } from './output/ask-passphrase.ts';
import { reportWarnings } from './output/reporter.ts';
import { chooseStyle } from './output/style.ts';
import type { OutputWatch } from './output-watch.ts';
import { readSettings, type Settings } from './settings.ts';

/** What the command line says for every verb. */
export type CommonOptions = { readonly json?: true; readonly home?: string };

/** Makes the function that runs a verb's work in this process: signals, a closed pipe, failures and the exit code. */
export function createRunner(
  process: NodeJS.Process,
  output: OutputWatch,
  readOptions: () => CommonOptions,
): RunVerb {
  return async (kind, work) => {
    const { stdin, stdout, stderr, env } = process;
    const options = readOptions();
    const isJson = options.json === true;
    const { TERM: terminalType } = env;
    const isTerminal = stdout.isTTY === true && terminalType !== 'dumb' && !isJson;
    const hasTerminal = [stdin, stdout, stderr].some((stream) => stream.isTTY === true);
    const interrupts = watchInterrupts(process, kind, { hasTerminal });
    let opened: Promise<Engine> | undefined;
    output.goesOnWithout = kind === 'changes';
    const settings = (): Settings => settingsOf(process, options.home);
    const context = (trust: CatalogOptions) => ({
      environment: env,
      options: trust,
      signal: interrupts.signal,
      askPassphrase: () => askPassphrase(host),
    });
    const host: Host = {
      stdin,
      stdout,
      stderr,
      isTerminal,
      isJson,
      style: chooseStyle(env, isTerminal),
      program: programName(env),
      environment: env,
      folder: process.cwd(),
      signal: interrupts.signal,
      engine: (trust = {}) => {
        opened ??= import('./compose.ts').then(({ composeEngine }) =>
          composeEngine(settings(), context(trust)),
        );
        return opened;
      },
      bundles: async (trust = {}) =>
        (await import('./compose.ts')).composeBundles(settings(), trust, reportWarnings(host)),
      catalogs: async (trust = {}) => (await import('./compose.ts')).openCatalogs(settings(), context(trust)),
      print: (text) => void (output.isOpen && stdout.write(`${text}\n`)),
      printJson: (value) => void (output.isOpen && stdout.write(`${JSON.stringify(value)}\n`)),
      warn: (text) => void stderr.write(`${text}\n`),
    };
    const fail = (thrown: unknown): Promise<number> =>
      reportFailure(thrown, { ...host, style: chooseStyle(env, stderr.isTTY === true) });
    let exitCode = await work(host).catch(fail);
    if (output.failure && exitCode === 0) exitCode = await fail(output.failure);
    await (await opened?.catch(() => undefined))?.close();
    interrupts.end();
    // Whatever is still open, such as a standard input that nobody closes, must not hold the process.
    if (output.isOpen) stdout.write('', () => process.exit(exitCode));
    else process.exit(exitCode);
  };
}

/** What to type to run this program again as it was run. */
function programName(environment: NodeJS.ProcessEnv): string {
  const name = environment['npm_command'] === undefined ? 'sheaf' : 'npx sheaf';
  return environment['SUDO_USER'] === undefined ? name : `sudo ${name}`;
}

function settingsOf(process: NodeJS.Process, homeOption: string | undefined): Settings {
  const { uid, homedir } = userInfo();
  return readSettings(process.env, { id: uid, home: process.env['HOME'] || homedir }, homeOption);
}
