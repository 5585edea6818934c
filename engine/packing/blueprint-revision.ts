/**
 * Rises whenever the compiler makes another blueprint out of an unchanged description.
 *
 * A bundle names its blueprint's digest and this number: the same revision must give the same digest, and a later
 * Sheaf still takes a bundle of an earlier one. A test holds the number against a known blueprint.
 */
export const blueprintRevision = 1;
