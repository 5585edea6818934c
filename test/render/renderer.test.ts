import test from 'ava';
import { EngineError } from '../../engine/errors.ts';
import { openRenderer, type Renderer } from '../../engine/render/renderer.ts';

const scope = {
  application: { name: 'shop', version: '1.0.0' },
  properties: {
    title: `it's "so" \\ $& <b>`,
    words: ['b', 'a', 'c'],
    nobody: [],
    empty: '',
    workers: 5,
    isOn: true,
  },
  terminals: {
    db: {
      port: 5432,
      peers: [
        { name: 'db.1', address: '10.0.0.1', port: 5432 },
        { name: 'db.2', address: '10.0.0.2', port: 5432 },
      ],
    },
  },
};
const millionLoops = `{% set list = [${'1,'.repeat(2000)}1] %}{% for a in list %}{% for b in list %}{% for c in list %}{% set x = c %}{% endfor %}{% endfor %}{% endfor %}`;

// patient, because other tests share the processors
const renderer = openRenderer({ timeMs: 30_000 });
test.after.always(() => renderer.close());

async function render(template: string, by: Renderer = renderer): Promise<string> {
  const [text] = await by.render([{ source: 'php@1.0.0/site.njk', template, scope }], {
    signal: new AbortController().signal,
  });
  return text ?? '';
}

async function failure(template: string, by: Renderer = renderer): Promise<string> {
  try {
    await render(template, by);
  } catch (error) {
    return error instanceof EngineError ? `${error.code} ${error.message}` : String(error);
  }
  return 'no failure';
}

test('a file is rendered with the values in scope, and lines of tags alone leave nothing behind', async (t) => {
  const text = await render(
    [
      'name {{ application.name }}',
      '{% for peer in terminals.db.peers %}',
      '  server {{ peer.name }} {{ peer.address }}:{{ peer.port }}{% if not loop.last %},{% endif %}',
      '',
      '{% endfor %}',
      'end',
    ].join('\n'),
  );

  t.is(text, 'name shop\n  server db.1 10.0.0.1:5432,\n  server db.2 10.0.0.2:5432\nend');
});

test('a value is written as it is, whatever characters it has', async (t) => {
  t.is(await render('{{ properties.title }}'), scope.properties.title);
});

test('filters do what they say', async (t) => {
  const results = {
    '{{ properties.title | json }}': JSON.stringify(scope.properties.title),
    '{{ properties.title | shellquote }}': `'it'\\''s "so" \\ $& <b>'`,
    '{{ properties.title | sqlquote }}': `'it''s "so" \\ $& <b>'`,
    '{{ properties.words | sort | join("-") }}': 'a-b-c',
    '{{ properties.words | first }}{{ properties.words | last }}{{ properties.words | length }}': 'bc3',
    '{{ properties.words | json }}': '["b","a","c"]',
    '{{ properties.empty | default("none") }}{{ properties.workers | default(1) }}': 'none5',
    '{{ " x " | trim }}{{ "x" | upper }}{{ "Y" | lower }}': 'xXy',
    '{{ "a.a" | replace("a", "$&") }}': '$&.$&',
    '{{ "a\nb" | indent(2) }}': 'a\n  b',
    '{{ properties.workers // 2 }} {{ properties.workers % 2 }} {{ (1 + 2) * 3 }} {{ 7 - 2 }} {{ 3 / 2 }}':
      '2 1 9 5 1.5',
    '{{ 1 ~ "a" ~ true }}': '1atrue',
    '{{ "yes" if "a" in properties.words else "no" }}{{ "yes" if "x" in properties.words }}': 'yes',
    '{% set sum = 0 %}{% for w in properties.words %}{% set sum = sum + loop.index %}{% endfor %}{{ sum }}':
      '6',
    '{% for key, value in terminals.db %}{{ key }} {% endfor %}': 'port peers ',
    '{% for w in properties.nobody %}{{ w }}{% else %}nobody{% endfor %}': 'nobody',
    '{% raw %}{{ shell }}{% endraw %}': '{{ shell }}',
  };

  for (const [template, text] of Object.entries(results)) t.is(await render(template), text, template);
});

test('what cannot be rendered is a failure with its place', async (t) => {
  const results = {
    'a\nb {{ properties.titel }}': '2:17: titel is not defined here',
    '{{ properties.words }}': '1:1: this is a list; write it with a loop, or with | join',
    '{{ terminals.db }}': '1:1: this is not a text, a number or a truth value',
    '\n{{ 1 / 0 }}': '2:1: the result of this sum is not a number',
    '{{ properties.nobody | first }}': '1:24: this list is empty',
    '{{ properties.words ~ "x" }}': '1:14: this is a list; write it with a loop, or with | join',
    '\n{% for x in properties.title %}{% endfor %}': '2:4: a loop needs a list',
    '{{ properties.words | upper }}': '1:23: this is a list; write it with a loop, or with | join',
    '{{ properties.workers.constructor }}': '1:23: templates may not use the member "constructor"',
    '{{ propertys }}': '1:4: "propertys" is not defined',
  };

  for (const [template, message] of Object.entries(results))
    t.is(await failure(template), `TEMPLATE_FAILED php@1.0.0/site.njk:${message}`, template);
});

test('a template that is clean and never ends is ended, and the next one is rendered', async (t) => {
  const limited = openRenderer({ timeMs: 300 });

  const failures = await failure(millionLoops, limited);
  const text = await render('{{ application.name }}', limited);
  limited.close();

  t.is(failures, 'TEMPLATE_FAILED php@1.0.0/site.njk:1:1: it takes longer than 300 ms');
  t.is(text, 'shop');
});

test('a template that is clean and takes all memory is ended', async (t) => {
  const bomb = `{% set a = "${'x'.repeat(64)}" %}${'{% set a = a ~ a %}'.repeat(22)}{{ a | upper | lower | length }}`;

  t.regex(
    await failure(bomb),
    /^TEMPLATE_FAILED .* (it needs more memory than a template may have|Invalid string length)$/,
  );
});

test('a file beyond a megabyte is refused before it is written', async (t) => {
  const long = `{% set list = [${'1,'.repeat(2000)}1] %}{% for a in list %}{% for b in list %}{{ "${'x'.repeat(500)}" }}{% endfor %}{% endfor %}`;

  t.regex(await failure(long), /TEMPLATE_FAILED .* the file would have more than 1048576 characters$/);
});

test('a request to stop ends the rendering at once', async (t) => {
  const stop = new AbortController();
  const request = { source: 'x.njk', template: millionLoops, scope };

  const rendering = renderer.render([request], { signal: stop.signal });
  stop.abort();

  await t.throwsAsync(rendering, { instanceOf: EngineError, code: 'OPERATION_INTERRUPTED' });
});

test('many files at once each get their own text', async (t) => {
  const texts = await Promise.all(
    Array.from({ length: 30 }, (_, index) => render(`{{ application.name }} ${index}`)),
  );

  t.deepEqual(
    texts,
    Array.from({ length: 30 }, (_, index) => `shop ${index}`),
  );
});

test('an unused process ends and a new one takes the next request', async (t) => {
  const brief = openRenderer({ idleMs: 1 });

  const texts = [
    await render('{{ application.name }}', brief),
    await render('{{ application.name }}', brief),
  ];

  t.deepEqual(texts, ['shop', 'shop']);
  brief.close();
});
