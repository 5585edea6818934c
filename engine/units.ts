const sizeUnits: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};
const decimalUnits: Readonly<Record<string, string>> = {
  KB: 'KiB',
  kB: 'KiB',
  MB: 'MiB',
  GB: 'GiB',
  TB: 'TiB',
  K: 'KiB',
  M: 'MiB',
  G: 'GiB',
  T: 'TiB',
  k: 'KiB',
  m: 'MiB',
  g: 'GiB',
};
const durationUnits: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  min: 60_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** A parsed quantity, or why the text is none and which text was probably meant. */
export type Quantity = { readonly value: number } | { readonly message: string; readonly hint: string };

/**
 * Reads a size such as `64MiB`.
 *
 * Only the binary units are taken, because `5GB` means two different things to different people.
 *
 * @returns bytes, a whole number from 0 to 2^53 - 1
 */
export function parseSize(text: string): Quantity {
  const match = /^(\d+(?:\.\d+)?)\s*([A-Za-z]+)$/.exec(text.trim());
  const amount = match?.[1];
  const unit = match?.[2];
  if (amount === undefined || unit === undefined) {
    return {
      message: `"${text}" is not a size`,
      hint: 'Write a number and a unit: B, KiB, MiB, GiB or TiB, such as 512MiB.',
    };
  }
  const factor = sizeUnits[unit];
  if (factor === undefined) {
    const meant = decimalUnits[unit];
    return {
      message: `"${text}" has no unit that Sheaf knows`,
      hint:
        meant === undefined
          ? 'The units are B, KiB, MiB, GiB and TiB.'
          : `Write ${amount}${meant}; sizes are in binary units.`,
    };
  }
  const value = Number(amount) * factor;
  if (!Number.isSafeInteger(value)) {
    return { message: `"${text}" is not a whole number of bytes, or too large`, hint: 'Use a smaller unit.' };
  }
  return { value };
}

/** Reads a duration such as `30s`, `500ms`, `5min`, `2h`. @returns milliseconds, a whole number */
export function parseDuration(text: string): Quantity {
  const match = /^(\d+(?:\.\d+)?)\s*([A-Za-z]+)$/.exec(text.trim());
  const factor = durationUnits[match?.[2] ?? ''];
  if (match?.[1] === undefined || factor === undefined) {
    return {
      message: `"${text}" is not a duration`,
      hint: 'Write a number and a unit: ms, s, min, h or d, such as 30s.',
    };
  }
  const value = Number(match[1]) * factor;
  if (!Number.isSafeInteger(value)) {
    return {
      message: `"${text}" is not a whole number of milliseconds, or too large`,
      hint: 'Use a smaller unit.',
    };
  }
  return { value };
}

/** Writes milliseconds in the largest unit that divides them: `90 s`, `2 h`. */
export function formatDuration(milliseconds: number): string {
  const unit =
    (['d', 'h', 'min', 's'] as const).find((name) => milliseconds % (durationUnits[name] ?? 1) === 0) ?? 'ms';
  return milliseconds === 0 ? '0 s' : `${milliseconds / (durationUnits[unit] ?? 1)} ${unit}`;
}

/** Writes bytes in the largest unit that keeps the number at least 1, with at most one decimal: `1.5 GiB`. */
export function formatSize(bytes: number): string {
  const unit = (['TiB', 'GiB', 'MiB', 'KiB'] as const).find((name) => bytes >= (sizeUnits[name] ?? 1)) ?? 'B';
  const amount = bytes / (sizeUnits[unit] ?? 1);
  return `${Number(amount.toFixed(1))} ${unit}`;
}
