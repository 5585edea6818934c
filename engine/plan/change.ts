import { canonicalJson, type Digest, digestOf } from '../digest.ts';
import type { Observation } from '../model/observation.ts';
import type { Change, Desired, InstanceState } from '../model/step.ts';
import type { Recorded } from '../model/store.ts';

/** An object as it was found at the provider. */
export type Found = Observation['objects'][number];

/** Gives the digest that a driver attaches to an object that it brought to a state. */
export function fingerprintOf(state: Desired['state']): Digest {
  return digestOf(canonicalJson(state));
}

/** Tells whether something of the object exists. */
export function exists(found: Found | undefined): found is Found {
  return found !== undefined && !(found.kind === 'instance' && found.condition === 'absent');
}

/**
 * Tells what has to be done to an object that shall exist; undefined when it is as it shall be.
 *
 * Repairs what was removed or altered behind our back, and what a killed step left half-made.
 *
 * @param isNetworkNew - the network below is made anew, so whatever hung on it hangs on nothing
 */
export function changeOf(
  desired: Desired,
  recorded: Recorded | undefined,
  found: Found | undefined,
  isNetworkNew: boolean,
): Exclude<Change, 'remove'> | undefined {
  // it is of the moment when it was taken: another one would not be the same
  if (desired.kind === 'snapshot' && recorded?.isSettled) return undefined;
  if (!exists(found)) return 'create';
  const wanted = fingerprintOf(desired.state);
  const isAsWanted = found.fingerprint === wanted;
  const isKnown = recorded?.isSettled === true && fingerprintOf(recorded.state) === wanted;
  if (desired.kind === 'instance') {
    if (isNetworkNew || (found.kind === 'instance' && isOver(found.condition))) return 'replace';
    if (isAsWanted) return isKnown ? undefined : 'update';
    // half-made: the driver knows how far it came
    if (found.fingerprint === null || canUpdate(desired.state, recorded, found)) return 'update';
    return 'replace';
  }
  const works = found.kind === 'instance' || found.works;
  // a volume works when its disk is there; finished once and gone now, its data is lost
  if (desired.kind === 'volume' && !works && found.fingerprint !== null) return 'create';
  const isAdrift = isNetworkNew && (desired.kind === 'policy' || desired.kind === 'endpoint');
  return isAsWanted && isKnown && works && !isAdrift ? undefined : 'update';
}

/** Tells of an instance's condition that it does no work any more. */
export function isOver(condition: string): boolean {
  return condition === 'stopped' || condition === 'failed' || condition === 'stopping';
}

// in place only from a state that is surely there: recorded, finished, and found with the same fingerprint
function canUpdate(desired: InstanceState, recorded: Recorded | undefined, found: Found): boolean {
  if (recorded?.kind !== 'instance' || !recorded.isSettled) return false;
  if (found.fingerprint !== fingerprintOf(recorded.state)) return false;
  return canonicalJson(machineOf(desired)) === canonicalJson(machineOf(recorded.state));
}

/** The part of an instance that cannot change while it runs. */
function machineOf(state: InstanceState) {
  const {
    kit,
    layers,
    joined,
    cpuMillicores,
    memoryBytes,
    volumes,
    mac,
    address,
    prefix,
    gateway,
    server,
    hostname,
  } = state;
  return {
    kit,
    layers,
    joined,
    cores: Math.ceil(cpuMillicores / 1000), // whole processors; their share can change

    memoryBytes,
    volumes,
    mac,
    address,
    prefix,
    gateway,
    server,
    hostname,
  };
}
