import type { Command } from 'commander';
import type { RunVerb } from '../host.ts';
import { example } from '../options.ts';
import { createLogWriter } from '../output/log-writer.ts';

/** Adds `logs`: what instances wrote to their console. */
export function addLogs(program: Command, run: RunVerb): void {
  program
    .command('logs')
    .summary('show what instances wrote')
    .description("Shows the log of one instance, or of all of them, each line then with the instance's name.")
    .argument('<name>', 'a deployment')
    .argument(
      '[instance]',
      'one of its instances, such as web.1, or a door that leads out, such as out.world',
    )
    .option('-f, --follow', 'go on until Ctrl-C')
    .addHelpText('after', example('logs guestbook', 'logs guestbook web.1 --follow'))
    .action((name: string, instance: string | undefined, options: { follow?: true }) =>
      run(options.follow ? 'follows' : 'reads', async (host) => {
        const engine = await host.engine();
        const writer = createLogWriter(host, instance === undefined);
        const chunks = engine.logs(name, {
          ...(instance !== undefined && { instance }),
          follow: options.follow === true,
          signal: host.signal,
        });
        try {
          for await (const chunk of chunks) await writer.write(chunk.instance, chunk.bytes);
        } catch (thrown) {
          // Whoever follows ends it by Ctrl-C: that is no failure.
          if (!host.signal.aborted) throw thrown;
        }
        await writer.end();
        return 0;
      }),
    );
}
