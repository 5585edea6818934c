import { basename, dirname, relative } from 'node:path';
import { canonicalJson, digestOf } from '../digest.ts';
import { descriptionLimits, parseYaml } from '../formats/parse-yaml.ts';
import type { Finding } from '../model/finding.ts';
import { memberOf } from '../model/members.ts';
import type { Description, DescriptionKind } from '../model/source.ts';
import { type PackedPlaces, readAttachments } from './read-attachments.ts';
import { readText } from './read-text.ts';

/** A description and what is wrong with its text. */
export type DescriptionOutcome = { readonly description: Description; readonly findings: readonly Finding[] };

const kindByFile: Readonly<Record<string, DescriptionKind>> = {
  'appliance.yaml': 'appliance',
  'assembly.yaml': 'assembly',
  'application.yaml': 'application',
};
const kindByWord: Readonly<Record<string, DescriptionKind>> = {
  Appliance: 'appliance',
  Assembly: 'assembly',
  Application: 'application',
};

/** The file names of descriptions, in the order in which a folder is asked for them. */
export const descriptionFiles: readonly string[] = ['application.yaml', 'assembly.yaml', 'appliance.yaml'];

/**
 * Reads one description and what it names.
 *
 * What cannot be read or parsed becomes findings, and a description without a value.
 *
 * @param file - absolute
 * @param workingDirectory - files in findings are relative to it
 */
export async function readDescription(
  file: string,
  workingDirectory: string,
  signal?: AbortSignal,
  packed?: PackedPlaces,
): Promise<DescriptionOutcome> {
  const name = relative(workingDirectory, file) || basename(file);
  const folder = dirname(file);
  const outcome = await readText(file, descriptionLimits.maxBytes);
  if ('code' in outcome) {
    const finding: Finding = {
      code: outcome.code,
      at: { file: name, line: 1, column: 1 },
      message: `the description ${outcome.message}`,
      hint: outcome.hint,
    };
    const kind = kindByFile[basename(file)] ?? 'application';
    const text = { file: name, text: '' };
    const digest = digestOf('');
    return {
      description: { kind, text, value: undefined, folder, digest, attachments: new Map() },
      findings: [finding],
    };
  }
  const { value, problems } = parseYaml(outcome.text, descriptionLimits);
  const kind = kindByFile[basename(file)] ?? kindByWord[String(memberOf(value, 'kind'))] ?? 'application';
  const attachments = await readAttachments(kind, value, folder, signal, packed);
  const pinned = [...attachments].map(([key, attachment]) => [
    key,
    'digest' in attachment && attachment.kind !== 'folder' ? attachment.digest : null,
  ]);
  const digest = digestOf(canonicalJson({ description: digestOf(outcome.text), attachments: pinned }));
  return {
    description: { kind, text: { file: name, text: outcome.text }, value, folder, digest, attachments },
    findings: problems.map(({ code, line, column, message, hint }) => ({
      code,
      at: { file: name, line, column },
      message,
      ...(hint !== undefined && { hint }),
    })),
  };
}
