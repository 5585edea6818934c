import type { Health, Service, Transport } from './blueprint.ts';

/** What an OCI image's own configuration says of running it. */
export type ImageDefaults = {
  /** Entry point and arguments; empty when the image names neither. */
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** `user` or `user:group`, by name or number; root when absent. */
  readonly user?: string;
  readonly directory?: string;
  /** Without `SIG`. */
  readonly stopSignal: string;
  /** Folders that the image expects to outlive it. */
  readonly volumes: readonly string[];
  /** Where its programs say that they listen. */
  readonly ports: readonly { readonly port: number; readonly transport: Transport }[];
  /** Of an appliance that names no probe of its own. */
  readonly health?: Health;
};

/** The name of the service that an image's own command becomes. */
const ownService = 'main';
const stopTimeoutMs = 10_000;

/**
 * Gives the services of an appliance whose image says itself how it is run.
 *
 * An appliance that names none gets one, `main`, of the image's command. Those that it names keep what they say; the
 * image's environment, user and folder fill what they leave open.
 */
export function servicesWith(
  services: readonly Service[],
  defaults: ImageDefaults | undefined,
): readonly Service[] {
  if (defaults === undefined) return services;
  const { command, environment, user, directory, stopSignal } = defaults;
  const common = {
    ...(user !== undefined && { user }),
    ...(directory !== undefined && { directory }),
  };
  if (services.length > 0)
    return services.map((service) => ({
      ...common,
      ...service,
      environment: { ...environment, ...service.environment },
    }));
  if (command.length === 0) return [];
  const stop = { signal: stopSignal, timeoutMs: stopTimeoutMs };
  return [{ name: ownService, command, after: [], environment, ...common, stop }];
}
