/** One end of a wire as written: the name of an appliance in the same description, and of its terminal. */
export type WireEndText = { readonly use: string; readonly terminal: string };

/** Splits `APPLIANCE.OUT -> APPLIANCE.IN`, or says why it cannot be split. */
export function parseWire(
  text: string,
):
  | { readonly from: WireEndText; readonly to: WireEndText }
  | { readonly message: string; readonly hint: string } {
  const arrow = text.indexOf('->');
  const left = text.slice(0, arrow).trim();
  const right = text.slice(arrow + 2).trim();
  const from = parseEnd(left);
  const to = parseEnd(right);
  if (arrow >= 0 && from !== undefined && to !== undefined) return { from, to };
  const wrong = arrow < 0 ? text : from === undefined ? left : right;
  return {
    message: `${JSON.stringify(wrong.slice(0, 80))} is not ${arrow < 0 ? 'a wire' : 'APPLIANCE.TERMINAL'}`,
    hint: wrong.includes('/')
      ? 'What is inside of an assembly cannot be wired from outside; use a terminal of its boundary.'
      : 'Write APPLIANCE.OUT -> APPLIANCE.IN, such as web.db -> db.in.',
  };
}

function parseEnd(text: string): WireEndText | undefined {
  const dot = text.indexOf('.');
  if (dot <= 0 || dot !== text.lastIndexOf('.') || dot === text.length - 1) return undefined;
  if (text.includes('/') || text.includes(' ')) return undefined;
  return { use: text.slice(0, dot), terminal: text.slice(dot + 1) };
}
