import { Argument, type Command } from 'commander';
import { findCandidates, type NameSource } from '../completion/find-candidates.ts';
import { completeVerb, type Shell, shellScript, shells } from '../completion/shell-scripts.ts';
import type { Host, RunVerb } from '../host.ts';
import { visibleLine } from '../output/visible.ts';

/** Adds `completion`, which prints a shell's script, and the hidden verb that the script asks. */
export function addCompletion(program: Command, run: RunVerb): void {
  program
    .command('completion')
    .summary('print the script that completes command lines in a shell')
    .description(
      'Prints the script with which a shell completes our command lines: verbs, options, names of deployments and files.',
    )
    .addArgument(new Argument('<shell>', 'which one').choices(shells))
    .addHelpText(
      'after',
      `
Example:
  $ source <(sheaf completion bash)                                        # this shell, now
  $ sheaf completion bash >~/.local/share/bash-completion/completions/sheaf
  $ sheaf completion zsh >"\${fpath[1]}/_sheaf"
  $ sheaf completion fish >~/.config/fish/completions/sheaf.fish`,
    )
    .action((shell: Shell) =>
      run('reads', async (host) => {
        if (host.isJson) host.printJson({ shell, script: shellScript(shell) });
        else host.print(shellScript(shell).trimEnd());
        return 0;
      }),
    );
  program
    .command(completeVerb, { hidden: true })
    .argument('[words...]')
    .action((words: readonly string[]) => {
      const at = words.indexOf('--home');
      const home = at < 0 ? undefined : words[at + 1];
      if (home !== undefined && home !== '') program.setOptionValue('home', home);
      return run('reads', async (host) => {
        const { candidates, paths } = await findCandidates(program, words, askEngine(host));
        const lines = candidates.map(({ word, meaning }) => `${visibleLine(word)}\t${visibleLine(meaning)}`);
        host.print([...lines, `:${paths}`].join('\n'));
        return 0;
      });
    });
}

function askEngine(host: Host): NameSource {
  return async (kind, deployment) => {
    const engine = await host.engine();
    switch (kind) {
      case 'pool':
        return (await engine.pools()).map((pool) => pool.name);
      case 'appliance':
        return await engine.appliances();
      case 'deployment':
        return (await engine.recorded()).map((recorded) => recorded.name);
      case 'instance':
        return (await engine.recorded()).find(({ name }) => name === deployment)?.instances ?? [];
      default:
        return kind satisfies never;
    }
  };
}
