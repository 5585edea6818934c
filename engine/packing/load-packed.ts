import { type Loaded, load, requireSound } from '../compile/load.ts';
import { changedNames, lockOf } from '../compile/lock.ts';
import type { CompileInputs } from '../compile/settle-parameters.ts';
import { canonicalJson, digestOf } from '../digest.ts';
import { memberOf } from '../model/members.ts';
import type { PackedSource } from '../model/packed-source.ts';
import { blueprintRevision } from './blueprint-revision.ts';
import { layOut } from './lay-out.ts';
import { contradictory } from './packed-closure.ts';

/**
 * Compiles a packed source, and holds what comes out against its packing list.
 *
 * Only the list's digest is taken for the truth: whoever is trusted signed that. So all that is run must follow from the
 * list, and a list whose descriptions say something else than its lock and blueprint is refused.
 *
 * @param name - for messages
 * @throws EngineError INPUT_INVALID, BUNDLE_CONTRADICTORY, DISK_FULL
 */
export async function loadPacked(
  name: string,
  packed: PackedSource,
  inputs: CompileInputs | null,
  scratch: string,
): Promise<Loaded> {
  const { list } = packed;
  const { folder, packedPlaces, remove } = await layOut(packed, scratch);
  try {
    const options = { catalogs: [], workingDirectory: folder, packedPlaces };
    const blank = requireSound(name, await load(folder, null, options));
    const { kind, value } = blank.source.root;
    if (
      kind !== list.packs ||
      memberOf(value, 'name') !== list.name ||
      memberOf(value, 'version') !== list.version
    )
      throw contradictory(list, 'does not say what its description says');
    const lock = lockOf(blank.source);
    const changed = changedNames(list.lock, lock);
    if (changed.length > 0)
      throw contradictory(list, `locks ${changed.join(', ')} otherwise than its description`);
    if (list.blueprint?.revision === blueprintRevision) {
      const { compiled } = await load(folder, withoutInputs, options);
      if (
        compiled.blueprint === null ||
        digestOf(canonicalJson(compiled.blueprint)) !== list.blueprint.digest
      )
        throw contradictory(list, 'names another blueprint than its description gives');
    }
    return inputs === null ? blank : await load(folder, inputs, options);
  } finally {
    await remove();
  }
}

/** What a blueprint is compiled with when nobody has said anything. */
export const withoutInputs: CompileInputs = { set: {}, recorded: {}, expose: {}, heldSecrets: [] };
