import type { LimitFunction } from 'p-limit';
import type { Blobs, Descriptor } from '../../model/blob.ts';
import type { EngineApi } from './engine-api.ts';

/** What the parts of the driver share. */
export type DriverContext = {
  readonly pool: string;
  /** Marks what belongs to this home: others may use the same Engine. */
  readonly home: string;
  readonly api: EngineApi;
  readonly blobs: Blobs;
  /** This installation's own attendant, stored: sandboxes and doors run it, never one that a kit names. */
  readonly attendant: (signal: AbortSignal) => Promise<Descriptor>;
  /** Lets one image be loaded after the other, so that a layer which they share is sent once. */
  readonly loading: LimitFunction;
  /** Lets one change of records follow another. */
  readonly keeping: LimitFunction;
  /** Lets one choice of a door's address follow another. */
  readonly choosing: LimitFunction;
};
