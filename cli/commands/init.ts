import { join } from 'node:path';
import { Argument, type Command } from 'commander';
import { type TemplateKind, templateKinds } from '../../engine/model/template-kind.ts';
import type { RunVerb } from '../host.ts';
import { example } from '../options.ts';
import { visibleLine } from '../output/visible.ts';

/** Adds `init`: a description of one's own begins with a commented one that works. */
export function addInit(program: Command, run: RunVerb): void {
  program
    .command('init')
    .summary('begin an application, appliance or assembly of your own')
    .description(
      'Begins a description of your own: a commented one that checks clean and runs, to be changed from there.',
    )
    .addArgument(new Argument('<kind>', 'what it describes').choices(templateKinds))
    .argument('<name>', 'its name')
    .argument('[folder]', 'where; made when absent (default: ./NAME)')
    .addHelpText(
      'after',
      example('init application shop', 'init appliance cache shop/appliances/cache', 'check shop'),
    )
    .action((kind: TemplateKind, name: string, folder: string | undefined) =>
      run('reads', async (host) => {
        const engine = await host.engine();
        const written = await engine.init(kind, name, folder ?? name);
        if (host.isJson) host.printJson(written);
        else {
          const shown = visibleLine(folder ?? name);
          const next = {
            application: `up ${shown} --as ${name}`,
            appliance: `check ${shown}`,
            assembly: `check ${shown}`,
          };
          host.print(
            [
              ...written.files.map((file) => join(shown, file)),
              `next:\n  ${host.program} ${next[kind]}`,
            ].join('\n'),
          );
        }
        return 0;
      }),
    );
}
