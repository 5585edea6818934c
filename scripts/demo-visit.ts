import { randomUUID } from 'node:crypto';
import { text } from 'node:stream/consumers';
import type { DeploymentStatus } from '../engine/model/status.ts';

// Writes an entry into the guest book whose `sheaf status NAME --json` comes on standard input, and reads it back.

const attempts = 10;
const status: DeploymentStatus = JSON.parse(await text(process.stdin));
const url = status.endpoints[0]?.url;
if (url === undefined) fail(`${status.name} has no endpoint`);
const message = `The first light of ${randomUUID()}`;

const written = await ask(url, {
  method: 'POST',
  body: new URLSearchParams({ name: 'Sheaf', message }),
  redirect: 'manual',
});
if (written.status !== 303) fail(`writing was answered with ${written.status}: ${await written.text()}`);
const page = await ask(url, {});
if (!(await page.text()).includes(message)) fail(`the entry is not on the page that ${url} gives`);

console.log(`\nAn entry was written through the gateway and read back: "${message}"`);
console.log(`(served by ${page.headers.get('x-served-by') ?? 'an unknown instance'})\n`);
console.log(`Open it: ${url}`);

/** Asks again when the connection fails or the answer is that the service is not there yet: 502, 503, 504. */
async function ask(address: string, request: RequestInit, attempt = 1): Promise<Response> {
  const answer = await fetch(address, { ...request, signal: AbortSignal.timeout(20_000) }).catch(
    (thrown: unknown) => thrown,
  );
  if (answer instanceof Response && ![502, 503, 504].includes(answer.status)) return answer;
  if (attempt === attempts)
    fail(`${address} does not serve: ${answer instanceof Response ? answer.status : String(answer)}`);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  return await ask(address, request, attempt + 1);
}

function fail(why: string): never {
  console.error(`demo: ${why}`);
  process.exit(1);
}
