import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';

// Servers of the outer world: HTTP on 80 and 8080, TLS on 443. They tell by which name they were asked.

const [key = '', certificate = ''] = process.argv.slice(2);

function answer(request: IncomingMessage, response: ServerResponse): void {
  const { socket } = request;
  const name = 'servername' in socket ? String(socket.servername) : request.headers.host;
  response.end(`${name} was asked for ${request.url}\n`);
}

const secure = createTlsServer({ key: readFileSync(key), cert: readFileSync(certificate) }, answer);
const servers = [
  { server: createServer(answer), port: 80 },
  { server: createServer(answer), port: 8080 },
  { server: secure, port: 443 },
];
for (const { server, port } of servers)
  await new Promise<void>((resolve) => {
    server.listen(port, '0.0.0.0', resolve);
  });
console.log('listens');
