// One text for equal arguments, and the idempotency key of one effect.
import { createHash } from 'node:crypto';

/** JSON with sorted keys and composed letters: equal for arguments that differ only in how they were written. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner === 'string') return inner.normalize('NFC');
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
  });
}

/** 32 hex digits that depend on every part, in its place. No part can be read from it. */
export const keyOf = (...parts: readonly (string | number)[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
