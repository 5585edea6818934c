import test from 'ava';
import { EngineError } from '../../engine/errors.ts';
import { parseRelease, selectSources } from '../../engine/images/apt-sources.ts';

const bookworm = { id: 'debian', codename: 'bookworm' };

test('deb822 sources keep their keys and lose what is not of the suite', (t) => {
  const text = `# a comment
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main contrib
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
uris: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
Enabled: yes

Types: deb
URIs: http://mirror.example/off
Suites: bookworm
Components: main
Enabled: no
`;

  t.is(
    selectSources([{ name: 'sources.list.d/debian.sources', text }], 'bookworm', bookworm),
    `Types: deb
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: 
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
Enabled: yes
`,
  );
});

test('sources of one line become deb822 with their options', (t) => {
  const text = `deb [arch=amd64,arm64 signed-by=/usr/share/keyrings/d.gpg check-valid-until=no] http://a.example/d bookworm main # ours
deb-src http://a.example/d bookworm main
# deb http://b.example/d bookworm main
deb cdrom:[Debian]/ bookworm main
deb http://c.example/d bookworm-security main non-free-firmware
`;

  t.is(
    selectSources([{ name: 'sources.list', text }], 'bookworm', bookworm),
    `Types: deb
URIs: http://a.example/d
Suites: bookworm
Components: main
Architectures: amd64 arm64
Signed-By: /usr/share/keyrings/d.gpg
Check-Valid-Until: no

Types: deb
URIs: http://c.example/d
Suites: bookworm-security
Components: main non-free-firmware
`,
  );
});

test('archives of others are left out, even when they use the name of the suite', (t) => {
  const text = `deb http://vendor.example/linux/debian bookworm stable
deb http://vendor.example/nginx bookworm nginx
deb http://vendor.example/pgdg bookworm-pgdg main
deb http://flat.example/ ./
deb http://a.example/d bookworm main
`;

  t.is(
    selectSources([{ name: 'sources.list', text }], 'bookworm', bookworm),
    'Types: deb\nURIs: http://a.example/d\nSuites: bookworm\nComponents: main\n',
  );
});

test("a Debian of another release lends its own mirrors, under the suite's name", (t) => {
  const files = [
    {
      name: 'sources.list',
      text: 'deb http://a.example/d trixie main\ndeb http://a.example/s trixie-security main',
    },
  ];

  t.is(
    selectSources(files, 'bookworm', { id: 'debian', codename: 'trixie' }),
    `Types: deb
URIs: http://a.example/d
Suites: bookworm
Components: main

Types: deb
URIs: http://a.example/s
Suites: bookworm-security
Components: main
`,
  );
});

test('a machine that calls its release stable is understood', (t) => {
  const files = [{ name: 'sources.list', text: 'deb http://a.example/d stable main' }];

  t.regex(selectSources(files, 'bookworm', bookworm), /Suites: bookworm\n/);
});

test('a machine without any source of the suite is IMAGE_FAILED with a hint', (t) => {
  const files = [{ name: 'sources.list', text: 'deb http://a.example/ubuntu jammy main universe' }];

  const error = t.throws(() => selectSources(files, 'bookworm', { id: 'ubuntu', codename: 'jammy' }), {
    instanceOf: EngineError,
  });

  t.is(error?.code, 'IMAGE_FAILED');
  t.regex(error?.hint ?? '', /bookworm/);
});

test('the release is read with and without quotes', (t) => {
  t.deepEqual(parseRelease('NAME="Debian"\nVERSION_CODENAME=bookworm\nID="debian"\n'), bookworm);
  t.deepEqual(parseRelease(''), { id: '', codename: '' });
});
