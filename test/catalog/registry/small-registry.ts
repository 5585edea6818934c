import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { ExecutionContext } from 'ava';

/** Does something else than a good registry would. @returns true when the request was seen to */
export type Mischief = (
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
) => boolean | Promise<boolean>;

/** A registry in memory, with what the distribution API asks of one. */
export type SmallRegistry = {
  readonly host: string;
  /** `METHOD path` of every request, without the query. */
  readonly requests: string[];
  /** By digest; all repositories share them. */
  readonly blobs: Map<string, Buffer>;
  /** By `repository:tag` and `repository@digest`. */
  readonly manifests: Map<string, { readonly type: string; readonly bytes: Buffer }>;
  /** Bytes of blobs that were uploaded. */
  received: number;
  mischief: Mischief | undefined;
};

/** Starts a registry on a free port of the loopback; it ends with the test. */
export async function startSmallRegistry(t: ExecutionContext): Promise<SmallRegistry> {
  const uploads = new Map<string, Buffer[]>();
  const server = createServer((request, response) => {
    void serve(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const registry: SmallRegistry = {
    host: `127.0.0.1:${port}`,
    requests: [],
    blobs: new Map(),
    manifests: new Map(),
    received: 0,
    mischief: undefined,
  };

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', `http://${registry.host}`);
    registry.requests.push(`${request.method} ${url.pathname}`);
    if (await registry.mischief?.(request, response, url.pathname)) return;
    const [, repository = '', kind = '', name = ''] =
      /^\/v2\/(.+)\/(blobs\/uploads|blobs|manifests|tags)\/(.*)$/.exec(url.pathname) ?? [];
    const answer = (
      status: number,
      headers: Record<string, string | number> = {},
      body?: Buffer | string,
    ): void => {
      response.writeHead(status, headers);
      response.end(request.method === 'HEAD' ? undefined : body);
    };
    const upload = (status: number, id: string): void => {
      const length = sizeOf(uploads.get(id) ?? []);
      const headers = {
        location: `/v2/${repository}/blobs/uploads/${id}`,
        range: `0-${Math.max(0, length - 1)}`,
      };
      answer(status, headers);
    };
    switch (`${request.method} ${kind}`) {
      case 'POST blobs/uploads': {
        if (registry.blobs.has(url.searchParams.get('mount') ?? '')) return answer(201);
        const id = randomUUID();
        uploads.set(id, []);
        return upload(202, id);
      }
      case 'GET blobs/uploads':
        return uploads.has(name) ? upload(204, name) : answer(404);
      case 'PATCH blobs/uploads': {
        const before = uploads.get(name);
        if (before === undefined) return answer(404);
        if (!request.headers['content-range']?.startsWith(`${sizeOf(before)}-`)) return answer(416);
        for await (const chunk of request) {
          before.push(chunk);
          registry.received += chunk.length;
        }
        return upload(202, name);
      }
      case 'PUT blobs/uploads': {
        const chunks = [...(uploads.get(name) ?? [])];
        for await (const chunk of request) {
          chunks.push(chunk);
          registry.received += chunk.length;
        }
        const bytes = Buffer.concat(chunks);
        const digest = url.searchParams.get('digest') ?? '';
        if (digest !== digestOf(bytes)) return answer(400);
        uploads.delete(name);
        registry.blobs.set(digest, bytes);
        return answer(201, { 'docker-content-digest': digest });
      }
      case 'HEAD blobs':
      case 'GET blobs': {
        const bytes = registry.blobs.get(name);
        if (bytes === undefined) return answer(404);
        const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? -1);
        if (from < 0) return answer(200, { 'content-length': bytes.length }, bytes);
        const headers = { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` };
        return answer(206, headers, bytes.subarray(from));
      }
      case 'PUT manifests': {
        const chunks: Buffer[] = [];
        for await (const chunk of request) chunks.push(chunk);
        const bytes = Buffer.concat(chunks);
        const { config, layers = [] } = JSON.parse(bytes.toString());
        const named: { readonly digest: string }[] = config === undefined ? [] : [config, ...layers];
        if (!named.every(({ digest }) => registry.blobs.has(digest))) return answer(404);
        const stored = { type: request.headers['content-type'] ?? '', bytes };
        registry.manifests.set(`${repository}@${digestOf(bytes)}`, stored);
        if (!name.startsWith('sha256:')) registry.manifests.set(`${repository}:${name}`, stored);
        return answer(201, { 'docker-content-digest': digestOf(bytes) });
      }
      case 'GET manifests': {
        const found = registry.manifests.get(`${repository}${name.startsWith('sha256:') ? '@' : ':'}${name}`);
        if (found === undefined) return answer(404);
        return answer(
          200,
          { 'content-type': found.type, 'docker-content-digest': digestOf(found.bytes) },
          found.bytes,
        );
      }
      case 'GET tags': {
        const start = `${repository}:`;
        const tags = [...registry.manifests.keys()]
          .filter((key) => key.startsWith(start))
          .map((key) => key.slice(start.length));
        return answer(tags.length === 0 ? 404 : 200, {}, JSON.stringify({ name: repository, tags }));
      }
      default:
        return answer(404);
    }
  };
  return registry;
}

/** Gives the digest of bytes. */
export function digestOf(bytes: Uint8Array): `sha256:${string}` {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function sizeOf(chunks: readonly Buffer[]): number {
  return chunks.reduce((sum, chunk) => sum + chunk.length, 0);
}
