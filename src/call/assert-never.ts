// The end of every switch over a union: the compiler lists the places to think about when a member is added.

/** Never reached if types hold; throws what it got otherwise. */
export function assertNever(value: never): never {
  throw new Error(`unexpected: ${JSON.stringify(value)}`);
}
