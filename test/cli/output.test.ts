import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { collectExposure, collectPair } from '../../cli/options.ts';
import { formatProblems } from '../../cli/output/problem-text.ts';
import { chooseStyle } from '../../cli/output/style.ts';
import { cutTo, formatElapsed, formatTable } from '../../cli/output/table.ts';
import { visible, visibleLine } from '../../cli/output/visible.ts';
import { readSettings } from '../../cli/settings.ts';
import type { Problem } from '../../engine/problems.ts';
import { temporaryFolder } from './run-cli.ts';

const plain = chooseStyle({ LANG: 'C.UTF-8' }, false);

test('control characters of a guest are shown as text', (t) => {
  t.is(visible('a\x1b[31mb\x07\r\u009b\u202e\tc\n'), 'a\\x1b[31mb\\x07\\x0d\\x9b\\u202e\tc\n');
  t.is(visibleLine(' one\r\ntwo\tthree\n'), 'one two three');
});

test('problems show the line, a caret below wide characters, the hint and a count', async (t) => {
  const folder = await temporaryFolder(t);
  const file = join(folder, 'application.yaml');
  await writeFile(file, 'name: x\n\t本 wrong: 1\n');
  const problems: readonly Problem[] = [
    {
      file,
      line: 2,
      column: 4,
      code: 'KEY_UNKNOWN',
      severity: 'error',
      message: 'no key wrong',
      hint: 'Drop it.',
    },
    { file, line: 1, column: 1, code: 'NAME_UNFIT', severity: 'warning', message: 'bad\x1b[0m name' },
  ];

  const text = await formatProblems(problems, { folder, style: plain, withSource: true });

  t.is(
    text,
    [
      'application.yaml:2:4: error KEY_UNKNOWN: no key wrong',
      '    2 |  本 wrong: 1',
      '            ^',
      '  hint: Drop it.',
      '',
      'application.yaml:1:1: warning NAME_UNFIT: bad\\x1b[0m name',
      '    1 | name: x',
      '        ^',
      '',
      '1 error, 1 warning',
    ].join('\n'),
  );
});

test('a problem in a file that is gone is shown without its line', async (t) => {
  const problem: Problem = {
    file: 'gone.yaml',
    line: 9,
    column: 1,
    code: 'TEXT_UNREADABLE',
    severity: 'error',
    message: 'gone',
  };

  const text = await formatProblems([problem], { folder: '/nowhere', style: plain, withSource: true });

  t.is(text, 'gone.yaml:9:1: error TEXT_UNREADABLE: gone\n\n1 error');
});

test('columns line up below colours and wide characters', (t) => {
  const text = formatTable(
    [
      ['本', 'x'],
      ['\x1b[1mab\x1b[22mc', 'y', ''],
    ],
    '  ',
  );

  t.is(text, '  本   x\n  \x1b[1mab\x1b[22mc  y');
});

test('texts are cut to terminal columns', (t) => {
  t.is(cutTo('abcdef', 6, '…'), 'abcdef');
  t.is(cutTo('abcdefg', 6, '…'), 'abcde…');
  t.is(cutTo('本本本本', 6, '…'), '本本…');
  t.is(formatElapsed(7_400), '0:07');
  t.is(formatElapsed(3_723_000), '1:02:03');
});

test('NO_COLOR and a pipe turn colours off, a locale without UTF-8 turns the marks plain', (t) => {
  t.is(chooseStyle({}, true).red('x'), '\x1b[31mx\x1b[39m');
  t.is(chooseStyle({ NO_COLOR: '1' }, true).red('x'), 'x');
  t.is(chooseStyle({}, false).red('x'), 'x');
  t.is(chooseStyle({ LC_ALL: 'C', LANG: 'de_DE.UTF-8' }, true).marks.done, '+');
});

test('the state lies where the option, SHEAF_HOME or XDG say, in this order', (t) => {
  const user = { id: 1000, home: '/home/ada' };

  t.is(readSettings({}, user).home, '/home/ada/.local/share/sheaf');
  t.is(readSettings({ XDG_DATA_HOME: '/data' }, user).home, '/data/sheaf');
  t.is(readSettings({ XDG_DATA_HOME: '/data', SHEAF_HOME: '/state' }, user).home, '/state');
  t.is(readSettings({ SHEAF_HOME: '/state' }, user, '/chosen').home, '/chosen');
  t.is(readSettings({ XDG_CONFIG_HOME: '/etc/ada' }, user).config, '/etc/ada/sheaf');
});

test("sockets lie in a short folder of the home's own, and root's survive a logout", (t) => {
  const ada = { id: 1000, home: '/home/ada' };
  const root = { id: 0, home: '/root' };
  const environment = { XDG_RUNTIME_DIR: '/run/user/1' };

  t.regex(readSettings(environment, ada).runtime, /^\/run\/user\/1\/sheaf\/[0-9a-f]{8}$/);
  t.regex(readSettings({}, ada).runtime, /^\/tmp\/sheaf-1000\/[0-9a-f]{8}$/);
  t.regex(readSettings(environment, root).runtime, /^\/run\/sheaf\/[0-9a-f]{8}$/);
  t.not(readSettings({}, root, '/a').runtime, readSettings({}, root, '/b').runtime);
});

test('pairs and exposures are read with everything after the first sign kept', (t) => {
  t.deepEqual(collectPair('b=1=2', { a: '' }), { a: '', b: '1=2' });
  t.deepEqual(collectExposure('edge.web=[::1]:443', collectExposure('edge.dns=10.0.0.1:53')), {
    'edge.dns': { address: '10.0.0.1', port: 53 },
    'edge.web': { address: '::1', port: 443 },
  });
});
