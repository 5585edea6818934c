/** Whose doing a failure is: the caller's request, the world around us (pool, disk, tools), or ours. */
export type Fault = 'user' | 'world' | 'sheaf';

type ErrorRow = {
  readonly fault: Fault;
  readonly http: number;
  readonly exit: number;
  readonly meaning: string;
};

/**
 * Every code an {@link EngineError} may carry.
 *
 * Exit codes 0, 1 and 2 mean done, problems in the input, wrong usage; 120 and above belong to `exec`, which
 * otherwise passes the guest's own code through. `docs/errors.md` is generated from this table.
 */
export const errorTable = {
  INPUT_INVALID: {
    fault: 'user',
    http: 422,
    exit: 1,
    meaning: 'The description has problems; nothing was changed.',
  },
  USAGE_WRONG: {
    fault: 'user',
    http: 400,
    exit: 2,
    meaning: 'The command line is not one that this verb takes.',
  },
  SOURCE_MISSING: {
    fault: 'user',
    http: 404,
    exit: 3,
    meaning: 'No application was found at the given place.',
  },
  DEPLOYMENT_MISSING: { fault: 'user', http: 404, exit: 4, meaning: 'No deployment has this name.' },
  DEPLOYMENT_EXISTS: {
    fault: 'user',
    http: 409,
    exit: 5,
    meaning: 'The name belongs to another version or application.',
  },
  DEPLOYMENT_BUSY: { fault: 'user', http: 409, exit: 6, meaning: 'Another operation holds this deployment.' },
  INSTANCE_MISSING: {
    fault: 'user',
    http: 404,
    exit: 7,
    meaning: 'The deployment has no instance of this name.',
  },
  DATA_UNDECIDED: {
    fault: 'user',
    http: 400,
    exit: 8,
    meaning: 'The operation would touch data and was not told whether to keep or delete it.',
  },
  INPUT_REFUSED: {
    fault: 'user',
    http: 422,
    exit: 9,
    meaning: 'A parameter, an exposed address or a name given on the command line is not acceptable.',
  },
  POOL_MISSING: { fault: 'user', http: 404, exit: 10, meaning: 'No pool has this name.' },
  POOL_EMPTY: { fault: 'world', http: 409, exit: 11, meaning: 'The pool has no server.' },
  PLACEMENT_IMPOSSIBLE: {
    fault: 'world',
    http: 409,
    exit: 12,
    meaning: 'No server has room for an instance; the details say which lacks what.',
  },
  ISOLATION_UNAVAILABLE: {
    fault: 'world',
    http: 409,
    exit: 13,
    meaning: 'The pool cannot enforce the wires, so nothing is run on it.',
  },
  TOOL_MISSING: {
    fault: 'world',
    http: 503,
    exit: 14,
    meaning: 'A program that this step needs is not installed.',
  },
  TOOL_FAILED: {
    fault: 'world',
    http: 502,
    exit: 15,
    meaning: 'A program that this step ran ended with an error.',
  },
  ROOT_REQUIRED: {
    fault: 'world',
    http: 403,
    exit: 16,
    meaning: 'The operation needs rights that this user does not have.',
  },
  DISK_FULL: {
    fault: 'world',
    http: 507,
    exit: 17,
    meaning: 'A file system has no room left; nothing half-written was kept.',
  },
  ADDRESS_TAKEN: {
    fault: 'world',
    http: 409,
    exit: 18,
    meaning: 'The address and port asked for are in use.',
  },
  IMAGE_FAILED: { fault: 'world', http: 502, exit: 19, meaning: 'An image could not be built.' },
  PACKAGE_GONE: {
    fault: 'world',
    http: 409,
    exit: 88,
    meaning: 'A Debian package that the lock pins is no longer at the mirror; the hint names the nearest.',
  },
  IMAGE_MISSING: {
    fault: 'world',
    http: 409,
    exit: 20,
    meaning: 'An image is neither stored nor buildable here.',
  },
  BLOB_CORRUPT: {
    fault: 'world',
    http: 500,
    exit: 21,
    meaning: 'Stored bytes do not have the digest that names them.',
  },
  TEMPLATE_FAILED: {
    fault: 'user',
    http: 422,
    exit: 22,
    meaning: 'A configuration template could not be rendered with the settled values.',
  },
  INSTANCE_FAILED: {
    fault: 'world',
    http: 502,
    exit: 23,
    meaning: 'An instance could not be started, or ended at once.',
  },
  INSTANCE_UNHEALTHY: {
    fault: 'world',
    http: 504,
    exit: 24,
    meaning: 'An instance runs but did not become healthy in time.',
  },
  INSTANCE_SILENT: {
    fault: 'world',
    http: 504,
    exit: 25,
    meaning: 'An instance did not answer on its control channel in time, or answered nonsense.',
  },
  STATE_NEWER: {
    fault: 'user',
    http: 409,
    exit: 26,
    meaning: 'The state was written by a newer program; this one leaves it alone.',
  },
  STATE_CORRUPT: {
    fault: 'world',
    http: 500,
    exit: 27,
    meaning: 'The recorded state cannot be read or contradicts itself.',
  },
  SECRET_UNREADABLE: {
    fault: 'world',
    http: 500,
    exit: 28,
    meaning: 'The key of the secrets is missing, readable by others, or not the one they were sealed with.',
  },
  LEASE_LOST: {
    fault: 'world',
    http: 409,
    exit: 29,
    meaning: 'Another process took over this deployment; this one stopped before changing more.',
  },
  OPERATION_INTERRUPTED: {
    fault: 'user',
    http: 409,
    exit: 30,
    meaning: 'The operation was stopped on request; the same command resumes it.',
  },
  DEPLOYMENTS_FAILED: {
    fault: 'world',
    http: 502,
    exit: 31,
    meaning: 'Of several deployments at least one did not come up; the details say which and why.',
  },
  REGISTRY_UNREACHABLE: {
    fault: 'world',
    http: 502,
    exit: 50,
    meaning: 'A registry could not be reached, or kept failing however often it was asked.',
  },
  REGISTRY_REFUSED: {
    fault: 'user',
    http: 403,
    exit: 51,
    meaning: 'A registry does not let this user do what was asked.',
  },
  REGISTRY_MALFORMED: {
    fault: 'world',
    http: 502,
    exit: 52,
    meaning: 'A registry answered something that the protocol does not know.',
  },
  REDIRECT_REFUSED: {
    fault: 'world',
    http: 502,
    exit: 53,
    meaning: 'A registry sent us to a place where it must not send anybody.',
  },
  ANSWER_TOO_LARGE: {
    fault: 'world',
    http: 502,
    exit: 54,
    meaning: 'A registry answered more bytes than it had announced, or than such an answer may have.',
  },
  CONTENT_MISMATCH: {
    fault: 'world',
    http: 502,
    exit: 55,
    meaning: 'What arrived is not what its digest and size promised; nothing of it was kept.',
  },
  CREDENTIALS_UNREADABLE: {
    fault: 'user',
    http: 500,
    exit: 56,
    meaning: 'The credentials for a registry could not be read, or their helper program failed.',
  },
  BUNDLE_UNREADABLE: {
    fault: 'user',
    http: 422,
    exit: 60,
    meaning: 'A file is no bundle, or its texts are not made as those of bundles are.',
  },
  BUNDLE_TRUNCATED: {
    fault: 'user',
    http: 422,
    exit: 61,
    meaning: 'A bundle ends before its last part.',
  },
  BUNDLE_PATH_UNSAFE: {
    fault: 'user',
    http: 422,
    exit: 62,
    meaning: 'A bundle holds an entry whose path leads out of it.',
  },
  BUNDLE_ENTRY_REFUSED: {
    fault: 'user',
    http: 422,
    exit: 63,
    meaning:
      'A bundle holds something else than plain files: a link, a device, a sparse file, an extended header.',
  },
  BUNDLE_ENTRY_DUPLICATE: {
    fault: 'user',
    http: 422,
    exit: 64,
    meaning: 'A bundle holds two entries of one name.',
  },
  BUNDLE_ENTRY_UNLISTED: {
    fault: 'user',
    http: 422,
    exit: 65,
    meaning: 'A bundle holds an entry that its manifest does not name.',
  },
  BUNDLE_TOO_LARGE: {
    fault: 'user',
    http: 422,
    exit: 66,
    meaning: 'A bundle has more entries, longer texts, or a layer that unpacks to more than is taken.',
  },
  BUNDLE_SIZE_WRONG: {
    fault: 'user',
    http: 422,
    exit: 67,
    meaning: 'A part of a bundle has not the size that its manifest gives it.',
  },
  BUNDLE_DIGEST_WRONG: {
    fault: 'user',
    http: 422,
    exit: 68,
    meaning: 'A part of a bundle has not the digest that names it.',
  },
  BUNDLE_TYPE_UNKNOWN: {
    fault: 'user',
    http: 422,
    exit: 69,
    meaning: 'A bundle needs a newer Sheaf: it has a part or format that this one does not know.',
  },
  BUNDLE_INCOMPLETE: {
    fault: 'user',
    http: 409,
    exit: 70,
    meaning: 'A thin or delta bundle lacks parts that are not stored here either.',
  },
  BUNDLE_CONTRADICTORY: {
    fault: 'user',
    http: 422,
    exit: 71,
    meaning: 'The parts of a bundle do not agree with its packing list.',
  },
  VERSION_MISSING: {
    fault: 'user',
    http: 404,
    exit: 57,
    meaning: 'No catalog has this name, or none of its versions is allowed.',
  },
  VERSION_EXISTS: {
    fault: 'user',
    http: 409,
    exit: 58,
    meaning: 'This version is published already, with other content; published versions never change.',
  },
  CATALOG_BUSY: {
    fault: 'world',
    http: 409,
    exit: 59,
    meaning: 'Others publish to the catalog all the time, or one of them holds it.',
  },
  CATALOG_CORRUPT: {
    fault: 'world',
    http: 502,
    exit: 72,
    meaning: 'What a catalog says of itself cannot be read or contradicts itself.',
  },
  CATALOG_STALE: {
    fault: 'world',
    http: 502,
    exit: 73,
    meaning:
      'The index of a catalog is past its time, so newer versions and withdrawals may be kept from us.',
  },
  CATALOG_ROLLED_BACK: {
    fault: 'world',
    http: 502,
    exit: 74,
    meaning: 'A catalog shows less than it has shown before, or is another one.',
  },
  SIGNATURE_MISSING: {
    fault: 'user',
    http: 403,
    exit: 75,
    meaning: 'Something from outside carries no signature, and the trust policy does not accept it so.',
  },
  SIGNATURE_WRONG: {
    fault: 'user',
    http: 403,
    exit: 76,
    meaning: 'A signature does not fit what it stands for.',
  },
  SIGNATURE_UNTRUSTED: {
    fault: 'user',
    http: 403,
    exit: 77,
    meaning: 'Nobody whom the trust policy names has signed it.',
  },
  KEY_EXPIRED: {
    fault: 'user',
    http: 403,
    exit: 78,
    meaning: 'A signature was made after its key had ended.',
  },
  KEY_UNREADABLE: {
    fault: 'user',
    http: 422,
    exit: 79,
    meaning: 'A key file is none, may be read by others, or its passphrase is another one.',
  },
  PROVIDER_UNREACHABLE: {
    fault: 'world',
    http: 502,
    exit: 34,
    meaning: 'The provider of a pool, such as a Docker Engine, does not answer.',
  },
  STATE_EXISTS: {
    fault: 'user',
    http: 409,
    exit: 32,
    meaning: 'There is a state already where another one was to be restored.',
  },
  FILE_UNUSABLE: {
    fault: 'world',
    http: 500,
    exit: 33,
    meaning:
      'The system refuses a file or folder: it is of another kind than it has to be, in use, or broken.',
  },
  VOLUME_BUSY: {
    fault: 'user',
    http: 409,
    exit: 91,
    meaning: 'A volume is in use and cannot be written from outside.',
  },
  UPGRADE_FAILED: {
    fault: 'user',
    http: 409,
    exit: 94,
    meaning: 'Another version did not come up as it has to, so the deployment went back to the one before.',
  },
  VOLUME_FULL: { fault: 'world', http: 507, exit: 92, meaning: 'The data do not fit into a volume.' },
  VOLUME_UNUSABLE: {
    fault: 'world',
    http: 502,
    exit: 93,
    meaning: 'A volume cannot be read or written, or it holds what no volume can.',
  },
  MOVE_REFUSED: {
    fault: 'user',
    http: 409,
    exit: 44,
    meaning:
      'A deployment cannot be moved there; the details say all that stands against it. Nothing was changed.',
  },
  MOVE_UNFINISHED: {
    fault: 'user',
    http: 409,
    exit: 45,
    meaning: 'A deployment has a move that waits to go on, to be confirmed or to be undone.',
  },
  DEPLOYMENT_MOVED: {
    fault: 'user',
    http: 409,
    exit: 47,
    meaning: 'This copy of a deployment is not the valid one: its services were stopped for a move.',
  },
  BACKUP_UNREADABLE: {
    fault: 'user',
    http: 422,
    exit: 97,
    meaning: 'A file is no backup of a deployment, or it is damaged or cut off.',
  },
  BACKUP_LOCKED: {
    fault: 'user',
    http: 403,
    exit: 95,
    meaning: 'A backup is encrypted, and what was given does not open it.',
  },
  BACKUP_INCOMPLETE: {
    fault: 'user',
    http: 422,
    exit: 96,
    meaning: 'A backup needs another one, or images, that are not here.',
  },
  EXEC_FAILED: {
    fault: 'world',
    http: 502,
    exit: 120,
    meaning: 'The command could not be started in the instance.',
  },
  INTERNAL_ERROR: {
    fault: 'sheaf',
    http: 500,
    exit: 99,
    meaning: 'A mistake of the program; please report it.',
  },
} as const satisfies Record<string, ErrorRow>;

/** The name of a failure; callers branch on it, never on the message. */
export type ErrorCode = keyof typeof errorTable;

/** What an {@link EngineError} carries beside its code and message. */
export type ErrorOptions = {
  /** What to do about it: one imperative sentence. */
  readonly hint?: string;
  /** Facts for programs; never secrets. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
};

/** An act that failed. Says what and where; the hint says what to do. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    this.details = options.details ?? {};
  }
}

/** Gives the process exit code that the error table assigns to a failure. */
export function exitCodeOf(error: unknown): number {
  return error instanceof EngineError ? errorTable[error.code].exit : errorTable.INTERNAL_ERROR.exit;
}
