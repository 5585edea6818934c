import test from 'ava';
import {
  type Circumstances,
  explainRefusal,
  subordinatesOf,
  userNamespaceOptions,
} from '../engine/user-namespace.ts';

const user = { id: 1000, name: 'ann' };
const usual: Circumstances = {
  maxUserNamespaces: '15000\n',
  unprivilegedClone: undefined,
  apparmorRestricts: undefined,
  mounts: '27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n',
  status: 'Seccomp:\t0\n',
};
const notPermitted = 'unshare ended with 1: unshare: unshare failed: Operation not permitted';

test('lent ids are found by name or number, the shorter of both ranges counts', (t) => {
  const users = 'bob:100000:65536\nann:165536:65536\n';

  t.deepEqual(subordinatesOf(user, { users, groups: '1000:300000:1000\n' }), {
    firstUser: 165_536,
    firstGroup: 300_000,
    count: 1000,
  });
  t.is(subordinatesOf(user, { users, groups: 'bob:100000:65536\n' }), undefined);
});

test('a line that is none lends nothing', (t) => {
  for (const line of ['ann', 'ann:', 'ann:x:1', 'ann:0:65536', 'ann:100000:0', 'ann:-5:10', '# ann:100000:5'])
    t.is(subordinatesOf(user, { users: line, groups: 'ann:100000:65536' }), undefined, line);
});

test('without lent ids there is only root in a user namespace', (t) => {
  t.deepEqual(userNamespaceOptions(undefined), ['--user', '--map-root-user']);
  t.deepEqual(userNamespaceOptions({ firstUser: 5000, firstGroup: 6000, count: 10 }), [
    '--user',
    '--map-root-user',
    '--map-users=5000,1,10',
    '--map-groups=6000,1,10',
  ]);
});

const refusals: readonly (readonly [string, Partial<Circumstances>, string, RegExp, RegExp])[] = [
  [
    'a limit of none',
    { maxUserNamespaces: '0\n' },
    'No space left on device',
    /switched off/,
    /max_user_namespaces/,
  ],
  [
    'a system that keeps them for root',
    { unprivilegedClone: '0\n' },
    notPermitted,
    /for root/,
    /userns_clone=1/,
  ],
  ['a chroot', { mounts: '22 27 0:21 / /proc rw - proc proc rw\n' }, notPermitted, /chroot/, /outside/],
  ['AppArmor', { apparmorRestricts: '1\n' }, 'write failed /proc/self/uid_map', /AppArmor/, /apparmor/],
  ['a filter of system calls', { status: 'Seccomp:\t2\n' }, notPermitted, /seccomp/, /container/],
  ['too many of them', {}, 'unshare failed: No space left on device', /too many/, /max_user_namespaces/],
  ['what is not known', {}, 'unshare failed: Gremlins', /Gremlins/, /as root/],
];
for (const [title, circumstances, said, reason, remedy] of refusals)
  test(`${title} is named as what forbids user namespaces, with its remedy`, (t) => {
    const refusal = explainRefusal({ ...usual, ...circumstances }, said);

    t.regex(refusal.reason, reason);
    t.regex(refusal.remedy, remedy);
  });
