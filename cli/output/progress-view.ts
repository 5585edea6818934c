import type { ProgressRow, ProgressState } from './progress-state.ts';
import type { Style } from './style.ts';
import { count, cutTo, formatElapsed } from './table.ts';
import { visibleLine } from './visible.ts';

/** The room that a picture of the progress has, and the time at which it is drawn. */
export type ProgressFrame = {
  readonly title: string;
  readonly now: number;
  readonly columns: number;
  readonly rows: number;
  readonly style: Style;
  /** False for the last picture, which stays. */
  readonly isLive: boolean;
};

/**
 * Draws an operation's progress: a title, what is being built or done, every instance.
 *
 * No line is wider than the terminal and never are there more lines than it has; what is done makes way first.
 */
export function drawProgress(state: ProgressState, frame: ProgressFrame): readonly string[] {
  const all = [...state.rows.values()];
  const shown = all.filter((row) => row.group !== 'step' || row.state !== 'done');
  const room = Math.max(3, frame.rows - 3);
  const kept = shown.length <= room ? shown : makeRoom(shown, room - 1);
  const left = shown.length - kept.length;
  const labelWidth = Math.max(0, ...kept.map((row) => row.label.length));
  return [
    headline(state, frame),
    ...kept.map((row) => drawRow(row, Math.min(labelWidth, 40), frame)),
    ...(left > 0 ? [frame.style.dim(`  and ${left} more`)] : []),
  ];
}

function headline(state: ProgressState, { title, now, columns, style }: ProgressFrame): string {
  const all = [...state.steps.values()].reduce((sum, steps) => sum + steps, 0);
  const steps = all > 0 ? `  ${state.stepsDone} of ${count(all, 'step')}` : '';
  const elapsed = formatElapsed(now - state.startedAt);
  return `${style.bold(cutTo(title, columns - 30, style.marks.more))}${style.dim(`${steps}  ${elapsed}`)}`;
}

/** Keeps failed and active rows before done ones, in the order in which they stand. */
function makeRoom(rows: readonly ProgressRow[], room: number): readonly ProgressRow[] {
  const rank = { failed: 0, active: 1, done: 2 };
  const chosen = new Set(rows.toSorted((a, b) => rank[a.state] - rank[b.state]).slice(0, room));
  return rows.filter((row) => chosen.has(row));
}

function drawRow(row: ProgressRow, labelWidth: number, frame: ProgressFrame): string {
  const { style, now, columns } = frame;
  const elapsed = formatElapsed((row.endedAt ?? now) - row.startedAt).padStart(5);
  const label = cutTo(visibleLine(row.label), labelWidth, style.marks.more).padEnd(labelWidth);
  const room = Math.max(0, columns - labelWidth - elapsed.length - 9);
  const detail = cutTo(visibleLine(row.detail), room, style.marks.more);
  return `  ${mark(row, frame)} ${label}  ${style.dim(elapsed)}  ${detail}`;
}

function mark(row: ProgressRow, { style, now, isLive }: ProgressFrame): string {
  const { marks } = style;
  if (row.state === 'done') return style.green(marks.done);
  if (row.state === 'failed') return style.red(marks.failed);
  if (!isLive) return style.yellow('-');
  return style.cyan(marks.spinner[Math.floor(now / 100) % marks.spinner.length] ?? '');
}
