import type { Command } from 'commander';
import { EngineError, exitCodeOf } from '../../engine/errors.ts';
import { reportFailure } from '../failure.ts';
import type { RunVerb } from '../host.ts';
import { example } from '../options.ts';
import { openExecOutput } from '../output/exec-output.ts';

/** Adds `exec`: a command in an instance, with its input, output and exit code. */
export function addExec(program: Command, run: RunVerb): void {
  program
    .command('exec')
    .summary('run a command in an instance')
    .description(
      "Runs a command in an instance. Piped input reaches it; its exit code is this program's. " +
        'Failures of Sheaf itself are 120 and above.',
    )
    .argument('<name>', 'a deployment')
    .argument('<instance>', 'one of its instances, such as web.1')
    .argument('<command...>', 'the command, after --')
    .option('--user <user>', "run as this user of the instance's image (default: root)")
    .addHelpText(
      'after',
      example('exec guestbook web.1 -- ps', 'exec guestbook db.1 -- sh -c "cat > /tmp/x" < file'),
    )
    .action((name: string, instance: string, command: readonly string[], options: { user?: string }) =>
      run('follows', async (host) => {
        const output = openExecOutput(host);
        try {
          const engine = await host.engine();
          const exitCode = await engine.exec(name, {
            instance,
            command,
            ...(options.user !== undefined && { user: options.user }),
            // A terminal would need line editing and a window size on the other side; a pipe needs neither.
            ...(!host.stdin.isTTY && { stdin: host.stdin }),
            stdout: output.stdout,
            stderr: output.stderr,
            signal: host.signal,
          });
          await output.end();
          if (host.isJson) host.printJson({ type: 'result', exitCode });
          return exitCode;
        } catch (thrown) {
          await output.end();
          if (host.signal.aborted) return 130;
          await reportFailure(thrown, { ...host });
          return ownExitCode(thrown);
        }
      }),
    );
}

/** Keeps our own failures apart from the guest's: 120 and above. */
function ownExitCode(thrown: unknown): number {
  const code = exitCodeOf(thrown);
  return thrown instanceof EngineError && code >= 120 ? code : exitCodeOf(new EngineError('EXEC_FAILED', ''));
}
