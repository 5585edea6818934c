import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { Agent } from 'node:http';
import { Duplex } from 'node:stream';
import { systemCode } from '../../system-code.ts';

const mostServed = 100;
const listenersOfEach = 4;

/** A Docker Engine behind an SSH server. */
export type SshPlace = { readonly host: string; readonly port?: number; readonly user?: string };

/**
 * Carries requests to a Docker Engine by the system's own `ssh`, as the `docker` program does: keys, known hosts and settings are
 * those of the user, and an unknown host is refused. Nothing is asked, for nobody may be there to answer.
 */
export class SshAgent extends Agent {
  readonly #arguments: readonly string[];

  constructor({ host, port, user }: SshPlace) {
    super({ keepAlive: true });
    this.#arguments = [
      ...['-T', '-o', 'BatchMode=yes', '-o', 'ConnectTimeout=30'],
      ...(user === undefined ? [] : ['-l', user]),
      ...(port === undefined ? [] : ['-p', String(port)]),
      ...['--', host, 'docker', 'system', 'dial-stdio'],
    ];
  }

  override createConnection(): Duplex {
    // a session of its own: a Ctrl-C in the terminal is for us alone
    return new ProgramStream(
      spawn('ssh', this.#arguments, { stdio: ['pipe', 'pipe', 'pipe'], detached: true }),
    );
  }

  // what Node does in these two takes a socket of the system
  override keepSocketAlive(stream: Duplex): boolean {
    return stream instanceof ProgramStream && stream.servesOnceMore();
  }

  override reuseSocket(): void {}
}

/** A program's standard input and output as one stream, which ends or breaks as the program does, and says why. */
class ProgramStream extends Duplex {
  readonly #program: ChildProcessWithoutNullStreams;
  #served = 0;

  constructor(program: ChildProcessWithoutNullStreams) {
    super();
    this.setMaxListeners(mostServed * listenersOfEach); // Node leaves some behind with each request
    this.#program = program;
    let said = '';
    program.stderr.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-1000);
    });
    program.stdout.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) program.stdout.pause();
    });
    program.stdin.on('error', () => undefined); // its end tells
    program.on('error', (error) =>
      this.destroy(systemCode(error) === 'ENOENT' ? new Error('ssh is not installed') : error),
    );
    program.on('close', (code) => {
      if (code === 0) this.push(null);
      else this.destroy(new Error(said.trim().split('\n').at(-1) || `ssh ended with ${code}`));
    });
  }

  /** Counts a request that was served. @returns false when they were enough */
  servesOnceMore(): boolean {
    this.#served += 1;
    return this.#served < mostServed;
  }

  override _read(): void {
    this.#program.stdout.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#program.stdin.write(chunk, () => done());
  }

  override _final(done: () => void): void {
    this.#program.stdin.end(() => done());
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#program.kill();
    done(error);
  }
}
