import { spawn } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError } from './errors.ts';

/** The Debian package that brings each tool that Sheaf runs. */
export const toolPackages: Readonly<Record<string, string>> = {
  busybox: 'busybox-static',
  cp: 'coreutils',
  cpio: 'cpio',
  'apt-cache': 'apt',
  'apt-config': 'apt',
  'apt-get': 'apt',
  'dpkg-deb': 'dpkg',
  flock: 'util-linux',
  gzip: 'gzip',
  go: 'golang-go',
  ip: 'iproute2',
  mksquashfs: 'squashfs-tools',
  mmdebstrap: 'mmdebstrap',
  newgidmap: 'uidmap',
  newuidmap: 'uidmap',
  'mkfs.ext4': 'e2fsprogs',
  mount: 'mount',
  nft: 'nftables',
  nsenter: 'util-linux',
  'qemu-img': 'qemu-utils',
  resize2fs: 'e2fsprogs',
  'qemu-system-x86_64': 'qemu-system-x86',
  setpriv: 'util-linux',
  sqfstar: 'squashfs-tools',
  tar: 'tar',
  unshare: 'util-linux',
  zstd: 'zstd',
};

/** How {@link runCommand} runs a program. */
export type CommandOptions = {
  readonly signal?: AbortSignal;
  readonly input?: string | Uint8Array;
  readonly directory?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Milliseconds after which the program is killed; 60,000 when absent. */
  readonly timeoutMs?: number;
  /** Takes each line of the program's output as it comes, for progress. */
  readonly onLine?: (line: string) => void;
};

/** What a program that ended with 0 wrote. */
export type CommandOutput = { readonly stdout: string; readonly stderr: string };

const outputLimit = 16 * 2 ** 20;

/**
 * Runs a program to its end and gives its output as text.
 *
 * The program gets a signal of its own when this process dies (`setpriv --pdeathsig`), so a kill leaves none behind.
 * Arguments are passed as they are; there is no shell.
 *
 * @throws EngineError TOOL_MISSING, TOOL_FAILED with the end of what it wrote, DISK_FULL when it said so,
 *   OPERATION_INTERRUPTED when the signal fired
 */
export async function runCommand(
  tool: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandOutput> {
  const { signal, timeoutMs = 60_000 } = options;
  throwIfStopped(signal, tool);
  return await new Promise((resolve, reject) => {
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', tool, ...args], {
      cwd: options.directory,
      env: { ...process.env, LC_ALL: 'C.UTF-8', PATH: toolPath(), ...options.environment },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true, // a Ctrl-C in the terminal is for us alone; we end the program by our signal
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    let kept = 0;
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      child.kill('SIGKILL');
    }, timeoutMs);
    const stop = (): void => void child.kill('SIGKILL');
    signal?.addEventListener('abort', stop, { once: true });
    const collect = (list: Buffer[]) => (chunk: Buffer) => {
      if (kept < outputLimit) list.push(chunk);
      kept += chunk.length;
      if (options.onLine)
        for (const line of chunk.toString().split(/[\r\n]+/)) if (line) options.onLine(line);
    };
    child.stdout.on('data', collect(stdout));
    child.stderr.on('data', collect(stderr));
    child.stdin.on('error', () => undefined); // a program may end before it has read everything
    child.stdin.end(options.input);
    child.on('error', (cause) => {
      clearTimeout(timer);
      reject(missingTool('setpriv', cause));
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
      const output = { stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() };
      if (code === 0) resolve(output);
      else if (signal?.aborted) reject(interrupted(tool));
      else
        reject(
          failedTool(tool, args, isLate ? `was ended after ${timeoutMs} ms` : `ended with ${code}`, output),
        );
    });
  });
}

/**
 * Makes sure that programs are there, before anything is begun that would need one of them in its middle.
 *
 * @throws EngineError TOOL_MISSING for the first that is not installed; the hint names the packages of all of them
 */
export async function requireTools(tools: readonly string[]): Promise<void> {
  const found = await Promise.all(tools.map(isInstalled));
  const missing = tools.filter((_, index) => !found[index]);
  const [first] = missing;
  if (first === undefined) return;
  const packages = [...new Set(missing.map((tool) => toolPackages[tool] ?? tool))];
  throw new EngineError('TOOL_MISSING', `not installed: ${missing.join(', ')}`, {
    hint: `Install ${packages.length === 1 ? 'the Debian package' : 'the Debian packages'} ${packages.join(' ')}.`,
    details: { tool: first, package: packages[0], tools: missing, packages },
  });
}

/** Tells whether a program is on the search path. */
export async function isInstalled(tool: string): Promise<boolean> {
  for (const folder of toolPath().split(':')) {
    const path = join(folder, tool);
    const isProgram = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isProgram) return true;
  }
  return false;
}

/** Makes the error for a program that is not installed, naming the Debian package that has it. */
export function missingTool(tool: string, cause?: unknown): EngineError {
  const debianPackage = toolPackages[tool] ?? tool;
  return new EngineError('TOOL_MISSING', `the program ${tool} is not installed`, {
    hint: `Install the Debian package ${debianPackage}.`,
    details: { tool, package: debianPackage },
    cause,
  });
}

/**
 * The search path for programs: the system's folders first, then the user's own.
 *
 * Folders of npm packages are left out: npm scripts put them on the path, and they hold programs of the same names
 * (`nft` of @vercel/nft).
 */
export function toolPath(): string {
  const own = (process.env['PATH'] ?? '')
    .split(':')
    .filter((folder) => !folder.endsWith('/node_modules/.bin'));
  return ['/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', ...own].join(':');
}

function throwIfStopped(signal: AbortSignal | undefined, tool: string): void {
  if (signal?.aborted) throw interrupted(tool);
}

function interrupted(tool: string): EngineError {
  return new EngineError('OPERATION_INTERRUPTED', `${tool} was stopped on request`, {
    hint: 'Run the same command again to go on.',
  });
}

function failedTool(tool: string, args: readonly string[], how: string, output: CommandOutput): EngineError {
  // setpriv answers 127 and names the program when it cannot be found
  if (/^setpriv: failed to execute .*No such file/m.test(output.stderr)) return missingTool(tool);
  // so does env, which starts programs in namespaces; what a set-up script lacks is not ours to install
  const [, lacking = ''] = /^env: ‘([^’]+)’: No such file/m.exec(output.stderr) ?? [];
  if (Object.hasOwn(toolPackages, lacking)) return missingTool(lacking);
  const said = (output.stderr.trim() || output.stdout.trim()).split('\n').slice(-5).join('\n');
  const isFull = /No space left on device/i.test(output.stderr);
  return new EngineError(isFull ? 'DISK_FULL' : 'TOOL_FAILED', `${tool} ${how}: ${said}`, {
    details: { tool, args },
    ...(isFull && { hint: 'Free some space and run the same command again.' }),
  });
}
