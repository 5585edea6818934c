import type { Service } from '../model/blueprint.ts';

/**
 * Finds services that wait for each other.
 *
 * @returns the first cycle, each service before the one that it waits for; undefined when there is none
 */
export function findServiceCycle(services: readonly Service[]): readonly string[] | undefined {
  const after = new Map(services.map((service) => [service.name, service.after]));
  const done = new Set<string>();
  const visit = (name: string, path: readonly string[]): readonly string[] | undefined => {
    const start = path.indexOf(name);
    if (start >= 0) return path.slice(start);
    if (done.has(name)) return undefined;
    done.add(name);
    for (const next of after.get(name) ?? []) {
      const cycle = visit(next, [...path, name]);
      if (cycle !== undefined) return cycle;
    }
    return undefined;
  };
  for (const { name } of services) {
    const cycle = visit(name, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}
