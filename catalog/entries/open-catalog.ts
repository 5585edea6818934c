import { randomBytes } from 'node:crypto';
import { canonicalJson } from '../../engine/digest.ts';
import { EngineError, type ErrorCode } from '../../engine/errors.ts';
import type { Report } from '../../engine/model/event.ts';
import type { Shelf } from '../shelves/shelf.ts';
import { type Envelope, payloadOf, seal } from '../trust/envelope.ts';
import { judge } from '../trust/judge.ts';
import type { SigningKey } from '../trust/key.ts';
import type { TrustPolicy } from '../trust/policy.ts';
import { jsonOf, requireFresh } from '../trust/statement.ts';
import { putEnvelope, readTaggedEnvelope } from './artifact.ts';
import {
  addStatements,
  type CatalogContent,
  type CatalogEntry,
  type CatalogIndex,
  type CatalogStatement,
  emptyContent,
  isSameContent,
  keyOf,
  readCatalogIndex,
  readCatalogStatement,
} from './catalog-index.ts';
import { type CatalogMemory, requireGrown } from './catalog-memory.ts';
import { remembering } from './remembering.ts';

/** What a catalog is opened with. */
export type CatalogOptions = {
  readonly shelf: Shelf;
  readonly policy: TrustPolicy;
  readonly memory: CatalogMemory;
  /** Takes what cannot be trusted, and says so. */
  readonly isInsecure: boolean;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly report: Report;
  readonly signal: AbortSignal;
};

/** A catalog: what it holds, and who adds to it. */
export interface Catalog {
  readonly options: CatalogOptions;
  /**
   * Reads the index, and remembers it when it may be believed.
   *
   * @param options.mayBeStale - for who is about to renew it
   * @returns undefined when nothing was published yet; the remembered one when the registry does not answer
   * @throws EngineError CATALOG_ROLLED_BACK, CATALOG_STALE, CATALOG_CORRUPT, SIGNATURE_…, as the shelf does
   */
  index(options?: { readonly mayBeStale: boolean }): Promise<CatalogIndex | undefined>;
  /**
   * Adds statements, each lastingly by itself, and then to the index.
   *
   * @param check - looks at what is there, before the statements are written and after; throws to refuse
   * @param before - makes there what the statements tell of
   * @throws EngineError CATALOG_BUSY when others write all the time
   */
  add(
    statements: readonly CatalogStatement[],
    key: SigningKey | undefined,
    check: (content: CatalogContent | undefined) => void,
    before: () => Promise<void>,
  ): Promise<CatalogIndex>;
}

/** The repository of a shelf that holds what the catalog says of itself; no appliance's name has a dot. */
export const indexName = 'sheaf.index';
const indexTag = 'index';
const indexType = 'application/vnd.sheaf.catalog-index.v1+json';
const catalogStatementType = 'application/vnd.sheaf.catalog-statement.v1+json';
const lifetimeMs = 90 * 24 * 60 * 60 * 1000;
const rounds = 12;
/** What may be wrong with somebody else's statement without keeping others from publishing. */
const passedOver: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'CATALOG_CORRUPT',
  'SIGNATURE_MISSING',
  'SIGNATURE_UNTRUSTED',
  'SIGNATURE_WRONG',
  'KEY_EXPIRED',
]);

/** Opens a catalog. Nothing is read before it is needed. */
export function openCatalog(options: CatalogOptions): Catalog {
  const { shelf, policy, memory, isInsecure, now, report, signal } = options;
  const repository = remembering(shelf.repository(indexName));

  const tolerate = (error: EngineError): void => {
    if (!isInsecure) throw error;
    report({
      type: 'warning',
      code: error.code,
      message: `not checked, as --insecure says: ${error.message}`,
    });
  };

  const requireSigned = (what: string, envelope: Envelope, signedAt: string): void => {
    const verdict = judge(policy, {
      subject: { catalog: shelf.name },
      what,
      envelopes: [envelope],
      now: now(),
      signedAt: () => signedAt,
    });
    if (verdict.kind === 'refused') tolerate(verdict.error);
  };

  const read = async (): Promise<CatalogIndex | undefined> => {
    const envelope = await readTaggedEnvelope(repository, indexTag, signal);
    if (envelope === undefined) return undefined;
    const index = readCatalogIndex(payloadOf(requireType(envelope, indexType, shelf)), shelf.name);
    requireSigned(`the index of ${shelf.name}`, envelope, index.issued);
    return index;
  };

  const believe = async (found: CatalogIndex | undefined): Promise<CatalogIndex | undefined> => {
    const seen = await memory.recall(shelf.name);
    try {
      requireGrown(shelf.name, seen, found);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      tolerate(error);
      return found;
    }
    if (found !== undefined && canonicalJson(found) !== canonicalJson(seen))
      await memory.remember(shelf.name, found);
    return found;
  };

  const requireTimely = (index: CatalogIndex | undefined): void => {
    if (index?.expires === undefined || now() < Date.parse(index.expires)) return;
    tolerate(
      new EngineError('CATALOG_STALE', `the index of ${shelf.name} ended on ${index.expires}`, {
        hint: 'An old state may hide newer versions. Whoever publishes there renews it by publishing, also the same version again.',
        details: { catalog: shelf.name },
      }),
    );
  };

  /** Reads the statement under a tag; undefined when there is none, or none that somebody trusted has made. */
  const readStatement = async (tag: string): Promise<CatalogStatement | undefined> => {
    try {
      const envelope = await readTaggedEnvelope(repository, tag, signal);
      if (envelope === undefined) return undefined;
      const statement = readCatalogStatement(
        payloadOf(requireType(envelope, catalogStatementType, shelf)),
        shelf.name,
      );
      if (statementTag(statement) !== tag) return undefined;
      requireSigned(`what is published as ${tag} in ${shelf.name}`, envelope, timeOf(statement));
      return statement;
    } catch (error) {
      // a registry that does not answer must not look like one that has nothing
      if (!(error instanceof EngineError) || !passedOver.has(error.code)) throw error;
      report({ type: 'warning', code: error.code, message: `left out of the index: ${error.message}` });
      return undefined;
    }
  };

  /**
   * Finds what others published under our versions in the same moment: of those who write one tag the last one stands.
   *
   * @param start - the index before anything was written; its versions nobody overtakes
   */
  const overtaken = async (
    statements: readonly CatalogStatement[],
    start: CatalogIndex | undefined,
  ): Promise<readonly CatalogEntry[]> => {
    const settled = new Set(start?.entries.map(keyOf));
    const found: CatalogEntry[] = [];
    for (const statement of statements) {
      if (!('entry' in statement) || settled.has(keyOf(statement.entry))) continue;
      const standing = await readStatement(statementTag(statement));
      if (standing === undefined || !('entry' in standing)) continue;
      if (standing.entry.identity !== statement.entry.identity) found.push(standing.entry);
    }
    return found;
  };

  /** Reads the statements that an index does not have yet; what nobody trusted says is left out. */
  const unheard = async (
    tags: readonly string[],
    index: CatalogIndex | undefined,
  ): Promise<readonly CatalogStatement[]> => {
    const known = new Set(statementsOf(index).map(statementTag));
    const found: CatalogStatement[] = [];
    for (const tag of tags) {
      // a channel moves under its tag, so its mark is looked at each time
      if (tag === indexTag || (known.has(tag) && !tag.startsWith('channel--'))) continue;
      const statement = await readStatement(tag);
      if (statement !== undefined) found.push(statement);
    }
    return found;
  };

  const writeIndex = async (
    before: CatalogIndex | undefined,
    content: ReturnType<typeof addStatements>,
    key: SigningKey | undefined,
  ) => {
    const seen = await memory.recall(shelf.name);
    const issued = now();
    const index: CatalogIndex = {
      apiVersion: 'sheaf/v1',
      kind: 'CatalogIndex',
      id: before?.id ?? randomBytes(16).toString('hex'),
      counter: Math.max(before?.counter ?? 0, seen?.id === before?.id ? (seen?.counter ?? 0) : 0) + 1,
      issued: new Date(issued).toISOString(),
      ...(key !== undefined && { expires: new Date(issued + lifetimeMs).toISOString() }),
      ...content,
    };
    await putEnvelope(repository, indexTag, seal(indexType, canonicalJson(index), key), signal);
  };

  return {
    options,
    index: async ({ mayBeStale } = { mayBeStale: false }) => {
      try {
        const index = await believe(await read());
        if (!mayBeStale) requireTimely(index);
        return index;
      } catch (error) {
        if (!(error instanceof EngineError) || error.code !== 'REGISTRY_UNREACHABLE') throw error;
        const remembered = await memory.recall(shelf.name);
        if (remembered === undefined) throw error;
        requireTimely(remembered);
        report({
          type: 'warning',
          code: error.code,
          message: `${error.message}; what was seen last is used`,
        });
        return remembered;
      }
    },
    add: async (statements, key, check, before) => {
      if (key !== undefined) requireFresh(key, now());
      const write = async (statement: CatalogStatement): Promise<void> => {
        const envelope = seal(catalogStatementType, canonicalJson(statement), key);
        await putEnvelope(repository, statementTag(statement), envelope, signal);
      };
      const checkOrGiveBack = async (index: CatalogIndex | undefined): Promise<void> => {
        try {
          check(index);
        } catch (refusal) {
          // an index that is made again must find the version that won, not the one that came too late
          const own = new Set(statements.map(statementTag));
          const stands = statementsOf(index).filter((each) => 'entry' in each && own.has(statementTag(each)));
          for (const statement of stands) await write(statement);
          throw refusal;
        }
      };
      return await shelf.exclusively(async () => {
        const start = await believe(await read());
        check(start);
        const standing = await overtaken(statements, start);
        // what somebody was killed over before it came into the index
        if (standing.length > 0) check({ ...emptyContent, ...start, entries: standing });
        await before();
        for (const statement of statements) await write(statement);
        // a registry has no lock: what somebody else overwrote is found missing, and added again
        for (let round = 0; round < rounds; round += 1) {
          const [index, rivals, tags] = await Promise.all([
            read(),
            overtaken(statements, start),
            repository.tags(signal),
          ]);
          // both may have written the index before they saw each other: what is refused does not stay in it
          const base = index && without(index, rivals);
          const own = rivals.length === 0 ? statements : [];
          const content = addStatements(base ?? emptyContent, [...(await unheard(tags, base)), ...own]);
          if (rivals.length === 0) await checkOrGiveBack(index);
          if (index !== undefined && isSameContent(index, content)) {
            if (rivals.length > 0) check({ ...index, entries: rivals });
            if (round > 0) {
              await believe(index);
              return index;
            }
          }
          await writeIndex(index, content, key);
        }
        throw new EngineError('CATALOG_BUSY', `others publish to ${shelf.name} all the time`, {
          hint: 'Run the same command again: what was sent is there already.',
        });
      }, signal);
    },
  };
}

/** Names the tag under which a statement lies. A `+` of a version is written `_`, which no version has. */
export function statementTag(statement: CatalogStatement): string {
  if ('entry' in statement) return `entry--${statement.entry.name}_${versionTag(statement.entry.version)}`;
  if ('yank' in statement) return `yank--${statement.yank.name}_${versionTag(statement.yank.version)}`;
  return `channel--${statement.channel.name}_${statement.channel.channel}`;
}

/** Writes a version as a tag. */
export function versionTag(version: string): string {
  return version.replaceAll('+', '_');
}

function statementsOf(index: CatalogIndex | undefined): readonly CatalogStatement[] {
  const head = { apiVersion: 'sheaf/v1', kind: 'CatalogStatement' } as const;
  const { entries, yanked, channels } = index ?? emptyContent;
  return [
    ...entries.map((entry) => ({ ...head, entry })),
    ...yanked.map((yank) => ({ ...head, yank })),
    ...channels.map((channel) => ({ ...head, channel })),
  ];
}

/** Takes away the entries in whose place others stand. */
function without(index: CatalogIndex, rivals: readonly CatalogEntry[]): CatalogIndex {
  const standing = new Map(rivals.map((rival) => [keyOf(rival), rival.identity]));
  const entries = index.entries.filter(
    (entry) => (standing.get(keyOf(entry)) ?? entry.identity) === entry.identity,
  );
  return { ...index, entries };
}

function timeOf(statement: CatalogStatement): string {
  if ('entry' in statement) return statement.entry.published;
  return 'yank' in statement ? statement.yank.at : statement.channel.at;
}

function requireType(envelope: Envelope, type: string, shelf: Shelf): Envelope {
  if (envelope.payloadType === type && jsonOf(payloadOf(envelope)) !== undefined) return envelope;
  throw new EngineError('CATALOG_CORRUPT', `${shelf.name} says something else where its index should be`, {
    hint: 'Does something else than Sheaf write to it?',
  });
}
