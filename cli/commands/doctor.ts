import type { Command } from 'commander';
import type { RunVerb } from '../host.ts';
import { example } from '../options.ts';
import { formatDiagnoses } from '../output/diagnosis-text.ts';
import { reportWarnings } from '../output/reporter.ts';

/** Adds `doctor`: what this machine has, lacks and can do. */
export function addDoctor(program: Command, run: RunVerb): void {
  program
    .command('doctor')
    .summary('tell what this machine has, lacks and can do')
    .description(
      'Tells what this machine has, lacks and can do, and what to do about it. Changes nothing. Ends with 1 when something ' +
        'does not work at all.',
    )
    .addHelpText('after', example('doctor'))
    .action(() =>
      run('reads', async (host) => {
        const engine = await host.engine();
        const diagnoses = await engine.doctor({ signal: host.signal, report: reportWarnings(host) });
        if (host.isJson) host.printJson({ diagnoses });
        else host.print(formatDiagnoses(diagnoses, host.style));
        return diagnoses.some(({ state }) => state === 'failed') ? 1 : 0;
      }),
    );
}
