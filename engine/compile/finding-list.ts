import type { Finding, FindingSink } from '../model/finding.ts';

/** Findings in the order in which they were made, each once. */
export type FindingList = { readonly sink: FindingSink; readonly findings: readonly Finding[] };

// Above what is shown; bounds the memory that hostile input can take by being wrong everywhere.
const maxFindings = 5000;

/** Makes an empty list. An assembly used many times over has its problems once. */
export function createFindingList(): FindingList {
  const findings: Finding[] = [];
  const seen = new Set<string>();
  return {
    findings,
    sink(finding) {
      if (findings.length >= maxFindings) return;
      const { at } = finding;
      const place = 'text' in at ? [at.text.file, ...at.path] : [at.file, at.line, at.column];
      const key = JSON.stringify([finding.code, finding.message, place]);
      if (seen.has(key)) return;
      seen.add(key);
      findings.push(finding);
    },
  };
}
