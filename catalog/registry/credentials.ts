import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError } from '../../engine/errors.ts';
import { systemCode } from '../../engine/system-code.ts';

/** Who somebody is for a registry. */
export type Credential =
  | { readonly kind: 'password'; readonly user: string; readonly password: string }
  /** A refresh token, as some registries' log-ins leave behind. */
  | { readonly kind: 'token'; readonly token: string };

/** Finds what to tell a registry; undefined is nobody in particular. */
export type FindCredential = (host: string, signal: AbortSignal) => Promise<Credential | undefined>;

/** What {@link openCredentials} works with. */
export type CredentialOptions = {
  /** Folder of Docker's `config.json`, which need not exist; absolute. */
  readonly folder: string;
  /** For helper programs: where they are looked for, and what else they may need. */
  readonly environment: Readonly<Record<string, string | undefined>>;
};

type DockerConfig = {
  readonly auths: Readonly<Record<string, unknown>>;
  readonly credHelpers: Readonly<Record<string, unknown>>;
  readonly credsStore: unknown;
};

const helperTimeoutMs = 30_000;
const answerLimit = 64 * 1024;
const configLimit = 2 ** 20;

/**
 * Opens the credentials that `docker login`, `podman login` and their helper programs keep. They are read at each
 * question, so that a new log-in counts at once.
 *
 * @returns a function that throws EngineError CREDENTIALS_UNREADABLE
 * @source Docker's configuration file format and the docker-credential-helpers protocol
 */
export function openCredentials(options: CredentialOptions): FindCredential {
  return async (host, signal) => {
    const file = join(options.folder, 'config.json');
    const config = await readConfig(file);
    if (config === undefined) return undefined;
    const keys = keysOf(host);
    const own = keys.map((key) => config.credHelpers[key]).find((value) => value !== undefined);
    const helper =
      own ??
      (Object.keys(config.credHelpers).length === 0 || config.credsStore ? config.credsStore : undefined);
    if (typeof helper === 'string' && helper !== '') {
      for (const key of keys) {
        const found = await askHelper(helper, key, { ...options, signal });
        if (found !== undefined) return found;
      }
    }
    for (const key of keys) {
      const entry = config.auths[key];
      if (entry !== undefined) return readEntry(entry, file, key);
    }
    return undefined;
  };
}

/** Docker keeps its own registry under a name of old, and people write others with and without a scheme. */
function keysOf(host: string): readonly string[] {
  const isDocker = ['docker.io', 'index.docker.io', 'registry-1.docker.io'].includes(host);
  return isDocker
    ? ['https://index.docker.io/v1/', 'docker.io']
    : [host, `https://${host}`, `https://${host}/`];
}

async function readConfig(file: string): Promise<DockerConfig | undefined> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(cause) ?? '')) return undefined;
    throw unreadable(`${file} cannot be read`, cause);
  });
  if (text === undefined) return undefined;
  if (text.length > configLimit) throw unreadable(`${file} is too large`);
  const value = parseJson(text);
  if (!isRecord(value)) throw unreadable(`${file} is not a JSON object`);
  const member = (name: string): Readonly<Record<string, unknown>> => {
    const found = value[name];
    return isRecord(found) ? found : {};
  };
  return { auths: member('auths'), credHelpers: member('credHelpers'), credsStore: value['credsStore'] };
}

function readEntry(entry: unknown, file: string, key: string): Credential | undefined {
  if (!isRecord(entry)) throw unreadable(`${file} says nothing readable about ${key}`);
  const { identitytoken, auth, username, password } = entry;
  if (typeof identitytoken === 'string' && identitytoken !== '')
    return { kind: 'token', token: identitytoken };
  if (typeof username === 'string' && typeof password === 'string' && username !== '')
    return { kind: 'password', user: username, password };
  if (typeof auth !== 'string' || auth === '') return undefined;
  const text = Buffer.from(auth, 'base64').toString('utf8').replace(/\0+$/, '');
  const at = text.indexOf(':');
  if (at < 1) throw unreadable(`${file} says nothing readable about ${key}`);
  return { kind: 'password', user: text.slice(0, at), password: text.slice(at + 1) };
}

/** Runs `docker-credential-NAME get`, bounded in time and output. What it writes is never shown: it may hold a password. */
async function askHelper(
  name: string,
  key: string,
  { environment, signal }: CredentialOptions & { readonly signal: AbortSignal },
): Promise<Credential | undefined> {
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(name))
    throw unreadable(`${name.slice(0, 80)} is no name of a credential helper`);
  const program = `docker-credential-${name}`;
  const output = await runHelper(program, key, { environment, signal });
  if (/credentials not found/i.test(output.text)) return undefined;
  const answer = output.code === 0 ? parseJson(output.text) : undefined;
  if (!isRecord(answer)) throw unreadable(`the credential helper ${program} failed`);
  const { Username: user, Secret: secret } = answer;
  if (typeof user !== 'string' || typeof secret !== 'string')
    throw unreadable(`the credential helper ${program} failed`);
  return user === '<token>' ? { kind: 'token', token: secret } : { kind: 'password', user, password: secret };
}

async function runHelper(
  program: string,
  key: string,
  { environment, signal }: Pick<CredentialOptions, 'environment'> & { readonly signal: AbortSignal },
): Promise<{ readonly code: number | null; readonly text: string }> {
  return await new Promise((resolve, reject) => {
    // a group of its own, so that what it starts in turn can be ended too
    const child = spawn(program, ['get'], {
      env: environment,
      stdio: ['pipe', 'pipe', 'ignore'],
      detached: true,
    });
    const end = (): void => {
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
      child.stdout.destroy();
    };
    const timer = setTimeout(end, helperTimeoutMs);
    signal.addEventListener('abort', end, { once: true });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      if (text.length > answerLimit) end();
    });
    child.stdin.on('error', () => undefined); // it may end before it has read everything
    child.stdin.end(key);
    const settle = (act: () => void) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      act();
    };
    child.on('error', (cause) =>
      settle(() => reject(unreadable(`the credential helper ${program} cannot be run`, cause))),
    );
    child.on('close', (code) => settle(() => resolve({ code, text })));
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the parser's own message quotes the text, which may hold a password
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function unreadable(message: string, cause?: unknown): EngineError {
  return new EngineError('CREDENTIALS_UNREADABLE', message, {
    hint: 'Log in again with docker, podman or skopeo login, or mend the file.',
    cause,
  });
}
