import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { root } from './run-cli.ts';

const ajv = new Ajv2020({ allErrors: true, allowUnionTypes: true });
const folder = join(root, 'schemas/cli');
for (const file of readdirSync(folder)) ajv.addSchema(JSON.parse(readFileSync(join(folder, file), 'utf8')));

/** Gives what a value violates of the schema of this name in `schemas/cli/`; empty when it fits. */
export function violations(name: string, value: unknown): readonly string[] {
  const id = `urn:sheaf:schema:v1:cli:${name}`;
  ajv.validate(id, value);
  return (ajv.errors ?? []).map((error) => `${error.instancePath || '/'} ${error.message ?? ''}`);
}
