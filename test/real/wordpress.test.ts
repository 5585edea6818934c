import { join } from 'node:path';
import test from 'ava';
import type { Page } from 'playwright-core';
import { freePorts } from '../../engine/free-ports.ts';
import { openBrowser, type TestBrowser } from './support/browser.ts';
import { type ProgramRun, runProgram } from './support/program.ts';
import { checkout } from './support/test-home.ts';

// WordPress as somebody uses it: real machines, a real browser, everything through the gateway. The tests build on each
// other.

/** What WordPress tells of a picture. */
type Media = { readonly media_details: { readonly sizes: Readonly<Record<string, { source_url: string }>> } };

const name = 'wordpress-test';
const title = 'Bees & "books"';
const password = 'only-for-tests-1';
const picture = join(checkout, 'test/fixtures/wordpress/bee.png');

let browser: TestBrowser;
/** Where the site is, without a slash at the end. */
let site: string;
/** The administrator's page, once logged in. */
let admin: Page;
/** The path of the post that was written. */
let post: string;

test.before(async () => {
  await runProgram('down', name, '--delete-data', name);
  browser = await openBrowser();
});

test.after.always(async () => {
  await browser?.close();
  await runProgram('down', name, '--delete-data', name);
});

test.serial(
  'up installs the site; its front page has the title, and a visitor is sent nowhere else',
  async (t) => {
    t.timeout(10 * 60_000);
    site = await bringUp('--set', `title=${title}`, '--set', `adminPassword=${password}`);
    const { page, strayRequests } = await browser.visit(site);

    const answer = await page.goto(site);

    t.is(answer?.status(), 200);
    t.is(await page.title(), title);
    t.true(await page.getByRole('link', { name: 'Hello world!' }).isVisible());
    t.deepEqual(strayRequests, []);
  },
);

test.serial('the administrator logs in with the password that was given', async (t) => {
  const { page } = await browser.visit(site);
  await page.goto(`${site}/wp-login.php`);
  await page.fill('#user_login', 'admin');
  await page.fill('#user_pass', password);

  await page.click('#wp-submit');

  await page.waitForURL('**/wp-admin/');
  t.regex(await page.title(), /Dashboard/);
  admin = page;
});

test.serial('a picture is uploaded, and its smaller sizes are made', async (t) => {
  await admin.goto(`${site}/wp-admin/media-new.php?browser-uploader`);
  await admin.setInputFiles('#async-upload', picture);

  await admin.click('#html-upload');

  await admin.waitForURL('**/upload.php*');
  const [media] = (await (await fetch(`${site}/wp-json/wp/v2/media`)).json()) as readonly Media[];
  const sizes = Object.values(media?.media_details.sizes ?? {});
  t.true(sizes.length >= 3);
  for (const size of sizes) t.is((await fetch(size.source_url)).headers.get('content-type'), 'image/png');
});

test.serial(
  'a post with the picture is written in the editor, and anybody reads it at its own address',
  async (t) => {
    const source = `${site}/wp-content/uploads/${new Date().toISOString().slice(0, 7).replace('-', '/')}/bee.png`;
    await admin.goto(`${site}/wp-admin/post-new.php`);
    await admin.locator('.editor-post-title__input').waitFor();
    await admin.getByRole('dialog').getByRole('button', { name: 'Close' }).click();
    await admin.locator('.editor-post-title__input').fill('About bees');
    await admin.keyboard.press('Enter');
    await admin.keyboard.type('Written through the gateway.');
    await admin.evaluate(`wp.data.dispatch('core/block-editor').insertBlocks(
    wp.blocks.createBlock('core/image', { url: '${source}', alt: 'a bee' }))`);

    await admin.getByRole('button', { name: 'Publish', exact: true }).first().click();
    const panel = admin.locator('.editor-post-publish-panel');
    await panel.getByRole('button', { name: 'Publish', exact: true }).click();
    const address = await admin
      .locator('.post-publish-panel__postpublish')
      .getByRole('link', { name: 'View Post' })
      .getAttribute('href');

    post = new URL(address ?? '').pathname;
    t.regex(post, /^\/\d{4}\/\d\d\/\d\d\/about-bees\/$/);
    const { page } = await browser.visit(site);
    await page.goto(address ?? '');
    t.true(await page.getByText('Written through the gateway.').isVisible());
    t.true(await isShown(page));
  },
);

test.serial('another title is shown while the machines run, and who is logged in stays so', async (t) => {
  t.timeout(5 * 60_000);
  await bringUp('--set', 'title=Wasps');

  // A service that follows its settings is told and not waited for.
  for (let tries = 0; tries < 60 && !/Wasps/.test(await admin.title()); tries++) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    await admin.goto(`${site}/wp-admin/`);
  }

  t.regex(await admin.title(), /Dashboard ‹ Wasps/);
});

test.serial('taken down and brought up at another address, the site is the same there', async (t) => {
  t.timeout(10 * 60_000);
  const [port = 0] = await freePorts(1);
  await succeeds(runProgram('down', name, '--keep-data'));

  const url = await bringUp('--expose', `edge.web=127.0.0.1:${port}`);
  const { page, strayRequests } = await browser.visit(url);
  await page.goto(`${url}${post}`);

  t.is(url, `http://127.0.0.1:${port}`);
  t.regex(await page.title(), /About bees – Wasps/);
  t.true(await isShown(page));
  t.deepEqual(
    strayRequests.filter((request) => !request.includes('gravatar.com')),
    [],
  );
});

/** Tells whether the bee is there and could be read. */
async function isShown(page: Page): Promise<boolean> {
  const bee = page.getByAltText('a bee');
  await bee.scrollIntoViewIfNeeded();
  return await bee.evaluate((image) => image.matches('img') && Reflect.get(image, 'naturalWidth') === 320);
}

async function bringUp(...options: readonly string[]): Promise<string> {
  await succeeds(runProgram('up', 'applications/wordpress', '--as', name, '--yes', ...options));
  const { stdout } = await succeeds(runProgram('status', name, '--json'));
  return JSON.parse(stdout).endpoints[0].url.replace(/\/$/, '');
}

async function succeeds(running: Promise<ProgramRun>): Promise<ProgramRun> {
  const run = await running;
  if (run.code !== 0) throw new Error(run.stdout + run.stderr);
  return run;
}
