import { createServer, type Server } from 'node:net';

/**
 * Finds loopback TCP ports on which nothing listens at this moment.
 *
 * @returns `count` different ports; another process may take one at any time
 */
export async function freePorts(count: number): Promise<readonly number[]> {
  // all are held at once, so that no port is found twice
  const servers = await Promise.all(Array.from({ length: count }, listenAnywhere));
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

async function listenAnywhere(): Promise<Server> {
  return await new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ host: '127.0.0.1', port: 0 }, () => resolve(server));
  });
}
