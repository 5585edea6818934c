import type { Agent } from 'node:http';
import { Duplex, Readable } from 'node:stream';
import Docker from 'dockerode';
import { EngineError } from '../../errors.ts';
import { systemCode } from '../../system-code.ts';
import { SshAgent, type SshPlace } from './ssh-agent.ts';

/** Where a Docker Engine listens, and what proves both sides to each other. */
export type EngineAddress =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly tls?: TlsKeys }
  | ({ readonly kind: 'ssh' } & SshPlace);

/** Texts in PEM form. */
export type TlsKeys = { readonly ca?: string; readonly cert?: string; readonly key?: string };

/** Labels of an object, by name. */
export type Labels = Readonly<Record<string, string>>;

/** A container as it is listed. */
export type ListedContainer = {
  readonly id: string;
  readonly name: string;
  readonly labels: Labels;
  /** `created`, `running`, `exited` … */
  readonly state: string;
};

/** What is looked at of one container. */
export type InspectedContainer = {
  readonly id: string;
  readonly labels: Labels;
  readonly isRunning: boolean;
  readonly exitCode: number;
  readonly error: string;
  /** Milliseconds since 1970; null when it never did. */
  readonly startedAt: number | null;
  readonly finishedAt: number | null;
  readonly networkMode: string;
};

/** What a Docker Engine says of itself. */
export type EngineFacts = {
  readonly name: string;
  readonly version: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly limitsCpu: boolean;
  readonly limitsMemory: boolean;
  readonly limitsProcesses: boolean;
};

/** A program that was started in a container: its standard input and output as one stream. */
export type Conversation = Duplex;

/** The body of a request, as the Engine's API describes it. */
export type Body = Readonly<Record<string, unknown>>;

const inspectTimeoutMs = 60_000;

/**
 * A Docker Engine, by its API alone. The one door to dockerode.
 *
 * What does not exist is told by undefined; to remove what is gone is no failure.
 *
 * @throws EngineError PROVIDER_UNREACHABLE, ADDRESS_TAKEN, DISK_FULL, TOOL_FAILED from every method
 */
export class EngineApi {
  readonly #docker: Docker;
  readonly #agent: Agent | undefined;

  constructor(address: EngineAddress) {
    this.#agent = address.kind === 'ssh' ? new SshAgent(address) : undefined;
    const options = { ...optionsOf(address), agent: this.#agent };
    this.#docker = new Docker(options);
  }

  /** Lets go of open connections. */
  close(): void {
    this.#agent?.destroy();
  }

  /** Asks what the Engine is. */
  async facts(signal: AbortSignal): Promise<EngineFacts> {
    const said = await told('info', async () => {
      signal.throwIfAborted();
      return await this.#docker.info();
    });
    return {
      name: said.Name,
      version: said.ServerVersion,
      cpus: said.NCPU,
      memoryBytes: said.MemTotal,
      limitsCpu: said.CpuCfsQuota,
      limitsMemory: said.MemoryLimit,
      limitsProcesses: said.PidsLimit,
    };
  }

  /** Lists containers that carry labels, running or not. */
  async containers(labels: readonly string[], signal?: AbortSignal): Promise<readonly ListedContainer[]> {
    const found = await told('list containers', () =>
      this.#docker.listContainers({
        all: true,
        filters: { label: [...labels] },
        ...(signal && { abortSignal: signal }),
      }),
    );
    return found.map((one) => ({
      id: one.Id,
      name: (one.Names[0] ?? '').slice(1),
      labels: one.Labels,
      state: one.State,
    }));
  }

  /** Looks at a container by id or name. */
  async container(name: string): Promise<InspectedContainer | undefined> {
    const said = await orAbsent(() =>
      this.#docker.getContainer(name).inspect({ abortSignal: AbortSignal.timeout(inspectTimeoutMs) }),
    );
    return (
      said && {
        id: said.Id,
        labels: said.Config.Labels ?? {},
        isRunning: said.State.Running,
        exitCode: said.State.ExitCode,
        error: said.State.Error,
        startedAt: timeOf(said.State.StartedAt),
        finishedAt: timeOf(said.State.FinishedAt),
        networkMode: said.HostConfig.NetworkMode ?? '',
      }
    );
  }

  /** Makes a container. @returns its id; of the one that is there when the name is taken */
  async createContainer(name: string, body: Body): Promise<string> {
    const made = await told(`create ${name}`, () => this.#docker.createContainer({ ...body, name }));
    return made.id;
  }

  /** Starts a container; one that runs stays as it is. */
  async start(name: string): Promise<void> {
    await told(`start ${name}`, () => this.#docker.getContainer(name).start(), [304]);
  }

  /** Stops a container in good order, or kills it when the time is over. */
  async stop(name: string, seconds: number): Promise<void> {
    await told(`stop ${name}`, () => this.#docker.getContainer(name).stop({ t: seconds }), [304, 404]);
  }

  /** Removes a container, running or not, with what belongs to it alone. */
  async removeContainer(name: string): Promise<void> {
    await told(
      `remove ${name}`,
      () => this.#docker.getContainer(name).remove({ force: true, v: true }),
      [404, 409],
    );
  }

  /** Unpacks a tar archive into a container's file system. */
  async putFiles(name: string, path: string, archive: Readable): Promise<void> {
    await told(`write into ${name}`, () =>
      this.#docker.getContainer(name).putArchive(archive, { path, noOverwriteDirNonDir: 'true' }),
    );
  }

  /** Packs a path of a container's file system into a tar archive. */
  async getFiles(name: string, path: string): Promise<Readable | undefined> {
    const archive = await orAbsent(() => this.#docker.getContainer(name).getArchive({ path }));
    return archive && Readable.from(archive as AsyncIterable<Uint8Array>);
  }

  /** Starts a program in a running container and connects to its input and output; standard error is dropped. */
  async converse(name: string, command: readonly string[]): Promise<Conversation> {
    const stream = await told(`exec in ${name}`, async () => {
      const program = await this.#docker.getContainer(name).exec({
        Cmd: [...command],
        AttachStdin: true,
        AttachStdout: true,
        AttachStderr: true,
      });
      return await program.start({ hijack: true, stdin: true });
    });
    return conversation(stream);
  }

  /** Connects to the input and output of a container that is made, and starts it; standard error is dropped. */
  async startAttached(name: string): Promise<Conversation> {
    const stream = await told(`attach to ${name}`, () =>
      this.#docker
        .getContainer(name)
        .attach({ stream: true, hijack: true, stdin: true, stdout: true, stderr: true }),
    );
    const attached = conversation(stream);
    try {
      await this.start(name);
    } catch (error) {
      attached.destroy();
      throw error;
    }
    return attached;
  }

  /** Runs a program in a running container to its end. */
  async run(
    name: string,
    command: readonly string[],
  ): Promise<{ readonly exitCode: number; readonly said: string }> {
    return await told(`exec in ${name}`, async () => {
      const program = await this.#docker.getContainer(name).exec({
        Cmd: [...command],
        AttachStdout: true,
        AttachStderr: true,
      });
      const stream = await program.start({ hijack: true, stdin: false });
      const said = await collect(outputOf(stream, [1, 2]));
      const { ExitCode } = await program.inspect();
      return { exitCode: ExitCode ?? -1, said: said.trim() };
    });
  }

  /** Starts a container and collects what it writes until it ends; it may be gone then. */
  async runOnce(name: string): Promise<string> {
    return await told(`start ${name}`, async () => {
      const container = this.#docker.getContainer(name);
      const stream = await container.attach({ stream: true, stdout: true, stderr: true });
      await container.start();
      return (await collect(outputOf(stream, [1, 2]))).trim();
    });
  }

  /** Streams what a container has written, oldest first. */
  async *logs(
    name: string,
    options: { readonly follow: boolean; readonly signal: AbortSignal },
  ): AsyncGenerator<Uint8Array> {
    const common = { stdout: true, stderr: true, abortSignal: options.signal };
    const container = this.#docker.getContainer(name);
    if (!options.follow) {
      const kept = await told(`logs of ${name}`, () => container.logs({ ...common, follow: false }));
      yield* outputOf(Readable.from([kept]), [1, 2]);
      return;
    }
    const stream = await told(`logs of ${name}`, () => container.logs({ ...common, follow: true }));
    try {
      yield* outputOf(stream, [1, 2]);
    } catch (error) {
      if (!options.signal.aborted) throw error;
    } finally {
      (stream as Partial<Readable>).destroy?.();
    }
  }

  /** Lists the names and labels of networks that carry labels. */
  async networks(
    labels: readonly string[],
  ): Promise<readonly { readonly name: string; readonly labels: Labels }[]> {
    const found = await told('list networks', () =>
      this.#docker.listNetworks({ filters: { label: [...labels] } }),
    );
    return found.map((one) => ({ name: one.Name, labels: one.Labels ?? {} }));
  }

  /** Makes a network. */
  async createNetwork(name: string, body: Body): Promise<void> {
    await told(`create network ${name}`, () =>
      this.#docker.createNetwork({ ...body, Name: name, CheckDuplicate: true }),
    );
  }

  /** Joins a container to a network. */
  async connect(network: string, container: string, body: Body): Promise<void> {
    await told(`connect ${container}`, () =>
      this.#docker.getNetwork(network).connect({ Container: container, EndpointConfig: body }),
    );
  }

  /** Removes a network that nobody is in. */
  async removeNetwork(name: string): Promise<void> {
    await told(`remove network ${name}`, () => this.#docker.getNetwork(name).remove(), [404]);
  }

  /** Lists the names and labels of volumes that carry labels. */
  async volumes(
    labels: readonly string[],
  ): Promise<readonly { readonly name: string; readonly labels: Labels }[]> {
    const found = await told('list volumes', () =>
      this.#docker.listVolumes({ filters: JSON.stringify({ label: labels }) as never }),
    );
    return (found.Volumes ?? []).map((one) => ({ name: one.Name, labels: one.Labels ?? {} }));
  }

  /** Makes a volume; one of this name that is there stays. */
  async createVolume(name: string, labels: Labels): Promise<void> {
    await told(`create volume ${name}`, () =>
      this.#docker.createVolume({ Name: name, Driver: 'local', Labels: { ...labels } }),
    );
  }

  /** Removes a volume. */
  async removeVolume(name: string): Promise<void> {
    await told(`remove volume ${name}`, () => this.#docker.getVolume(name).remove(), [404]);
  }

  /** Tells whether an image is there. */
  async hasImage(name: string): Promise<boolean> {
    return (await orAbsent(() => this.#docker.getImage(name).inspect())) !== undefined;
  }

  /** Loads a docker-archive. */
  async loadImage(archive: Readable): Promise<void> {
    await told('load an image', async () => {
      const answer = await this.#docker.loadImage(archive);
      const said = await collect(answer as AsyncIterable<Uint8Array>);
      const failure = /"error":"((?:[^"\\]|\\.)*)"/.exec(said)?.[1];
      if (failure !== undefined)
        throw new EngineError('IMAGE_FAILED', `the Docker Engine refuses an image: ${failure}`);
    });
  }
}

function conversation(stream: NodeJS.ReadWriteStream): Conversation {
  const outputs = Readable.from(outputOf(stream, [1]), { objectMode: false });
  const duplex = Duplex.from({ readable: outputs, writable: stream });
  stream.on('error', () => duplex.destroy());
  duplex.on('error', () => undefined); // reported by the read or write that it breaks
  duplex.on('close', () => (stream as Duplex).destroy());
  return duplex;
}

/** Takes the Engine's frames apart: kind of stream, length, content. */
async function* outputOf(
  stream: NodeJS.ReadableStream,
  wanted: readonly number[],
): AsyncGenerator<Uint8Array> {
  const headBytes = 8;
  let rest: Buffer = Buffer.alloc(0);
  let kind = 0;
  let left = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (;;) {
      if (left === 0) {
        if (rest.length < headBytes) break;
        kind = rest[0] ?? 0;
        left = rest.readUInt32BE(4);
        rest = rest.subarray(headBytes);
      }
      const part = rest.subarray(0, left);
      if (part.length === 0) break;
      left -= part.length;
      rest = rest.subarray(part.length);
      if (wanted.includes(kind)) yield part;
    }
  }
}

async function collect(parts: AsyncIterable<Uint8Array>): Promise<string> {
  const all: Uint8Array[] = [];
  for await (const part of parts) all.push(part);
  return Buffer.concat(all).toString();
}

/** Says everything, for what is not said dockerode would take from the environment. */
function optionsOf(address: EngineAddress): Docker.DockerOptions {
  const common = {
    ...{ host: undefined, port: undefined, socketPath: undefined, protocol: 'http' as const },
    ...{ ca: undefined, cert: undefined, key: undefined, pathPrefix: '/', timeout: 0 },
  };
  switch (address.kind) {
    case 'unix':
      return { ...common, socketPath: address.path };
    case 'tcp': {
      const { host, port, tls } = address;
      return { ...common, host, port, protocol: tls ? 'https' : 'http', ...tls };
    }
    case 'ssh':
      return { ...common, host: 'docker' }; // whose agent knows the way
    default:
      return address satisfies never;
  }
}

function timeOf(text: string): number | null {
  const time = Date.parse(text);
  return time > 0 ? time : null; // of what never was, the Engine says the year 1
}

async function orAbsent<T>(act: () => Promise<T>): Promise<T | undefined> {
  try {
    return await act();
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    throw refused('look', error);
  }
}

async function told<T>(what: string, act: () => Promise<T>, fine: readonly number[] = []): Promise<T> {
  try {
    return await act();
  } catch (error) {
    const status = statusOf(error);
    if (status !== undefined && fine.includes(status)) return undefined as T; // of acts without an answer
    throw refused(what, error);
  }
}

/** Gives the HTTP status with which the Engine refused; undefined for any other failure. */
export function statusOf(error: unknown): number | undefined {
  const cause = error instanceof EngineError ? error.cause : error;
  const status = (cause as { readonly statusCode?: unknown } | undefined)?.statusCode;
  return typeof status === 'number' ? status : undefined;
}

function refused(what: string, error: unknown): EngineError {
  if (error instanceof EngineError) return error;
  if ((error as Error).name === 'AbortError')
    return new EngineError('OPERATION_INTERRUPTED', `${what} was stopped on request`, { cause: error });
  const message = String(
    (error as { json?: { message?: unknown } }).json?.message ?? (error as Error).message,
  );
  const status = statusOf(error);
  if (status === undefined) {
    const code = systemCode(error);
    return new EngineError(
      'PROVIDER_UNREACHABLE',
      `the Docker Engine does not answer: ${code ?? message.slice(0, 200)}`,
      { hint: 'Start it, or name another one with DOCKER_HOST.', cause: error },
    );
  }
  if (/port is already allocated|address already in use/i.test(message))
    return new EngineError('ADDRESS_TAKEN', 'the address is in use on the Docker Engine', { cause: error });
  if (/no space left on device/i.test(message))
    return new EngineError('DISK_FULL', 'the Docker Engine has no space left', {
      hint: 'Free some space there and run the same command again.',
      cause: error,
    });
  return new EngineError('TOOL_FAILED', `the Docker Engine refuses to ${what}: ${message.slice(0, 400)}`, {
    details: { tool: 'docker', status },
    cause: error,
  });
}
