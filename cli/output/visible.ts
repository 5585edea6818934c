// Control characters but line feed and tab, line separators, and the marks that turn the direction of text.
const hidden = /(?![\n\t])[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

/**
 * Shows control characters as text, `\x1b`, so that what a guest or a description says cannot steer a terminal.
 *
 * Line feeds and tabs stay.
 */
export function visible(text: string): string {
  return text.replace(hidden, (character) => {
    const code = character.charCodeAt(0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`;
  });
}

/** Shows a text in one line: as {@link visible}, and line feeds and tabs become spaces. */
export function visibleLine(text: string): string {
  return visible(text.trim().replace(/[\r\n\t]+/g, ' '));
}
