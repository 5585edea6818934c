import { createInterface } from 'node:readline';
import { checkTemplate } from './check-template.ts';
import { renderTemplate } from './nunjucks.ts';
import type { RenderAnswer, RenderQuestion } from './render-process.ts';

// The process that render-process.ts starts: one question a line on standard input, one answer a line on standard output.
// It starts without an environment and without leave to touch files, programs or threads, and ends with its input.

answer({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  answer(render(JSON.parse(line) as RenderQuestion));
}

function render(question: RenderQuestion): RenderAnswer {
  // The parent has checked it too; whoever calls this process must not be able to forget it.
  const [finding] = checkTemplate(question.template);
  return finding ?? renderTemplate(question.template, question.scope, question.limit);
}

function answer(value: RenderAnswer | { readonly ready: true }): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
