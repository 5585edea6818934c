import { EngineError } from '../errors.ts';
import { type GraphDoor, type GraphNode, type GraphView, goesOut } from '../model/graph-view.ts';
import { layoutGraph, type Point } from './layout.ts';

const maxNodes = 500;
const boxWidth = 170;
const boxHeight = 58;
const doorHeight = 34;
const margin = 16;
const titleHeight = 36;

type Arrow = {
  readonly from: string;
  readonly to: string;
  readonly labels: string[];
  readonly isOrdered: boolean;
};

/**
 * Draws a graph from left to right, with no font, script or file from elsewhere; follows the reader's light or dark
 * setting.
 *
 * @throws EngineError INPUT_REFUSED for a graph that nobody could look at
 */
export function renderSvg(view: GraphView): string {
  if (view.nodes.length > maxNodes) {
    throw new EngineError(
      'INPUT_REFUSED',
      `a drawing shows at most ${maxNodes} appliances; this graph has ${view.nodes.length}`,
      {
        hint: 'Use --format dot and Graphviz, or --format json.',
      },
    );
  }
  const arrows = arrowsOf(view);
  const layout = layoutGraph({
    boxes: [
      ...view.doors.map((door) => ({ name: doorId(door), height: doorHeight })),
      ...view.nodes.map(({ path }) => ({ name: path, height: boxHeight })),
    ],
    arrows,
    boxWidth,
    gapX: 116,
    gapY: 26,
  });
  const at = (name: string): Point => layout.boxes.get(name) ?? { x: 0, y: 0 };
  const width = Math.ceil(Math.max(layout.width, boxWidth) + 2 * margin);
  const height = Math.ceil(layout.height + 2 * margin + titleHeight);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escapeXml(`Graph of ${view.title}`)}">`,
    `<style>${style}</style>`,
    '<defs><marker id="head" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0.8 8 4 0 7.2z" class="head"/></marker></defs>',
    `<text x="${margin}" y="${margin + 12}" class="title">${escapeXml(view.title)}</text>`,
    `<g transform="translate(${margin} ${margin + titleHeight})">`,
    ...layout.arrows.flatMap((points, index) => drawArrow(points, arrows[index])),
    ...view.doors.map((door) => drawDoor(door, at(doorId(door)))),
    ...view.nodes.map((node) => drawNode(node, at(node.path))),
    '</g>',
    '</svg>',
    '',
  ].join('\n');
}

const style = `
text{font:13px system-ui,sans-serif;fill:#1c2430}
.title{font-size:15px;font-weight:600}
.name{font-weight:600}
.uses{font-size:12px;fill:#5b6675}
.label{font-size:11px;fill:#5b6675;text-anchor:middle;paint-order:stroke;stroke:#fff;stroke-width:4px}
.box{fill:#fff;stroke:#7d8ca3;stroke-width:1.2}
.door{fill:#e8f0fe;stroke:#4a78c8;stroke-width:1.2}
.disk{fill:#fdf3dc;stroke:#b98a2c}
.wire{fill:none;stroke:#7d8ca3;stroke-width:1.4}
.loose{stroke-dasharray:5 4}
.head{fill:#7d8ca3}
@media(prefers-color-scheme:dark){text{fill:#e6eaf0}.uses,.label{fill:#9aa7b8}.label{stroke:#0d1117}.box{fill:#1d2530}.door{fill:#1b2d4d}.disk{fill:#4a3b16}}
`;

function doorId({ direction, name }: GraphDoor): string {
  return `\0${direction} ${name}`;
}

/** Several wires between the same two appliances are drawn as one arrow. */
function arrowsOf(view: GraphView): readonly Arrow[] {
  const arrows = new Map<string, Arrow>();
  const add = (from: string, to: string, label: string, isOrdered: boolean) => {
    const key = `${from}\n${to}`;
    const known = arrows.get(key);
    if (known === undefined) arrows.set(key, { from, to, labels: [label], isOrdered });
    else known.labels.push(label);
  };
  for (const door of view.doors) {
    const label = labelOf(door.protocol, door.port);
    if (goesOut(door)) add(door.path, doorId(door), label, true);
    else add(doorId(door), door.path, label, true);
  }
  for (const { from, to, protocol, port, isOrdered } of view.edges) {
    add(from.path, to.path, labelOf(protocol, port), isOrdered);
  }
  return [...arrows.values()];
}

function labelOf(protocol: string, port: number | undefined): string {
  return port === undefined ? protocol : `${protocol} ${port}`;
}

function drawArrow(points: readonly Point[], arrow: Arrow | undefined): readonly string[] {
  const [first, second] = points;
  if (first === undefined || second === undefined || arrow === undefined) return [];
  const path = points.slice(1).reduce((line, point, index) => {
    const before = points[index] ?? first;
    // Between the two sides of a layer that the arrow only passes, it runs straight.
    if (before.y === point.y && index % 2 === 1) return `${line} H${point.x}`;
    const bend = Math.max(30, Math.abs(point.x - before.x) / 2);
    return `${line} C${before.x + bend} ${before.y} ${point.x - bend} ${point.y} ${point.x} ${point.y}`;
  }, `M${first.x} ${first.y}`);
  const x = Math.round((first.x + second.x) / 2);
  const y = Math.round((first.y + second.y) / 2) - 6;
  return [
    `<path d="${path}" class="wire${arrow.isOrdered ? '' : ' loose'}" marker-end="url(#head)"/>`,
    `<text x="${x}" y="${y}" class="label">${escapeXml(shorten(arrow.labels.join(', '), 16))}</text>`,
  ];
}

function drawDoor({ direction, name }: GraphDoor, { x, y }: Point): string {
  const text = direction === 'external' ? `world · ${name}` : name;
  return [
    `<rect x="${x}" y="${y}" width="${boxWidth}" height="${doorHeight}" rx="${doorHeight / 2}" class="door"/>`,
    `<text x="${x + boxWidth / 2}" y="${y + 22}" text-anchor="middle">${escapeXml(shorten(text, 22))}</text>`,
  ].join('');
}

function drawNode({ path, uses, replicas, volumes }: GraphNode, { x, y }: Point): string {
  const shadows = Math.min(2, replicas - 1);
  const cards = Array.from({ length: shadows + 1 }, (_, index) => {
    const offset = (shadows - index) * 4;
    return `<rect x="${x + offset}" y="${y - offset}" width="${boxWidth}" height="${boxHeight}" rx="8" class="box"/>`;
  });
  const name = replicas > 1 ? `${path} × ${replicas}` : path;
  const disk =
    volumes.length === 0
      ? ''
      : `<path d="M${x + boxWidth - 34} ${y + 18}v20a10 4 0 0 0 20 0v-20a10 4 0 0 0 -20 0a10 4 0 0 0 20 0" class="disk"/>`;
  const tooltip = [`${name}: ${uses}`, ...volumes.map((volume) => `volume ${volume}`)].join(', ');
  return [
    `<g><title>${escapeXml(tooltip)}</title>`,
    ...cards,
    disk,
    `<text x="${x + 14}" y="${y + 25}" class="name">${escapeXml(shorten(name, volumes.length > 0 ? 15 : 19))}</text>`,
    `<text x="${x + 14}" y="${y + 44}" class="uses">${escapeXml(shorten(uses, volumes.length > 0 ? 17 : 22))}</text>`,
    '</g>',
  ].join('');
}

function shorten(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}

function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
