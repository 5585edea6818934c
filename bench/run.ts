import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

// One after the other, each in a process of its own: their figures are ratios of things measured in one run.
for (const name of process.argv.length > 2
  ? process.argv.slice(2)
  : ['backup', 'check', 'pack', 'publish', 'pull', 'journal', 'up', 'docker']) {
  console.log(`== ${name}`);
  const program = fileURLToPath(new URL(`${name}.ts`, import.meta.url));
  const { status } = spawnSync(process.execPath, [program], { stdio: 'inherit' });
  if (status !== 0) process.exitCode = 1;
}
