import { nameHint } from '../formats/nearest-name.ts';
import { checkSchema } from '../formats/schema.ts';
import type { FindingSink } from '../model/finding.ts';
import { memberOf } from '../model/members.ts';
import type { Description, Source } from '../model/source.ts';
import { describeAppliance } from './describe-appliance.ts';
import { describeApplication, describeAssembly } from './describe-composition.ts';
import { type Described, type DescribedBy, type Model, spotAt } from './described.ts';
import type { ApplianceText, ApplicationText, AssemblyText } from './description-text.ts';
import { repairDescription } from './repair-description.ts';

const kinds = ['Application', 'Assembly', 'Appliance'];

/** Checks the shape of every description of a source, and says in the words of the model what each holds. */
export function validateDescriptions(source: Source, sink: FindingSink): DescribedBy {
  const found = new Map<Description, Described | null>();
  const add = (description: Description) => {
    if (!found.has(description)) found.set(description, validateDescription(description, sink));
  };
  add(source.root);
  for (const resolution of source.resolutions.values()) {
    if (resolution.kind !== 'found') continue;
    add(resolution.newest);
    for (const description of resolution.locked.values()) add(description);
  }
  return found;
}

function validateDescription(description: Description, sink: FindingSink): Described | null {
  const { kind, value } = description;
  if (value === undefined) return null;
  const word = memberOf(value, 'kind');
  if (typeof word === 'string' && !kinds.includes(word)) {
    sink({
      code: 'KIND_UNKNOWN',
      at: spotAt({ description }, ['kind']),
      message: `there is no kind ${JSON.stringify(word.slice(0, 40))} of description`,
      hint: nameHint(word, kinds),
    });
    return null;
  }
  const faults = checkSchema(kind, value);
  for (const { code, path, part, message, hint } of faults) {
    sink({ code, at: spotAt({ description }, path, part), message, ...(hint !== undefined && { hint }) });
  }
  const repaired =
    faults.length === 0 ? { value, removed: new Set<string>() } : repairDescription(kind, value, faults);
  if (repaired === undefined) return null;
  return { description, model: modelOf(description, repaired.value), ...repaired };
}

function modelOf({ kind }: Description, value: unknown): Model {
  switch (kind) {
    case 'appliance':
      return describeAppliance(value as ApplianceText);
    case 'assembly':
      return describeAssembly(value as AssemblyText);
    case 'application':
      return describeApplication(value as ApplicationText);
    default:
      return kind satisfies never;
  }
}
