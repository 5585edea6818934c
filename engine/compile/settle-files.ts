import { posix } from 'node:path';
import type { Digest } from '../digest.ts';
import type { Appliance } from '../model/appliance.ts';
import type { ImageSource, TemplateFile } from '../model/blueprint.ts';
import type { Finding, FindingSink, JsonPath } from '../model/finding.ts';
import { memberOf, membersOf } from '../model/members.ts';
import { type Attachment, attachmentKey } from '../model/source.ts';
import type { ProblemCode } from '../problem-table.ts';
import { type Described, spotAt, wasRemoved } from './described.ts';

/** One finding about a template's text; line and column count from 1. */
export type TemplateFinding = {
  readonly line: number;
  readonly column: number;
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
};

/** What templates of an appliance may name. */
export type TemplateNames = {
  readonly properties: readonly string[];
  readonly terminals: readonly string[];
  readonly volumes: readonly string[];
};

/** Checks a template's text without rendering it. */
export type TemplateCheck = (text: string, declared: TemplateNames) => readonly TemplateFinding[];

/** The files and the image of an appliance, and the texts that they name. */
export type SettledFiles = {
  readonly files: readonly TemplateFile[];
  /** Absent when what it names could not be read. */
  readonly image?: ImageSource;
  readonly templates: readonly { readonly digest: Digest; readonly text: string; readonly source: string }[];
  readonly setup?: { readonly text: string; readonly digest: Digest };
};

/** Checks that the templates, setup script and disk that an appliance names are there, and that its templates are sound. */
export function settleFiles(
  described: Described<Appliance>,
  checkTemplate: TemplateCheck,
  sink: FindingSink,
): SettledFiles {
  const files: TemplateFile[] = [];
  const templates: SettledFiles['templates'][number][] = [];
  const checked = new Set<string>();
  const names = namesIn(described);
  for (const [index, { template: source, ...file }] of described.model.files.entries()) {
    if (wasRemoved(described, ['files', index])) continue;
    const found = attached(described, 'text', source, ['files', index, 'template'], sink);
    if (found?.kind !== 'text') continue;
    files.push({ ...file, template: found.digest, source });
    if (checked.has(source)) continue;
    checked.add(source);
    templates.push({ digest: found.digest, text: found.text, source });
    for (const finding of checkTemplate(found.text, names)) sink(located(described, source, finding));
  }
  return { files, templates, ...settleImage(described, sink) };
}

/** Takes the names as written, since what is wrong with a declaration does not make its name unknown. */
function namesIn({ description }: Described): TemplateNames {
  const keys = (key: string) => membersOf(memberOf(description.value, key)).map(([name]) => name);
  return { properties: keys('properties'), terminals: keys('terminals'), volumes: keys('volumes') };
}

function settleImage(
  described: Described<Appliance>,
  sink: FindingSink,
): Pick<SettledFiles, 'image' | 'setup'> {
  const { image } = described.model;
  switch (image.kind) {
    case 'oci':
      return { image };
    case 'disk': {
      const disk = attached(described, 'disk', image.path, ['image', 'disk'], sink);
      return disk?.kind === 'disk' ? { image: { ...image, digest: disk.digest } } : {};
    }
    case 'packages': {
      const { setup: source, ...packages } = image;
      if (source === undefined) return { image: packages };
      const script = attached(described, 'text', source, ['image', 'setup'], sink);
      if (script?.kind !== 'text') return {};
      const { text, digest } = script;
      return { image: { ...packages, setup: { source, script: digest } }, setup: { text, digest } };
    }
    default:
      return image satisfies never;
  }
}

function attached(
  described: Described<Appliance>,
  kind: 'text' | 'disk',
  name: string,
  path: JsonPath,
  sink: FindingSink,
): Attachment | undefined {
  const attachment = described.description.attachments.get(attachmentKey(kind, name));
  if (attachment?.kind === 'refused') {
    const { code, message, hint } = attachment;
    sink({ code, at: spotAt(described, path), message, hint });
  }
  return attachment;
}

const templateCodes: readonly ProblemCode[] = ['TEMPLATE_BROKEN', 'TEMPLATE_UNSAFE', 'TEMPLATE_UNDEFINED'];

function located({ description }: Described, source: string, finding: TemplateFinding): Finding {
  const { line, column, message, hint } = finding;
  const file = posix.join(posix.dirname(description.text.file), source);
  const code = templateCodes.find((known) => known === finding.code) ?? 'TEMPLATE_BROKEN';
  return { code, at: { file, line, column }, message, ...(hint !== undefined && { hint }) };
}
