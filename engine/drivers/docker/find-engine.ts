import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError } from '../../errors.ts';
import { systemCode } from '../../system-code.ts';
import type { EngineAddress, TlsKeys } from './engine-api.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const usualHost = 'unix:///var/run/docker.sock';

/**
 * Finds the Docker Engine that the usual environment names, as the `docker` program does: DOCKER_HOST with
 * DOCKER_TLS_VERIFY and DOCKER_CERT_PATH, else the context that DOCKER_CONTEXT or `docker context use` chose, else this
 * machine's socket. A certificate is always verified.
 *
 * @throws EngineError INPUT_REFUSED when it names none that can be used; FILE_UNUSABLE
 */
export async function findDockerEngine(environment: Environment, userHome: string): Promise<EngineAddress> {
  const folder = environment['DOCKER_CONFIG'] || join(userHome, '.docker');
  const host = environment['DOCKER_HOST'];
  if (host) {
    const isVerified = Boolean(environment['DOCKER_TLS_VERIFY']);
    const certificates = environment['DOCKER_CERT_PATH'] || (isVerified ? folder : undefined);
    return addressOf('DOCKER_HOST', host, certificates === undefined ? undefined : await tlsIn(certificates));
  }
  const context = environment['DOCKER_CONTEXT'] || (await chosenContext(folder));
  if (!context || context === 'default') return addressOf('the usual socket', usualHost, undefined);
  const name = createHash('sha256').update(context).digest('hex');
  const meta = await readJson(join(folder, 'contexts/meta', name, 'meta.json'));
  const endpoint = member(member(meta, 'Endpoints'), 'docker');
  const contextHost = member(endpoint, 'Host');
  if (typeof contextHost !== 'string' || contextHost === '')
    throw unusable(`there is no docker context ${JSON.stringify(context)}`);
  const tls = await tlsIn(join(folder, 'contexts/tls', name, 'docker'));
  return addressOf(`the docker context ${context}`, contextHost, tls);
}

async function chosenContext(folder: string): Promise<string | undefined> {
  const chosen = member(await readJson(join(folder, 'config.json')), 'currentContext');
  return typeof chosen === 'string' ? chosen : undefined;
}

function addressOf(source: string, text: string, tls: TlsKeys | undefined): EngineAddress {
  const path = /^unix:\/\/(\/.+)$/.exec(text)?.[1];
  if (path !== undefined) return { kind: 'unix', path };
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const kind = url?.protocol.slice(0, -1) ?? '';
  const isBare =
    url !== undefined && url.hostname !== '' && ['', '/'].includes(url.pathname) && !url.password;
  if (!isBare || !['tcp', 'http', 'https', 'ssh'].includes(kind) || url.hostname.startsWith('-'))
    throw unusable(`${source} is ${JSON.stringify(text)}, which names no Docker Engine`);
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const port = url.port === '' ? undefined : Number(url.port);
  if (kind === 'ssh')
    return {
      ...{ kind: 'ssh', host },
      ...(port !== undefined && { port }),
      ...(url.username !== '' && { user: decodeURIComponent(url.username) }),
    };
  const isSecret = kind === 'https' || tls !== undefined;
  return {
    ...{ kind: 'tcp', host, port: port ?? (isSecret ? 2376 : 2375) },
    ...(isSecret && { tls: tls ?? {} }),
  };
}

/** Reads the keys that lie in a folder; undefined when there are none. */
async function tlsIn(folder: string): Promise<TlsKeys | undefined> {
  const [ca, cert, key] = await Promise.all(
    ['ca.pem', 'cert.pem', 'key.pem'].map((name) => readOptional(join(folder, name))),
  );
  if (ca === undefined && cert === undefined && key === undefined) return undefined;
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  };
}

async function readJson(file: string): Promise<unknown> {
  const text = await readOptional(file);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new EngineError('FILE_UNUSABLE', `${file} is no JSON`, { cause, hint: 'Mend or remove it.' });
  }
}

async function readOptional(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined;
}

function unusable(message: string): EngineError {
  return new EngineError('INPUT_REFUSED', message, {
    hint: 'Set DOCKER_HOST to such as unix:///var/run/docker.sock, tcp://HOST:2376 or ssh://USER@HOST.',
  });
}
