import type { GraphView } from '../model/graph-view.ts';
import type { GraphFormat } from '../model/request.ts';
import { renderDot } from './render-dot.ts';
import { renderMermaid } from './render-mermaid.ts';
import { renderSvg } from './render-svg.ts';
import { renderText } from './render-text.ts';

/** Writes a graph in one of its formats; equal views give equal bytes. @throws EngineError INPUT_REFUSED when a drawing would be too large */
export function renderGraph(view: GraphView, format: GraphFormat): string {
  switch (format) {
    case 'text':
      return renderText(view);
    case 'mermaid':
      return renderMermaid(view);
    case 'dot':
      return renderDot(view);
    case 'svg':
      return renderSvg(view);
    case 'json':
      return `${JSON.stringify(view, null, 2)}\n`;
    default:
      return format satisfies never;
  }
}
