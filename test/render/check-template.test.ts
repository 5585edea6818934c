import test from 'ava';
import fc from 'fast-check';
import { checkTemplate } from '../../engine/render/check-template.ts';

/** Findings as canonical text, one a line. */
function findings(template: string, declared = {}): string {
  return checkTemplate(template, declared)
    .map(
      ({ line, column, code, message, hint }) =>
        `${line}:${column} ${code} ${message}${hint ? ` | ${hint}` : ''}`,
    )
    .join('\n');
}

/** Codes of the findings, each once. */
function codes(template: string): string {
  return [...new Set(checkTemplate(template).map(({ code }) => code))].join();
}

const brokenHint =
  'Look for a bracket, a quote or a block that is not closed here or above; see docs/model.md.';

test('a template of values, loops, conditions, sums and filters is clean', (t) => {
  const template = `
{# what is not written #}
{% set least = properties.workers // 2 + 1 %}
{% for peer in terminals.db.peers %}
  {{ loop.index }} {{ peer.name }} {{ peer.address }}:{{ peer.port }}{% if not loop.last %},{% else %};{% endif %}
{% endfor %}
{% for name, volume in volumes %}{{ name | upper }}={{ volume.mount | shellquote }}{% endfor %}
{% if least > 1 and properties.title != "" or "x" in properties.names %}{{ least ~ "!" }}{% elif false %}{% endif %}
{{ properties.title | default("none") | trim | json }} {{ (1 + 2) * 3 % 4 }} {{ -1 }} {{ "a" if least == 1 else "b" }}
{{ terminals.db.peers[0].address }} {{ terminals.db.peers | length }} {{ (terminals.db.peers | first).name }}
{{ properties.names | sort | join(", ") | replace("a", "b") | indent(2) }} {{ endpoint.web.url }}
{{ application.name }} {{ deployment.name }} {{ instance.hostname }} {{ resources.memoryBytes // 1048576 }}
{% raw %}{{ not.ours() }}{% endraw %}`;

  t.is(findings(template), '');
});

test('names that do not exist are found, with the nearest that does', (t) => {
  const declared = { properties: ['title', 'workers'], terminals: ['in', 'db'], volumes: [] };

  const report = findings(
    [
      '{{ propertys.title }}',
      '{{ properties.titel }}{{ properties.workers }}',
      '{% for p in terminals.dbs.peers %}{{ p.adress }}{% endfor %}',
      '{% for p in terminals.db.peers %}{{ p.adress }}{% endfor %}{{ p.name }}',
      '{% if properties.title %}{% set word = 1 %}{% endif %}{{ word }}',
      '{{ instance.id }}',
      '{{ volumes.data.mount }}',
      '{{ instance.name.length }}',
      '{{ loop.index }}',
    ].join('\n'),
    declared,
  );

  t.is(
    report,
    [
      '1:4 TEMPLATE_UNDEFINED "propertys" is not defined | Did you mean properties?',
      '2:15 TEMPLATE_UNDEFINED "titel" is not defined here | Did you mean title?',
      '3:23 TEMPLATE_UNDEFINED "dbs" is not defined here | Did you mean db?',
      '4:39 TEMPLATE_UNDEFINED "adress" is not defined here | Did you mean address?',
      '4:63 TEMPLATE_UNDEFINED "p" is not defined | Known here: application, deployment, instance, resources, properties, terminals, volumes, endpoint.',
      '5:58 TEMPLATE_UNDEFINED "word" is not defined | Known here: application, deployment, instance, resources, properties, terminals, volumes, endpoint.',
      '6:13 TEMPLATE_UNDEFINED "id" is not defined here | Known here: name, number, appliance, hostname, address.',
      '7:12 TEMPLATE_UNDEFINED "data" is not defined here',
      '8:18 TEMPLATE_UNDEFINED "length" is not defined in a value or list',
      '9:4 TEMPLATE_UNDEFINED "loop" is not defined | Known here: application, deployment, instance, resources, properties, terminals, volumes, endpoint.',
    ].join('\n'),
  );
});

test('broken templates are found where they break', (t) => {
  t.is(findings('a\n {{ x'), `2:6 TEMPLATE_BROKEN expected variable end | ${brokenHint}`);
  t.is(findings('{% if %}'), `1:7 TEMPLATE_BROKEN unexpected token: %} | ${brokenHint}`);
  t.is(
    findings('{% if application.name %}'),
    `1:26 TEMPLATE_BROKEN expected elif, else, or endif, got end of file | ${brokenHint}`,
  );
  t.is(findings('{% nonsense %}'), `1:4 TEMPLATE_BROKEN unknown block tag: nonsense | ${brokenHint}`);
  t.is(findings('\n{# open'), `2:9 TEMPLATE_BROKEN expected end of comment, got end of file | ${brokenHint}`);
  t.is(findings('{{ ~ . not }}'), `1:4 TEMPLATE_BROKEN unexpected token: ~ | ${brokenHint}`);
  t.is(findings('{{ | [0] }}'), `1:4 TEMPLATE_BROKEN unexpected token: | | ${brokenHint}`);
  t.is(findings('{{ , (1) }}'), `1:4 TEMPLATE_BROKEN unexpected token: , | ${brokenHint}`);
  t.is(findings('{{ [1, 2'), `1:9 TEMPLATE_BROKEN a tag or expression is not finished | ${brokenHint}`);
});

const hostile: Readonly<Record<string, string>> = {
  'a constructor call': '{{ cycler.constructor("return process")() }}',
  'a constructor of a value': '{{ application.name.constructor }}',
  'a constructor by a constant index': '{{ application["constructor"] }}',
  'a computed member': '{{ application["const" ~ "ructor"] }}',
  'a member by a variable': '{% set k = "constructor" %}{{ application[k] }}',
  'a member by a group': '{{ application[("constructor")] }}',
  'a member by a list': '{{ application[["constructor"]] }}',
  'an empty index': '{{ application[] }}',
  'a prototype': '{{ application.__proto__ }}',
  'a prototype by index': "{{ application['__proto__'] }}",
  'a prototype of a function': '{{ properties.prototype }}',
  'an inherited method': '{{ properties.toString }}',
  'a getter definer': '{{ properties.__defineGetter__ }}',
  'a negative index': '{{ terminals.in.peers[-1] }}',
  'a fractional index': '{{ terminals.in.peers[0.5] }}',
  'a call of a member': '{{ application.name.repeat(1000000000) }}',
  'a call of a filter result': '{{ (application.name | upper)() }}',
  'a call block': '{% call application() %}{% endcall %}',
  'a macro': '{% macro m() %}{{ m() }}{% endmacro %}',
  'a macro that calls itself': '{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}',
  'an include': '{% include "/etc/passwd" %}',
  'an include of a value': '{% include properties.x ignore missing %}',
  'an import': '{% import "x" as y %}',
  'a from import': '{% from "x" import y %}',
  'an extends': '{% extends "x" %}',
  'a block': '{% block a %}{{ super() }}{% endblock %}',
  'a filter block': '{% filter upper %}a{% endfilter %}',
  'a set block': '{% set a %}x{% endset %}',
  'a switch': '{% switch 1 %}{% case 1 %}a{% endswitch %}',
  'an asynchronous loop': '{% asyncEach a in [1] %}{% endeach %}',
  'a parallel loop': '{% asyncAll a in [1] %}{% endall %}',
  'an asynchronous condition': '{% ifAsync true %}{% endif %}',
  'a range': '{% for i in range(3000000) %}{% endfor %}',
  'a cycler': '{{ cycler("a").next() }}',
  'a joiner': '{{ joiner()() }}',
  'a power': '{{ 9 ** 9 ** 9 }}',
  'a regular expression': '{{ "aaaaaaaaaaaaaaaaaaaaaaaa!" | replace(r/(a+)+$/, "") }}',
  'an is test': '{{ 1 is odd }}',
  'an is test that closes a string': '{{ 1 is "odd\\") || process.exit(\\"" }}',
  'a dictionary': '{{ {"__proto__": application} }}',
  'a named argument': '{{ properties.list | join(del=",") }}',
  'an unknown filter': '{{ application.name | safe }}',
  'a filter that is a method': '{{ application.name | constructor }}',
  'a filter with dots': '{{ application.name | a.b }}',
  'a filter with too many arguments': '{{ application.name | upper(1, 2) }}',
  'a filter that is a quote': '{{ application.name | x"y }}',
  'a name that is code': '{{ a");process.exit();(" }}',
  'a name that is code, without blanks': '{{ a"+process+" }}',
  'a loop variable that is code': '{% for a");process.exit();(" in [1] %}{% endfor %}',
  'a loop variable that is a prototype': '{% for __proto__ in [1] %}{% endfor %}',
  'a loop over pairs with a constructor': '{% for constructor, v in properties %}{% endfor %}',
  'a loop over three names': '{% for a, b, c in properties %}{% endfor %}',
  'a loop variable that hides the scope': '{% for properties in [1] %}{% endfor %}',
  'a set of a prototype': '{% set __proto__ = 1 %}',
  'a set of a member': '{% set application.name = 1 %}',
  'a set of what is code': '{% set a"] = 1 %}',
  'a set of loop': '{% for a in [1] %}{% set loop = 2 %}{% endfor %}',
  'two signs, which change a variable in JavaScript': '{% set a = 1 %}{{ - -a }}',
  'an empty group': '{{ () }}',
  'a group of two': '{{ (1, 2) }}',
  'loops five deep': `${'{% for a in [1] %}'.repeat(5)}${'{% endfor %}'.repeat(5)}`,
  'pairs five deep, which double the code each time': `${'{% for a, b in properties %}'.repeat(30)}${'{% endfor %}'.repeat(30)}`,
  'a very deep sum': `{{ 1${' + 1'.repeat(3000)} }}`,
  'very deep conditions': `${'{% if 1 %}'.repeat(200)}${'{% endif %}'.repeat(200)}`,
  'more characters than a template may have': 'x'.repeat(10 * 2 ** 20),
  'blanks that make trimming quadratic': `${' '.repeat(200_000)}x{{- 1 }}`,
};

for (const [what, template] of Object.entries(hostile))
  test(`a hostile template is refused: ${what}`, (t) => {
    const found = codes(template);

    t.regex(found, /TEMPLATE_(UNSAFE|UNDEFINED|BROKEN)/);
    t.true(checkTemplate(template).length <= 20);
  });

test('nesting that exhausts the parser is a broken template, not a failure', (t) => {
  t.is(findings(`{{ ${'('.repeat(100_000)}`), `1:1 TEMPLATE_BROKEN it is nested too deep | ${brokenHint}`);
  t.is(findings('{% if 1 %}'.repeat(50_000)), `1:1 TEMPLATE_BROKEN it is nested too deep | ${brokenHint}`);
});

function checkTemplateAlone(template: string): number {
  return checkTemplate(template).length;
}

test('a raw block ends with its own end, whatever lies in between, and has one', (t) => {
  const whole = '{% raw %}{{ a }}{% raw %}{% x {% endraw %}{% endraw %}{{ application.name }}';

  t.deepEqual(checkTemplate(whole), []);
  t.like(checkTemplate('a\n{% raw %}{{ a }}'), [
    { line: 2, code: 'TEMPLATE_BROKEN', message: 'endraw is missing' },
  ]);
});

test('a finding stays short, however long the part that it is about', (t) => {
  const long = 'a'.repeat(100_000);

  for (const template of [
    `{{ r/${'(a+)'.repeat(40_000)}/ }}`,
    `{% ${long} %}`,
    `{{ ${long} }}`,
    `{{ 1 | ${long} }}`,
  ])
    t.true(checkTemplate(template).every(({ message }) => message.length < 300));
});

test('checking templates that are made to be slow comes to an end', (t) => {
  const largest = (part: string): string => part.repeat(Math.floor((2 ** 20 - 100) / part.length));

  const found = [
    largest(`${' '.repeat(500)}x{{- 1 -}}`),
    largest('{{ application.name }}'),
    largest('{% raw %}'),
    `{% raw %}${largest('{% x')}`,
    `{% verbatim %}${largest('x')}{% endverbatim %}`,
    largest('{%'),
    largest('{{ "'),
    largest('{#'),
    `{{ 1${largest(' + 1')} }}`,
  ].map(checkTemplateAlone);

  t.is(found.length, 9);
});

test('whatever the text is, checking gives findings and never throws', (t) => {
  const part = fc.constantFrom(
    ...[
      '{{',
      '}}',
      '{%',
      '%}',
      '{#',
      '#}',
      '-',
      ' ',
      '\n',
      '(',
      ')',
      '[',
      ']',
      '{',
      '}',
      ',',
      '|',
      '.',
      '=',
      '~',
    ],
    ...[
      'if',
      'else',
      'endif',
      'for',
      'in',
      'endfor',
      'set',
      'raw',
      'endraw',
      'block',
      'macro',
      'call',
      'from',
    ],
    ...[
      'application',
      'name',
      'x',
      '1',
      '"',
      "'",
      '\\',
      'r/',
      'not',
      'is',
      '**',
      'switch',
      'case',
      'import',
      'as',
    ],
  );
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(part, { maxLength: 40 }).map((parts) => parts.join(' ')),
  );

  fc.assert(
    fc.property(text, (template) => {
      for (const { line, column, message } of checkTemplate(template)) {
        t.true(line >= 1 && column >= 1 && message.length > 0 && message.length < 500);
      }
    }),
    { numRuns: 3000 },
  );
});
