import { EngineError } from '../../engine/errors.ts';
import type { CatalogOptions } from '../entries/open-catalog.ts';
import type { SigningKey } from './key.ts';
import { trustFor } from './policy.ts';

/**
 * Refuses to write to a catalog what nobody would take out of it, before anything of it is sent.
 *
 * @throws EngineError SIGNATURE_MISSING without a key where the policy wants signatures
 */
export function requireSigner(
  { shelf, policy, isInsecure }: Pick<CatalogOptions, 'shelf' | 'policy' | 'isInsecure'>,
  key: SigningKey | undefined,
): void {
  if (key !== undefined || isInsecure || trustFor(policy, { catalog: shelf.name }).acceptsUnsigned) return;
  throw new EngineError('SIGNATURE_MISSING', `what is published in ${shelf.name} must be signed`, {
    hint: 'Give --key; sheaf key new makes one. --insecure publishes unsigned, for those who take it so.',
  });
}
