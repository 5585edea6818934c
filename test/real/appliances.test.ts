import { setTimeout as pause } from 'node:timers/promises';
import anyTest, { type TestFn } from 'ava';
import { askers, type BoxWorld, openBoxWorld } from './support/box-world.ts';

// Each appliance with its own image, files and services under the kit's supervisor, in namespaces instead of VMs. The
// tests build on each other in the order of the guest book's wires.

const test = anyTest.serial as TestFn<BoxWorld>;
const entry = { name: 'Ada <b>', message: 'first & foremost' };

test.before(async (t) => {
  t.timeout(600_000);
  t.context = await openBoxWorld('applications/guestbook');
});

test.after.always(async ({ context }) => {
  await context.close?.();
});

/** Asks again until the answer is as expected; gives the last one. */
async function until<T>(ask: () => Promise<T>, isExpected: (answer: T) => boolean): Promise<T> {
  let answer = await ask();
  for (let tries = 0; tries < 150 && !isExpected(answer); tries++) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    answer = await ask();
  }
  return answer;
}

test('postgresql makes its data on an empty volume and becomes healthy', async (t) => {
  t.timeout(600_000);
  const db = await t.context.start('db.1');

  await db.healthy();

  // a probe may come while it still starts, and is told so
  const complaints = (await db.log()).replaceAll('FATAL:  the database system is starting up', '');
  t.notRegex(complaints, /FATAL|ERROR/);
});

test('postgresql listens on its wire alone and lets nobody in without the password', async (t) => {
  const asking =
    'exec env PGCONNECT_TIMEOUT=3 /usr/lib/postgresql/15/bin/psql -h "$0" -U guestbook -w -c "select 1" guestbook';
  const db = t.context.box('db.1');

  const inside = await db.run('/bin/sh', '-c', asking, '127.0.0.1');
  const owner = await db.run('/bin/sh', '-c', asking, '/run/postgresql');

  t.regex(inside.stderr, /Connection refused/);
  t.regex(owner.stderr, /no pg_hba.conf entry/);
});

test('php serves the guest book: an entry is written and read back', async (t) => {
  t.timeout(600_000);
  const web = await t.context.start('web.1');
  await web.healthy();

  const written = await t.context.ask('web.1', '/', { form: entry });
  const page = await t.context.ask('web.1', '/');

  t.is(written.status, 303);
  t.is(page.status, 200);
  t.true(page.body.includes('first &amp; foremost'));
  t.true(page.body.includes('Ada &lt;b&gt;'));
  t.is(page.headers['x-served-by'], 'web.1');
  t.is((await t.context.ask('web.1', '/style.css')).status, 200);
});

test('php refuses what a form should not hold, and shows nothing of its files', async (t) => {
  const { ask } = t.context;
  const post = async (form: Record<string, string>, headers = {}): Promise<number> =>
    (await ask('web.1', '/', { form, headers })).status;

  t.is(await post({ name: '', message: 'x' }), 422);
  t.is(await post({ name: 'x', message: '\0' }), 422);
  t.is(await post({ name: 'x'.repeat(61), message: 'x' }), 422);
  t.is(await post({ 'name[]': 'x', message: 'x' }), 422);
  t.is(await post(entry, { origin: 'http://elsewhere.example' }), 422);
  t.is(await post(entry, { 'sec-fetch-site': 'cross-site' }), 422);
  t.is((await ask('web.1', '/entries.php')).status, 404);
  t.is((await ask('web.1', '/..%2fentries.php')).status, 400);
  t.is((await ask('web.1', '/.htaccess')).status, 404);
});

test('haproxy spreads requests over all replicas', async (t) => {
  t.timeout(600_000);
  for (const instance of ['web.2', 'lb.1']) {
    const box = await t.context.start(instance);
    await box.healthy();
  }

  const servers = new Set<string>();
  await until(
    async () => servers.add((await t.context.ask('lb.1', '/')).headers['x-served-by'] ?? ''),
    () => servers.has('web.1') && servers.has('web.2'),
  );
  const answers = await Promise.all(Array.from({ length: 10 }, () => t.context.ask('lb.1', '/')));

  const used = new Set(answers.map((page) => page.headers['x-served-by']));
  t.deepEqual([...used].sort(), ['web.1', 'web.2']);
});

test('haproxy leaves out a replica that is gone, and takes one more without a break', async (t) => {
  const { ask, box, change, start } = t.context;
  await box('web.2').kill();

  const answers = await Promise.all(Array.from({ length: 10 }, () => ask('lb.1', '/')));
  await change('lb.1', { out: ['web.1'] });
  const alone = await until(
    () => Promise.all(Array.from({ length: 4 }, () => ask('lb.1', '/'))),
    (pages) => pages.every((page) => page.headers['x-served-by'] === 'web.1'),
  );
  await (await start('web.2')).healthy();
  await change('lb.1', {});
  const both = await until(
    () => Promise.all(Array.from({ length: 8 }, () => ask('lb.1', '/'))),
    (pages) => pages.some((page) => page.headers['x-served-by'] === 'web.2'),
  );

  t.true([...answers, ...alone, ...both].every((page) => page.status === 200));
  t.true(both.some((page) => page.headers['x-served-by'] === 'web.2'));
});

test('gateway forwards its door to what stands behind it, and nothing else', async (t) => {
  t.timeout(600_000);
  const edge = await t.context.start('edge.1');
  await edge.healthy();

  const page = await t.context.ask('edge.1', '/');
  const other = await t.context.ask('edge.1', ':81/');

  t.is(page.status, 200);
  t.true(page.body.includes('first &amp; foremost'));
  t.is(other.status, 0);
});

test('gateway drops who is denied and who is not allowed, from one moment to the next', async (t) => {
  const { ask, change } = t.context;
  const isServed = async (from: string): Promise<boolean> =>
    (await ask('edge.1', '/', { from })).status === 200;

  await change('edge.1', { properties: { deny: [`${askers[1]}/32`] } });
  const denied = await until(
    async () => [await isServed(askers[0]), await isServed(askers[1])],
    ([, second]) => second === false,
  );
  await change('edge.1', { properties: { allow: [askers[1]] } });
  const allowed = await until(
    async () => [await isServed(askers[0]), await isServed(askers[1])],
    ([first]) => first === false,
  );
  await change('edge.1', { properties: { allow: [] } });
  const nobody = await until(
    async () => [await isServed(askers[0]), await isServed(askers[1])],
    ([, second]) => second === false,
  );
  await change('edge.1', {});

  t.deepEqual(denied, [true, false]);
  t.deepEqual(allowed, [false, true]);
  t.deepEqual(nobody, [false, false]);
  t.true(await until(() => isServed(askers[0]), Boolean));
});

test('gateway limits the new connections of one address and leaves the others alone', async (t) => {
  const { ask, change } = t.context;
  await change('edge.1', { properties: { connectionsPerSecond: 1 } });
  const flood = () => Promise.all(Array.from({ length: 12 }, () => ask('edge.1', '/', { from: askers[0] })));

  const pages = await until(flood, (answers) => answers.some((page) => page.status === 0));
  const other = await ask('edge.1', '/', { from: askers[1] });
  await change('edge.1', {});

  t.true(pages.some((page) => page.status === 0));
  t.is(other.status, 200);
});

test('postgresql stands still between quiesce and resume, and its clients wait', async (t) => {
  const { ask, box } = t.context;
  const states = async (): Promise<string> =>
    (await box('db.1').run('/bin/sh', '-c', 'cat /proc/[0-9]*/stat')).stdout
      .toString()
      .split('\n')
      .filter((line) => line.includes('(postgres)'))
      .map((line) => line.split(' ')[2])
      .join('');

  await box('db.1').still('quiesce');
  const still = await states();
  const page = ask('edge.1', '/');
  const first = await Promise.race([page.then(() => 'page'), pause(1000).then(() => 'nothing')]);
  const resumed = await box('db.1').still('resume');

  t.regex(still, /^T{5,}$/);
  t.is(first, 'nothing');
  t.deepEqual(resumed, { held: true });
  t.is((await page).status, 200);
  t.notRegex(await states(), /T/);
});

test('postgresql keeps every entry when its machine loses power', async (t) => {
  const { ask, box, start } = t.context;
  await box('db.1').kill();

  await (await start('db.1')).healthy();
  const page = await until(
    () => ask('edge.1', '/'),
    (answer) => answer.status === 200,
  );

  t.true(page.body.includes('first &amp; foremost'));
});

test('a changed password is set while postgresql runs', async (t) => {
  const { ask, box, change } = t.context;
  const login = `$db = json_decode(file_get_contents('/etc/app.json'), true)['db'];
    new PDO("pgsql:host=db;dbname=$db[name]", $db['user'], $db['password']);`;
  const logIn = () => box('web.1').run('/usr/bin/php', '-r', login);

  for (const instance of ['db.1', 'web.1', 'web.2']) await change(instance, { secret: 'another' });
  const known = await until(logIn, ({ exitCode }) => exitCode === 0);
  // the load balancer may have seen them fail between the two passwords
  const page = await until(
    () => ask('edge.1', '/'),
    ({ status }) => status === 200,
  );
  await change('db.1', { secret: 'a third' });
  const unknown = await until(logIn, ({ exitCode }) => exitCode !== 0);

  t.is(known.exitCode, 0);
  t.regex(unknown.stdout.toString() + unknown.stderr, /password authentication failed/);
  t.is(page.status, 200);
  t.notRegex(await box('db.1').log(), /pass'word|a third|another/);
});
