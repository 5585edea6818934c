import type { Command } from 'commander';
import type { RunVerb } from '../host.ts';
import { example } from '../options.ts';
import { formatTable } from '../output/table.ts';
import { visibleLine } from '../output/visible.ts';

/** Adds `events`: what was done, from the journal. */
export function addEvents(program: Command, run: RunVerb): void {
  program
    .command('events')
    .summary('show what was done, oldest first')
    .description('Shows what operations did to the deployments, or to one of them, oldest first.')
    .argument('[name]', 'a deployment')
    .addHelpText('after', example('events guestbook'))
    .action((name: string | undefined) =>
      run('reads', async (host) => {
        const events = await (await host.engine()).events(name);
        if (host.isJson) host.printJson({ events });
        else if (events.length === 0) host.print('no events');
        else
          host.print(
            formatTable(
              events.map((event) => [
                new Date(event.at).toISOString(),
                visibleLine(event.deployment),
                visibleLine(event.operation),
                event.kind === 'operation' ? 'operation' : `${event.kind} ${visibleLine(event.key)}`,
                visibleLine(event.what),
              ]),
            ),
          );
        return 0;
      }),
    );
}
