import { type BrowserContext, chromium, type Page } from 'playwright-core';

/** A visitor with a browser of its own: no cookies, no cache. */
export type Visitor = {
  readonly page: Page;
  /** Requests that no server answered, or that went to another place than the site; in the order in which they came. */
  readonly strayRequests: readonly string[];
};

/** Debian's Chromium, without a window. */
export type TestBrowser = {
  /** @param site - the only origin that pages are expected to ask */
  readonly visit: (site: string) => Promise<Visitor>;
  readonly close: () => Promise<void>;
};

const patienceMs = 60_000;

/** Starts the browser; its profile goes with it. */
export async function openBrowser(): Promise<TestBrowser> {
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    // Chromium's sandbox refuses root, whom machines need.
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  });
  return {
    visit: async (site) => await visitorOf(await browser.newContext(), site),
    close: () => browser.close(),
  };
}

async function visitorOf(context: BrowserContext, site: string): Promise<Visitor> {
  // Emulated servers take seconds for a page.
  context.setDefaultTimeout(patienceMs);
  context.setDefaultNavigationTimeout(patienceMs);
  const strayRequests: string[] = [];
  await context.route(
    (url) => /^https?:$/.test(url.protocol) && url.origin !== new URL(site).origin,
    async (route) => {
      strayRequests.push(route.request().url());
      await route.abort();
    },
  );
  return { page: await context.newPage(), strayRequests };
}
