import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import appliance from '../../schemas/appliance.schema.json' with { type: 'json' };
import application from '../../schemas/application.schema.json' with { type: 'json' };
import assembly from '../../schemas/assembly.schema.json' with { type: 'json' };
import bundleIndex from '../../schemas/bundle-index.schema.json' with { type: 'json' };
import bundleManifest from '../../schemas/bundle-manifest.schema.json' with { type: 'json' };
import catalogIndex from '../../schemas/catalog-index.schema.json' with { type: 'json' };
import catalogStatement from '../../schemas/catalog-statement.schema.json' with { type: 'json' };
import catalogs from '../../schemas/catalogs.schema.json' with { type: 'json' };
import lock from '../../schemas/lock.schema.json' with { type: 'json' };
import packingList from '../../schemas/packing-list.schema.json' with { type: 'json' };
import pool from '../../schemas/pool.schema.json' with { type: 'json' };
import trust from '../../schemas/trust.schema.json' with { type: 'json' };
import { parseDuration, parseSize } from '../units.ts';
import { faultOf, type SchemaFault } from './schema-fault.ts';
import { isVersion } from './semver.ts';

const schemas = {
  appliance,
  application,
  assembly,
  lock,
  pool,
  'packing-list': packingList,
  'bundle-manifest': bundleManifest,
  'bundle-index': bundleIndex,
  'catalog-index': catalogIndex,
  'catalog-statement': catalogStatement,
  catalogs,
  trust,
} as const;

/** The schemas in `schemas/`, without those of the command line's output. */
export type SchemaName = keyof typeof schemas;

// A memo of pure results, since compiling a schema costs 30 ms; no caller can see whether it was there.
const compiled = new Map<SchemaName, ValidateFunction>();

/** How many faults of one value are told: one more than anybody is shown, while hostile ones have millions. */
export const maxFaults = 1001;

/**
 * Finds the ways in which a value breaks a schema: in no order, at most one at each place, at most {@link maxFaults}.
 *
 * Hints stand in the schemas, under `x-hint`, beside the rule that they explain.
 */
export function checkSchema(name: SchemaName, value: unknown): readonly SchemaFault[] {
  const validate = compiled.get(name) ?? compileSchema(name);
  compiled.set(name, validate);
  if (validate(value)) return [];
  const faults = new Map<string, SchemaFault>();
  for (const error of validate.errors ?? []) {
    if (faults.size >= maxFaults) break;
    const fault = faultOf(error);
    if (fault === undefined) continue;
    const key = `${fault.part} ${JSON.stringify(fault.path)}`;
    if (!faults.has(key)) faults.set(key, fault);
  }
  const misspelt = new Set(
    [...faults.values()].flatMap(({ path, meant }) =>
      meant === undefined ? [] : [JSON.stringify([...path.slice(0, -1), meant])],
    ),
  );
  // A missing key is not worth a word when the same mapping has that key misspelt.
  return [...faults.values()].filter(
    ({ path, missing }) => missing === undefined || !misspelt.has(JSON.stringify([...path, missing])),
  );
}

function compileSchema(name: SchemaName): ValidateFunction {
  const ajv = new Ajv2020({
    allErrors: true,
    verbose: true,
    messages: false,
    allowUnionTypes: true,
    strictTypes: false,
    strictRequired: false,
    code: { process: joinErrorsInPlace },
  });
  ajv.addVocabulary(['x-hint']);
  ajv.addFormat('sheaf-version', isVersion);
  ajv.addFormat('sheaf-size', (text) => 'value' in parseSize(text));
  ajv.addFormat('sheaf-duration', (text) => 'value' in parseDuration(text));
  return ajv.compile(schemas[name]);
}

/**
 * Ajv copies all errors so far for every value that a shared definition refuses, so 100,000 wrong entries would take
 * minutes. Adding to the list instead makes the time linear; `schema.test.ts` notices when Ajv words it differently.
 */
function joinErrorsInPlace(code: string): string {
  return code.replaceAll(
    /vErrors\.concat\((\w+)\.errors\)/g,
    `$1.errors.reduce((all, error) => (all.length < ${2 * maxFaults} && all.push(error), all), vErrors)`,
  );
}
