import type { DeploymentIdentity } from '../../../engine/drivers/driver.ts';
import { openQemuDriver } from '../../../engine/drivers/qemu/open-driver.ts';
import { performAll, smallSite } from './site-steps.ts';
import { testAttendant, testKit } from './test-home.ts';

/** What the program is told, as JSON, by its only argument. */
export type SiteOrder = {
  readonly home: string;
  readonly runtime: string;
  readonly deployment: DeploymentIdentity;
  readonly subnet: string;
  readonly port: number;
  readonly direction: 'up' | 'down';
};

// a program of its own, so that it can be killed at any instant; it says when it begins
const order = JSON.parse(process.argv[2] ?? '') as SiteOrder;
const { blobs, digest: kit } = await testKit();
const { home, runtime } = order;
const parts = { blobs, kit: async () => kit, attendant: testAttendant(blobs) };
const driver = await openQemuDriver({ pool: 'local', home, runtime, ...parts });
const site = await smallSite(blobs, kit, order.subnet, order.port);
console.log('begins');
await performAll(driver, order.deployment, site, order.direction);
process.exit(0);
