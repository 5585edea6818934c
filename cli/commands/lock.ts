import type { Command } from 'commander';
import type { LockAnswer } from '../../engine/index.ts';
import type { CatalogOptions } from '../catalogs.ts';
import type { RunVerb } from '../host.ts';
import { collect, example, takeCatalogOptions } from '../options.ts';
import { reportWarnings, startReporter } from '../output/reporter.ts';
import { visibleLine } from '../output/visible.ts';

type LockOptions = { readonly update?: readonly string[]; readonly build?: boolean } & CatalogOptions;

/** Adds `lock`: exact versions, written beside the description. */
export function addLock(program: Command, run: RunVerb): void {
  const command = program
    .command('lock')
    .summary('choose exact versions and write sheaf.lock')
    .description(
      'Chooses an exact version for every appliance, the packages of each image that is stored, and the kit, and writes sheaf.lock beside the description. What is locked is what gets built.',
    )
    .argument('[path]', "the application's folder or file", '.')
    .option(
      '--update <name>',
      'let this appliance move to the newest version and packages; or a suite, or kit; may be repeated',
      collect,
    )
    .option(
      '--build',
      'build what is not stored, so that its packages are known; what is updated is built anew',
    )
    .addHelpText('after', example('lock applications/guestbook', 'lock applications/guestbook --update php'));
  takeCatalogOptions(command).action((path: string, options: LockOptions) =>
    run('changes', async (host) => {
      const request = { update: options.update ?? [], builds: options.build ?? false };
      const engine = await host.engine(options);
      const reporter = request.builds ? await startReporter(host, `lock ${path}`) : undefined;
      const report = reporter?.report ?? reportWarnings(host);
      const result = await engine
        .lock(path, request, { signal: host.signal, report })
        .finally(() => reporter?.end());
      if (host.isJson) host.printJson(request.builds ? { type: 'result', ...result } : result);
      else host.print(linesOf(result).join('\n'));
      return 0;
    }),
  );
}

function linesOf({ file, changed, unpinned }: LockAnswer): readonly string[] {
  return [
    changed.length === 0 ? `${visibleLine(file)} is up to date` : `${visibleLine(file)} written`,
    ...changed.map((name) => `  ${visibleLine(name)}`),
    ...(unpinned.length === 0
      ? []
      : [
          `packages not pinned, because not built here: ${visibleLine(unpinned.join(', '))} (lock --build builds them)`,
        ]),
  ];
}
