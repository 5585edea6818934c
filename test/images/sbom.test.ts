import test from 'ava';
import { digestOf } from '../../engine/digest.ts';
import { licensesIn } from '../../engine/images/licenses.ts';
import { sbomOf } from '../../engine/images/sbom.ts';
import { violations } from '../cli/schemas.ts';

const manifest = {
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  digest: digestOf('image'),
  size: 5,
};
const packages = [
  {
    name: 'jq',
    version: '1.6-2.1',
    architecture: 'amd64',
    sha256: 'a'.repeat(64),
    licenses: ['GPL-2+', 'MIT'],
  },
  { name: 'libc++1', version: '1:14.0-2', architecture: 'amd64' },
];

test('a bill of materials names every package with its digest and licences, the same each time', (t) => {
  const text = sbomOf({ manifest, packages }, 'query@1.2.0');
  const document = JSON.parse(text);

  t.deepEqual(violations('sbom', document), []);
  t.like(document.metadata.component, { name: 'query', version: '1.2.0', 'bom-ref': manifest.digest });
  t.deepEqual(
    document.components.map(({ purl }: { readonly purl: string }) => purl),
    ['pkg:deb/debian/jq@1.6-2.1?arch=amd64', 'pkg:deb/debian/libc%2B%2B1@1%3A14.0-2?arch=amd64'],
  );
  t.is(sbomOf({ manifest, packages }, 'query@1.2.0'), text);
});

test('licences are read from machine-readable notices alone', (t) => {
  const notice = `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
License: GPL-2+ and MIT
 Text.

Files: x
License: MIT or Artistic
`;

  t.deepEqual(licensesIn(notice), ['Artistic', 'GPL-2+', 'MIT']);
  t.deepEqual(licensesIn('This is free software.\nLicense: whatever\n'), []);
});
