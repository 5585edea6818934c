import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { type Envelope, envelopeText, readEnvelope } from '../../../catalog/trust/envelope.ts';
import { judgeBundle } from '../../../catalog/trust/judge.ts';
import { type PublicKey, readPublicKey, readSigningKey } from '../../../catalog/trust/key.ts';
import { fits, type TrustPolicy } from '../../../catalog/trust/policy.ts';
import { readPolicy } from '../../../catalog/trust/read-policy.ts';
import { signStatement } from '../../../catalog/trust/statement.ts';
import { temporaryFolder } from '../../temporary-folder.ts';
import { newKey } from './keys.ts';

const identity = `sha256:${'a'.repeat(64)}` as const;
const bundle = { name: 'guestbook', version: '1.0.0', identity, catalog: 'oci://registry.example.com/acme' };
const day = 24 * 60 * 60 * 1000;

test('a bundle signed by a trusted key is trusted, and the verdict names the key', async (t) => {
  const key = await newKey();

  const verdict = judgeBundle(trusting(key.public), bundle, [signStatement(bundle, key.signing, day)], day);

  t.deepEqual(verdict, {
    kind: 'signed',
    key: { id: key.public.id, name: 'acme' },
    signedAt: new Date(day).toISOString(),
  });
});

test('an envelope survives being written and read', async (t) => {
  const key = await newKey();
  const envelope = signStatement(bundle, key.signing, 0);

  t.deepEqual(readEnvelope(Buffer.from(envelopeText(envelope))), envelope);
});

test('what is unsigned, signed by a stranger, or changed after it was signed is refused, each by its code', async (t) => {
  const [key, stranger] = [await newKey(), await newKey()];
  const good = signStatement(bundle, key.signing, 0);
  const changed = {
    ...good,
    payload: Buffer.from(`${Buffer.from(good.payload, 'base64')} `).toString('base64'),
  };
  const forged = { ...signStatement(bundle, stranger.signing, 1000), signatures: good.signatures };
  const elsewhere = signStatement({ ...bundle, name: 'other' }, key.signing, 0);
  const older = signStatement({ ...bundle, version: '0.9.0' }, key.signing, 0);
  const tomorrow = signStatement(bundle, key.signing, 3 * day);

  t.is(codeOf(trusting(key.public), []), 'SIGNATURE_MISSING');
  t.is(codeOf(trusting(key.public), [{ ...good, signatures: [] }]), 'SIGNATURE_MISSING');
  t.is(codeOf(trusting(key.public), [signStatement(bundle, stranger.signing, 0)]), 'SIGNATURE_UNTRUSTED');
  for (const envelope of [changed, forged, elsewhere, older, tomorrow])
    t.is(codeOf(trusting(key.public), [envelope]), 'SIGNATURE_WRONG');
});

test('rules say which keys count for which names and catalogs', async (t) => {
  const key = await newKey();
  const signed = [signStatement(bundle, key.signing, 0)];

  t.is(codeOf(trusting(key.public, { names: ['guest*'] }), signed), 'signed');
  t.is(codeOf(trusting(key.public, { names: ['wiki', 'shop-*'] }), signed), 'SIGNATURE_UNTRUSTED');
  t.is(codeOf(trusting(key.public, { catalogs: ['oci://registry.example.com/*'] }), signed), 'signed');
  t.is(codeOf(trusting(key.public, { catalogs: ['file'] }), signed), 'SIGNATURE_UNTRUSTED');
});

test('a rule may accept what nobody signed, but nothing that was tampered with', async (t) => {
  const [key, stranger] = [await newKey(), await newKey()];
  const policy = trusting(key.public, { acceptsUnsigned: true });
  const older = signStatement({ ...bundle, version: '0.9.0' }, key.signing, 0);

  t.is(codeOf(policy, []), 'unsigned');
  t.is(codeOf(policy, [signStatement(bundle, stranger.signing, 0)]), 'unsigned');
  t.is(codeOf(policy, [older]), 'SIGNATURE_WRONG');
});

test('a revoked key never counts', async (t) => {
  const key = await newKey();
  const policy = { ...trusting(key.public), revoked: new Set([key.public.id]) };

  t.is(codeOf(policy, [signStatement(bundle, key.signing, 0)]), 'SIGNATURE_UNTRUSTED');
});

test('what a key signed before it ended counts for ever; what it signs after that does not', async (t) => {
  const key = await newKey({ expires: 10 * day });
  const endless = { ...key.signing, expires: 100 * day };

  t.is(codeOf(trusting(key.public), [signStatement(bundle, key.signing, 9 * day)], 50 * day), 'signed');
  t.is(codeOf(trusting(key.public), [signStatement(bundle, endless, 11 * day)], 50 * day), 'KEY_EXPIRED');
  t.throws(() => signStatement(bundle, key.signing, 10 * day), {
    message: /the key acme ended on 1970-01-11/,
  });
});

test('an old key vouches for the next one, over several generations', async (t) => {
  const first = await newKey({ expires: 10 * day });
  const second = await newKey({ name: 'acme-2', after: first.signing, now: 5 * day, expires: 20 * day });
  const third = await newKey({ name: 'acme-3', after: second.signing, now: 15 * day });
  const policy = trusting(first.public);

  t.is(codeOf(policy, [signStatement(bundle, second.signing, 12 * day)], 30 * day), 'signed');
  t.is(codeOf(policy, [signStatement(bundle, third.signing, 30 * day)], 30 * day), 'signed');
});

test('nobody vouches after the end of a key, with a key of somebody else, or for a revoked key', async (t) => {
  const first = await newKey({ expires: 10 * day });
  const late = await newKey({ name: 'late', after: { ...first.signing, expires: 99 * day }, now: 11 * day });
  const stranger = await newKey();
  const usurper = await newKey({ name: 'usurper', after: stranger.signing });
  const second = await newKey({ name: 'acme-2', after: first.signing, now: 5 * day });
  const policy = trusting(first.public);

  t.is(codeOf(policy, [signStatement(bundle, late.signing, 12 * day)], 30 * day), 'SIGNATURE_UNTRUSTED');
  t.is(codeOf(policy, [signStatement(bundle, usurper.signing, 12 * day)], 30 * day), 'SIGNATURE_UNTRUSTED');
  const revoked = { ...policy, revoked: new Set([second.public.id]) };
  t.is(codeOf(revoked, [signStatement(bundle, second.signing, 12 * day)], 30 * day), 'SIGNATURE_UNTRUSTED');
});

test('a locked key opens with its passphrase alone, also for openssl', async (t) => {
  const key = await newKey({ passphrase: 'correct horse' });
  const folder = temporaryFolder(t, { 'acme.key': key.secretText });

  const wrong = await t.throwsAsync(readSigningKey(key.secretText, 'acme.key', async () => 'wrong'));
  const none = await t.throwsAsync(readSigningKey(key.secretText, 'acme.key', async () => undefined));
  const shown = execFileSync(
    'openssl',
    ['pkey', '-in', 'acme.key', '-passin', 'pass:correct horse', '-pubout'],
    {
      cwd: folder,
      encoding: 'utf8',
    },
  );

  t.like(wrong, { code: 'KEY_UNREADABLE' });
  t.like(none, { code: 'KEY_UNREADABLE' });
  t.true(key.publicText.endsWith(shown));
  t.regex(key.secretText, /BEGIN ENCRYPTED PRIVATE KEY/);
});

test('files that are no keys of ours are KEY_UNREADABLE', async (t) => {
  const key = await newKey();
  const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 })
    .publicKey.export({ type: 'spki', format: 'pem' })
    .toString();

  for (const text of [
    '',
    'nonsense',
    key.secretText,
    rsa,
    '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----',
  ])
    t.like(
      t.throws(() => readPublicKey(text, 'file')),
      { code: 'KEY_UNREADABLE' },
    );
  for (const text of ['', key.publicText, '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----'])
    t.like(await t.throwsAsync(readSigningKey(text, 'file', async () => '')), { code: 'KEY_UNREADABLE' });
});

test('whatever stands where an envelope should is read or SIGNATURE_WRONG', (t) => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.json(), fc.constant('{"payloadType":"x","payload":"","signatures":[{}]}')),
      (text) => {
        try {
          readEnvelope(Buffer.from(text));
        } catch (error) {
          t.like(error, { code: 'SIGNATURE_WRONG' });
        }
      },
    ),
  );
  t.pass();
});

test('a star stands for any letters, and long patterns cost nothing', (t) => {
  t.true(fits('*', ''));
  t.true(fits('a*c', 'abc'));
  t.true(fits('a*b*c', 'axbxbc'));
  t.false(fits('a*a', 'a'));
  t.false(fits('a*b*c', 'acb'));
  t.false(fits('guestbook', 'guestbook-2'));
  t.false(fits('*a'.repeat(100), 'a'.repeat(99)));
});

test('a policy is read with its keys', async (t) => {
  const key = await newKey();
  const folder = temporaryFolder(t, {
    'keys/acme.pub': key.publicText,
    'trust.yaml': [
      'apiVersion: sheaf/v1',
      'kind: TrustPolicy',
      'keys: {acme: {file: keys/acme.pub}}',
      'rules: [{names: [guestbook], keys: [acme]}, {catalogs: [file], unsigned: true}]',
    ].join('\n'),
  });

  const policy = await readPolicy(join(folder, 'trust.yaml'));

  t.is(codeOf(policy, [signStatement(bundle, key.signing, 0)]), 'signed');
  t.is(codeOf(policy, []), 'SIGNATURE_MISSING');
});

test('without a policy nobody is trusted', async (t) => {
  const policy = await readPolicy(join(temporaryFolder(t), 'trust.yaml'));

  t.is(codeOf(policy, []), 'SIGNATURE_MISSING');
});

const badPolicies = {
  'rules: [{name: [x]}]': ['INPUT_INVALID', 'KEY_UNKNOWN'],
  'revoked: [abc]': ['INPUT_INVALID', 'VALUE_UNFIT'],
  'keys: {acme: {file: absent.pub}}': ['KEY_UNREADABLE'],
  'rules: [{keys: [acme]}]': ['KEY_UNREADABLE'],
  'a: ]': ['INPUT_INVALID', 'YAML_BROKEN'],
};

for (const [line, [code, problem]] of Object.entries(badPolicies))
  test(`a policy that says ${line} is ${code}`, async (t) => {
    const folder = temporaryFolder(t, { 'trust.yaml': `apiVersion: sheaf/v1\nkind: TrustPolicy\n${line}\n` });

    const error = await t.throwsAsync(readPolicy(join(folder, 'trust.yaml')));

    t.like(error, { code });
    if (problem !== undefined) t.like(error, { details: { problems: [{ line: 3, code: problem }] } });
  });

function trusting(key: PublicKey, rule: Partial<TrustPolicy['rules'][number]> = {}): TrustPolicy {
  const whole = { names: ['*'], catalogs: ['*'], keys: [key], acceptsUnsigned: false, ...rule };
  return { isWritten: true, rules: [whole], revoked: new Set() };
}

function codeOf(policy: TrustPolicy, envelopes: readonly Envelope[], now = 0): string {
  const verdict = judgeBundle(policy, bundle, envelopes, now);
  return verdict.kind === 'refused' ? verdict.error.code : verdict.kind;
}
