import type { ExecRequest } from '../driver.ts';
import type { Thing } from './world.ts';

/**
 * Runs one of the few commands that a pretended guest knows: `cat PATH` of the files laid into it, `echo WORDS`,
 * `cat` of its input, `sh -c 'exit N'`.
 *
 * @returns the exit code, 127 for any other command
 */
export async function runCommandLine(
  instance: Extract<Thing, { kind: 'instance' }>,
  { command, stdin, stdout, stderr }: ExecRequest,
): Promise<number> {
  const [program, ...args] = command;
  if (program === 'echo') {
    stdout.write(`${args.join(' ')}\n`);
    return 0;
  }
  if (program === 'cat' && args.length === 0) {
    for await (const chunk of stdin ?? []) stdout.write(chunk);
    return 0;
  }
  if (program === 'cat') {
    const file = instance.files.find((one) => one.path === args[0]);
    if (file) stdout.write(file.content);
    else stderr.write(`cat: ${args[0]}: No such file or directory\n`);
    return file ? 0 : 1;
  }
  const exit = program === 'sh' && args[0] === '-c' ? /^exit (\d+)$/.exec(args[1] ?? '') : null;
  return exit ? Number(exit[1]) : 127;
}
