/** Prints a measured figure beside its limit. */
export function judge(what: string, value: number, limit: number): void {
  const verdict = value <= limit ? 'good' : 'TOO MUCH';
  process.stdout.write(
    `${what.padEnd(52)} ${value.toFixed(2).padStart(8)}  (at most ${limit}: ${verdict})\n`,
  );
}
