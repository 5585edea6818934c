import test from 'ava';
import { changedPolicy, type PolicyChange } from '../../../catalog/trust/policy-file.ts';
import { EngineError } from '../../../engine/errors.ts';

const key: PolicyChange = { kind: 'key', name: 'bob', file: 'keys/bob.pub', rule: { keys: ['bob'] } };
const revoked: PolicyChange = { kind: 'revoked', id: `sha256:${'b'.repeat(64)}` };

test('a policy is begun with what it is given', (t) => {
  t.is(
    changedPolicy(undefined, key),
    `apiVersion: sheaf/v1
kind: TrustPolicy
keys:
  bob: {file: "keys/bob.pub"}
rules:
  - {keys: ["bob"]}
`,
  );
});

test('lines are put where they belong, and all that somebody wrote stays as it is', (t) => {
  const before = `# ours
apiVersion: sheaf/v1
kind: TrustPolicy
rules:   # each counts
- names: [guestbook]   # the shop
  keys: [acme]
# the keys
keys:
    acme: {file: keys/acme.pub}

revoked: []
`;

  t.is(
    changedPolicy(changedPolicy(before, key), revoked),
    `# ours
apiVersion: sheaf/v1
kind: TrustPolicy
rules:   # each counts
- names: [guestbook]   # the shop
  keys: [acme]
- {keys: ["bob"]}
# the keys
keys:
    acme: {file: keys/acme.pub}
    bob: {file: "keys/bob.pub"}

revoked:
  - "sha256:${'b'.repeat(64)}"
`,
  );
});

test('a policy in another style is written anew where nothing is lost by it, and else left to its author', (t) => {
  const dense =
    '{apiVersion: sheaf/v1, kind: TrustPolicy, keys: {acme: {file: a.pub}}, rules: [{keys: [acme]}]}\n';

  const changed = changedPolicy(dense, key);

  t.is(
    changed,
    `apiVersion: sheaf/v1
kind: TrustPolicy
keys:
  acme: {file: "a.pub"}
  bob: {file: "keys/bob.pub"}
rules:
  - {keys: ["acme"]}
  - {keys: ["bob"]}
`,
  );
  const error = t.throws(() => changedPolicy(`# by hand\n${dense}`, key), { instanceOf: EngineError });
  t.like(error, { code: 'INPUT_REFUSED' });
  t.regex(
    String(error?.hint),
    /under keys, bob: \{file: "keys\/bob.pub"\}; under rules, - \{keys: \["bob"\]\}/,
  );
});
