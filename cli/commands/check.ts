import type { Command } from 'commander';
import { hasErrors } from '../../engine/problems.ts';
import type { CatalogOptions } from '../catalogs.ts';
import type { RunVerb } from '../host.ts';
import { example, takeCatalogOptions } from '../options.ts';
import { reportWarnings } from '../output/reporter.ts';

/** Adds `check`: every problem of a description, at once. */
export function addCheck(program: Command, run: RunVerb): void {
  const command = program
    .command('check')
    .summary('find every problem of an appliance, assembly or application')
    .description('Finds every problem of an appliance, assembly or application, and changes nothing.')
    .argument('<path>', 'its folder or file, a bundle, or NAME@RANGE in a catalog')
    .addHelpText('after', example('check applications/guestbook'));
  takeCatalogOptions(command).action((path: string, options: CatalogOptions) =>
    run('reads', async (host) => {
      const problems = await (await host.engine({ insecure: 'files', ...options })).check(path, {
        signal: host.signal,
        report: reportWarnings(host),
      });
      const { formatProblems, relativeTo } = await import('../output/problem-text.ts');
      if (host.isJson) host.printJson({ problems: relativeTo(host.folder, problems) });
      else if (problems.length === 0) host.print('no problems');
      else host.print(await formatProblems(problems, { ...host, withSource: host.isTerminal }));
      return hasErrors(problems) ? 1 : 0;
    }),
  );
}
