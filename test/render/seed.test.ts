import test from 'ava';
import fc from 'fast-check';
import { seedOf } from '../../engine/render/seed.ts';
import { sampleInstance } from './samples.ts';

test('a seed tells a machine its name, its network and its files', (t) => {
  const files = [
    { path: '/etc/a', content: 'one\ntwo\n', mode: '0640', owner: 'root:www-data', onChange: 'web' },
    { path: '/etc/b', content: '', mode: '0600' },
  ];

  const seed = seedOf(sampleInstance(), files, 'k3v9-web.1-7');

  t.deepEqual(JSON.parse(seed.metaData), { 'instance-id': 'k3v9-web.1-7', 'local-hostname': 'web-1' });
  t.deepEqual(JSON.parse(seed.networkConfig), {
    version: 2,
    ethernets: {
      lan: {
        match: { macaddress: '02:00:00:00:04:03' },
        'set-name': 'lan',
        addresses: ['10.83.4.3/24'],
        routes: [{ to: '0.0.0.0/0', via: '10.83.4.1' }],
      },
    },
  });
  t.true(seed.userData.startsWith('#cloud-config\n{'));
  t.deepEqual(JSON.parse(seed.userData.replace(/^.*\n/, '')), {
    write_files: [
      { path: '/etc/a', content: 'one\ntwo\n', permissions: '0640', owner: 'root:www-data' },
      { path: '/etc/b', content: '', permissions: '0600', owner: 'root:root' },
    ],
  });
});

test('whatever a file holds, it comes out of the seed again, and the seed has no character that YAML refuses', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (content) => {
      const { userData } = seedOf(sampleInstance(), [{ path: '/x', content, mode: '0644' }], 'i');

      const read = JSON.parse(userData.replace(/^.*\n/, '')) as { write_files: { content: string }[] };
      t.is(read.write_files[0]?.content, content);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what YAML 1.1 refuses or takes for line ends
      t.notRegex(userData, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/);
    }),
  );
});
