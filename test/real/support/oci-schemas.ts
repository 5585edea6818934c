import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';

/** A text that OCI's image specification has a schema for. */
export type OciText = 'image-layout' | 'image-index' | 'image-manifest' | 'config';

// of Debian's golang-github-opencontainers-image-spec-dev
const folder = '/usr/share/gocode/src/github.com/opencontainers/image-spec/schema';

/** Holds a JSON text against the schemas of OCI's image specification. @returns faults, for people */
export function ociFaults(kind: OciText, text: string): readonly string[] {
  const ajv = new Ajv({ strict: false, validateFormats: false });
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.json')))
    ajv.addSchema({ ...modern(JSON.parse(readFileSync(join(folder, file), 'utf8'))), $id: `oci:///${file}` });
  const check = ajv.getSchema(`oci:///${kind}-schema.json`);
  if (check === undefined) throw new Error(`there is no schema of ${kind}`);
  check(JSON.parse(text));
  return (check.errors ?? []).map(({ instancePath, message }) => `${kind} ${instancePath} ${message}`);
}

/** Takes out what names a schema of draft 4; files refer to each other by their names alone. */
function modern(value: object): object {
  return JSON.parse(
    JSON.stringify(value, (key, member) =>
      (key === 'id' && typeof member === 'string') || key === '$schema' ? undefined : member,
    ),
  );
}
