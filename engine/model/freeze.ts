/**
 * Freezes a value of plain objects and lists with everything in it, and gives it back.
 *
 * What is frozen already is taken to be frozen all the way down, so shared parts are walked once.
 */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const member of Object.values(value)) deepFreeze(member);
  return value;
}
