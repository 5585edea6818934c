import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import test from 'ava';
import { graphOfSource } from '../../engine/compile/graph-of-source.ts';
import { renderGraph } from '../../engine/graph/render-graph.ts';
import type { GraphView } from '../../engine/model/graph-view.ts';
import { graphFormats } from '../../engine/model/request.ts';
import { readSource } from '../../engine/read/read-source.ts';

const site = resolve('test/fixtures/applications/site');
const options = { catalogs: [resolve('test/fixtures/catalog')], workingDirectory: site };

for (const format of graphFormats) {
  test(`an application with an assembly is drawn as ${format}`, async (t) => {
    const expected = join(site, `graph.${format === 'text' ? 'txt' : format}`);
    const view = graphOfSource(await readSource(site, options));

    const text = renderGraph(view, format);

    if (process.env['UPDATE'] === '1') writeFileSync(expected, text);
    t.is(text, readFileSync(expected, 'utf8'));
  });
}

test('an assembly shows its boundary, an appliance its terminals', async (t) => {
  const draw = async (name: string) => {
    const source = await readSource(resolve('test/fixtures/catalog', name), options);
    return renderGraph(graphOfSource(source), 'text');
  };

  t.is(
    await draw('shop'),
    `shop 1.0.0

relay  proxy 1.0.0
  out -> boundary mail                http

web    web 1.0.0
  boundary in -> in                   http
  db -> db.in                         postgresql 5432

db     db 1.0.0, volume data
`,
  );
  t.is(
    await draw('door'),
    `door 1.0.0

door  door 1.0.0
  world -> web                        http 80
  out -> boundary out                 http
`,
  );
});

test('text stays within 80 columns', async (t) => {
  const view = graphOfSource(await readSource(site, options));

  for (const line of renderGraph(view, 'text').split('\n')) t.true(line.length <= 80, line);
});

test('names from hostile descriptions cannot leave the text that they stand in', (t) => {
  const name = `x"]\n<script>alert('1')</script>&\\`;
  const view: GraphView = {
    title: name,
    kind: 'application',
    nodes: [{ path: name, uses: name, replicas: 1, volumes: [name], contents: [] }],
    edges: [],
    doors: [{ direction: 'external', name, path: name, terminal: name, protocol: name }],
  };

  const svg = renderGraph(view, 'svg');

  t.false(svg.includes('<script'));
  t.false(/[^\\]"\]\n/.test(renderGraph(view, 'dot')));
  t.false(renderGraph(view, 'mermaid').includes('x"]'));
});

test('a drawing that nobody could look at is refused, other formats are not', (t) => {
  const nodes = Array.from({ length: 501 }, (_, index) => ({
    path: `a${index}`,
    uses: 'x 1.0.0',
    replicas: 1,
    volumes: [],
    contents: [],
  }));
  const view: GraphView = { title: 'large', kind: 'application', nodes, edges: [], doors: [] };

  t.throws(() => renderGraph(view, 'svg'), { code: 'INPUT_REFUSED' });
  t.true(renderGraph(view, 'text').length > 0);
});

test('a door that leads out is drawn that way, with the names on the wires before it', async (t) => {
  const appliances = { catalogs: [resolve('appliances')], workingDirectory: resolve('.') };
  const view = graphOfSource(await readSource(resolve('applications/fetch'), appliances));

  t.regex(renderGraph(view, 'text'), /^ {2}world -> out\.in +tcp, example\.com:443, example\.com:80$/m);
  t.regex(renderGraph(view, 'text'), /^ {2}world -> the world +tcp$/m);
  t.regex(renderGraph(view, 'mermaid'), /n1 -->\|"tcp"\| d1\(\["world: out\.world"\]\)/);
  t.regex(renderGraph(view, 'dot'), /"out" -> "door out\.world"/);
});
