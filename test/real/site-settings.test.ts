import test from 'ava';
import type { Page } from './support/box-network.ts';
import { type BoxWorld, openBoxWorld } from './support/box-world.ts';

// What WordPress and MariaDB do when the deployment's settings change, or a machine dies, in namespaces instead of VMs. The
// tests build on each other.

let world: BoxWorld;
const host = '127.0.0.1:8080';

test.before(async () => {
  world = await openBoxWorld('applications/wordpress');
});

test.after.always(async () => {
  await world?.close();
});

test.serial('wordpress installs itself on an empty database, at the address of the endpoint', async (t) => {
  t.timeout(600_000);
  for (const instance of ['db.1', 'web.1']) await (await world.start(instance)).healthy();

  const page = await ask('/');
  const moved = await ask('/?p=1');

  t.is(page.status, 200);
  t.true(page.body.includes('<title>A WordPress site</title>'));
  t.regex(moved.headers['location'] ?? '', new RegExp(`^http://${host}/\\d{4}/\\d\\d/\\d\\d/hello-world/$`));
  t.notRegex(await world.box('web.1').log(), /Warning|Fatal|crit/);
});

test.serial(
  'what visitors bring is not run, and nothing that would install or configure is there',
  async (t) => {
    const uploads = '/var/lib/wordpress/wp-content/uploads';
    await inWeb(`echo '<?php echo 6*7;' >${uploads}/evil.php && cp ${uploads}/evil.php ${uploads}/evil.PHP5 &&
    cp ${uploads}/evil.php ${uploads}/evil.txt`);
    const statusOf = async (path: string): Promise<number> => (await ask(path)).status;

    t.is(await statusOf('/wp-content/uploads/evil.php'), 404);
    t.is(await statusOf('/wp-content/uploads/evil.PHP5'), 404);
    t.is(await statusOf('/wp-content/uploads/evil.txt/x.php'), 404);
    t.is((await ask('/wp-content/uploads/evil.txt')).headers['x-content-type-options'], 'nosniff');
    t.is(await statusOf('/wp-admin/install.php'), 404);
    t.is(await statusOf('/wp-admin/setup-config.php'), 404);
    t.is(await statusOf('/wp-includes/ms-files.php'), 404);
    t.is(await statusOf('/xmlrpc.php'), 403);
    t.is(await statusOf('/.well-known/../.sheaf/init'), 404);
  },
);

test.serial('another password of the administrator and another title are taken over', async (t) => {
  await world.change('web.1', { secret: 'another-one-2', properties: { title: 'Second' } });
  await world.change('db.1', { secret: 'another-one-2' });

  const page = await until(
    () => ask('/'),
    ({ body }) => body.includes('<title>Second</title>'),
  );
  const login = await logIn('another-one-2');

  t.is(page.status, 200);
  t.is(login.status, 302);
  t.regex(login.headers['location'] ?? '', /\/wp-admin\/$/);
  t.is((await logIn('pass\'word"\\')).status, 200);
});

test.serial(
  'a title that was changed in WordPress stays when the deployment changes something else',
  async (t) => {
    await wordpress("update_option('blogname', 'Third');");

    await world.change('web.1', {
      secret: 'another-one-2',
      properties: { title: 'Second', isIndexed: false },
    });
    const page = await until(
      () => ask('/'),
      ({ body }) => body.includes('noindex'),
    );

    t.true(page.body.includes('<title>Third</title>'));
  },
);

test.serial('another address is written wherever the old one was, and nowhere else', async (t) => {
  const old = `http://${host}`;
  await wordpress(`
    wp_update_post(wp_slash(['ID' => 1, 'post_content' => '<a href="${old}/a">a</a> ${old}80/b <!-- {"u":"http:\\\\/\\\\/${host}\\\\/c"} -->']));
    update_option('kept_list', ['deep' => ['${old}/d', 5], 'length' => 'ü ${old}']);
    update_option('kept_text', serialize(['${old}/e']));`);

  await world.change('web.1', {
    secret: 'another-one-2',
    properties: { title: 'Fourth', url: 'https://bees.example/' },
  });
  // The settings count from the first request on; the texts follow, all at one moment.
  await until(
    () => wordpress("echo get_option('sheaf_applied');"),
    (applied) => applied.includes('bees.example'),
  );
  const kept =
    await wordpress(`echo json_encode([get_post(1)->post_content, get_option('kept_list'), get_option('kept_text'),
    get_option('home'), str_starts_with(get_post(1)->guid, '${old}')], JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE);`);

  t.deepEqual(JSON.parse(kept), [
    `<a href="https://bees.example/a">a</a> ${old}80/b <!-- {"u":"https:\\/\\/bees.example\\/c"} -->`,
    { deep: ['https://bees.example/d', 5], length: 'ü https://bees.example' },
    'a:1:{i:0;s:22:"https://bees.example/e";}',
    'https://bees.example',
    true,
  ]);
});

test.serial('mariadb stands still between quiesce and resume, and the site reads on', async (t) => {
  const hook = async (name: string): Promise<number | null> =>
    (await world.box('db.1').run(`/usr/lib/sheaf/mariadb/${name}`)).exitCode;
  const write = "var_dump(update_option('moment', microtime()));";

  const quiesced = await hook('quiesce');
  const page = await ask('/', 'bees.example');
  const refused = await wordpress(write);
  const resumed = [await hook('resume'), await hook('resume')];

  t.is(quiesced, 0);
  t.is(page.status, 200);
  t.regex(refused, /bool\(false\)/);
  t.deepEqual(resumed, [0, 0]);
  t.regex(await wordpress(write), /bool\(true\)/);
});

test.serial('mariadb lets in the wired user with the password alone, and root at its socket', async (t) => {
  const as = (...words: readonly string[]) =>
    world
      .box('db.1')
      .run('/usr/bin/mariadb', '--no-defaults', '--connect-timeout=3', ...words, '-e', 'select 1');
  const state = await world.box('db.1').run('/bin/sh', '-c', 'hostname -I; ss -ltn');

  const root = await as('--socket=/run/mysqld/mysqld.sock');
  const remote = await as('--host=10.83.0.2', '--user=root');
  const nameless = await as('--host=10.83.0.2', '--user=wordpress');
  const known = await as('--host=10.83.0.2', '--user=wordpress', '--password=another-one-2');

  t.is(root.exitCode, 0, state.stdout.toString());
  t.regex(remote.stderr, /Access denied/);
  t.regex(nameless.stderr, /Access denied/);
  t.is(known.exitCode, 0, known.stderr);
});

test.serial('both machines lose power, and the site is as it was', async (t) => {
  t.timeout(600_000);
  const settings = { secret: 'another-one-2', properties: { title: 'Fourth', url: 'https://bees.example/' } };
  await world.box('db.1').kill();
  await world.box('web.1').kill();

  await (await world.start('db.1', settings)).healthy();
  await (await world.start('web.1', settings)).healthy();
  const page = await ask('/', 'bees.example');

  t.true(page.body.includes('<title>Fourth</title>'));
  t.notRegex(await world.box('db.1').log(), /another-one-2|pass'word|\[ERROR\]/);
  t.notRegex(await world.box('web.1').log(), /another-one-2|pass'word/);
});

async function ask(path: string, asked = host): Promise<Page> {
  return await world.ask('web.1', path, { headers: { host: asked } });
}

async function logIn(password: string): Promise<Page> {
  const form = { log: 'admin', pwd: password, 'wp-submit': 'Log In', testcookie: '1' };
  const headers = { host, cookie: 'wordpress_test_cookie=WP%20Cookie%20check' };
  return await world.ask('web.1', '/wp-login.php', { form, headers });
}

async function inWeb(script: string): Promise<string> {
  const { exitCode, stdout, stderr } = await world.box('web.1').run('/bin/sh', '-ec', script);
  if (exitCode !== 0) throw new Error(stdout.toString() + stderr);
  return stdout.toString();
}

/** Runs PHP inside of WordPress, as its plugins do. */
async function wordpress(program: string): Promise<string> {
  const loaded = `$_SERVER += ['HTTP_HOST' => 'x', 'REQUEST_URI' => '/']; require '/usr/share/wordpress/wp-load.php'; ${program}`;
  const quoted = `'${loaded.replaceAll("'", `'\\''`)}'`;
  return await inWeb(`setpriv --reuid=www-data --regid=www-data --clear-groups php -r ${quoted}`);
}

async function until<T>(question: () => Promise<T>, isExpected: (answer: T) => boolean): Promise<T> {
  let answer = await question();
  for (let tries = 0; tries < 150 && !isExpected(answer); tries++) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    answer = await question();
  }
  return answer;
}
