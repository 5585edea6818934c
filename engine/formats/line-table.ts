/** Finds lines and columns in one text. */
export type LineTable = {
  /** @returns line and column from 1; columns in UTF-16 units; of the nearest end for an offset outside of the text. Cost O(log lines). */
  placeOf(offset: number): { readonly line: number; readonly column: number };
};

/** Notes where the lines of a text begin: after LF, CRLF or a lone CR, as YAML counts them. */
export function createLineTable(text: string): LineTable {
  const starts = [0];
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code === 10 || (code === 13 && text.charCodeAt(index + 1) !== 10)) starts.push(index + 1);
  }
  return {
    placeOf(wanted) {
      const offset = Math.min(Math.max(0, wanted), text.length);
      let low = 0;
      let high = starts.length - 1;
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if ((starts[middle] ?? 0) <= offset) low = middle;
        else high = middle - 1;
      }
      return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 };
    },
  };
}
