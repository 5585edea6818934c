/** What may stand in a place of the command line, as far as completing it goes. */
export type CandidateKind =
  | 'deployment'
  | 'instance'
  | 'pool'
  | 'appliance'
  | 'file'
  | 'folder'
  | 'verb'
  /** Something that only the user knows. */
  | 'free';

/** By placeholder, as the help shows it. */
const kinds: Readonly<Record<string, CandidateKind>> = {
  appliance: 'appliance',
  'appliance=count': 'free',
  bundle: 'file',
  catalog: 'folder',
  command: 'free',
  dir: 'folder',
  duration: 'free',
  file: 'file',
  folder: 'folder',
  instance: 'instance',
  key: 'free',
  name: 'deployment',
  'name@range': 'free',
  'name@version': 'free',
  'name=path': 'free',
  'name=value': 'free',
  path: 'file',
  pattern: 'free',
  place: 'folder',
  pool: 'pool',
  protocol: 'free',
  source: 'file',
  'terminal=address:port': 'free',
  text: 'free',
  user: 'free',
  verb: 'verb',
  word: 'free',
};

/** Where a placeholder means something else than everywhere; by verb and placeholder. */
const exceptions: Readonly<Record<string, CandidateKind>> = {
  'build name': 'appliance',
  'copy --as': 'free',
  'init name': 'free',
  'key new name': 'free',
  'lock name': 'appliance',
  'restore --as': 'free',
  'sbom source': 'appliance',
};

/**
 * Tells what a placeholder stands for.
 *
 * @param verb - `pool show`
 * @param place - the placeholder of an argument (`path`), or an option with its own (`--home dir`)
 * @returns undefined when nobody has said it
 */
export function kindOf(verb: string, place: string): CandidateKind | undefined {
  const [option, placeholder = place] = place.split(' ');
  return exceptions[`${verb} ${option}`] ?? exceptions[`${verb} ${placeholder}`] ?? kinds[placeholder];
}
