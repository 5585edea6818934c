import test from 'ava';
import { EngineError } from '../../engine/errors.ts';
import { requireInstalled, requirePinned } from '../../engine/images/package-index.ts';

const [one, two] = ['1'.repeat(64), '2'.repeat(64)];
const index = new Map([
  [
    'jq',
    [
      { version: '1.7-1', sha256: two },
      { version: '1.6-2.1', sha256: one },
    ],
  ],
]);
const pins = { jq: { version: '1.6-2.1', sha256: one } };

test('what the mirror has as it is pinned passes', (t) => {
  t.notThrows(() => requirePinned(pins, index));
  t.notThrows(() => requireInstalled(pins, [{ name: 'jq', version: '1.6-2.1', architecture: 'amd64' }]));
});

test('a version that the mirror has no more is PACKAGE_GONE and names the nearest', (t) => {
  const error = t.throws(() => requirePinned({ jq: { version: '1.6-2', sha256: one } }, index), {
    instanceOf: EngineError,
    message: /no longer has jq 1\.6-2/,
  });

  t.is(error?.code, 'PACKAGE_GONE');
  t.regex(error?.hint ?? '', /1\.6-2\.1/);
  t.is(error?.details['nearest'], '1.6-2.1');
});

test('a package that the mirror does not have at all is PACKAGE_GONE', (t) => {
  const error = t.throws(() => requirePinned({ yq: { version: '3', sha256: one } }, index), {
    instanceOf: EngineError,
  });

  t.is(error?.code, 'PACKAGE_GONE');
  t.regex(error?.hint ?? '', /no version of yq/);
});

test('other bytes under the same version are refused', (t) => {
  const error = t.throws(() => requirePinned({ jq: { version: '1.6-2.1', sha256: two } }, index), {
    instanceOf: EngineError,
    message: /not the one that the lock pins/,
  });

  t.is(error?.code, 'IMAGE_FAILED');
});

for (const [title, installed] of Object.entries({
  'a package more': [
    { name: 'jq', version: '1.6-2.1', architecture: 'amd64' },
    { name: 'libjq1', version: '1', architecture: 'amd64' },
  ],
  'a package less': [],
  'another version': [{ name: 'jq', version: '1.7-1', architecture: 'amd64' }],
})) {
  test(`an image with ${title} than the lock says is refused`, (t) => {
    const error = t.throws(() => requireInstalled(pins, installed), { instanceOf: EngineError });

    t.is(error?.code, 'IMAGE_FAILED');
  });
}
