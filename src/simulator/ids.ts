// Ids that look like the API's: a prefix and base62 characters. Clients must treat them as opaque.
import { randomBytes } from 'node:crypto';

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const LENGTH = { sess: 21, conv: 21, event: 21, item: 21, resp: 21, call: 24 } as const;

/** A fresh id such as `item_8fQ…`; 21 characters after the prefix, 24 for `call`. */
export function newId(prefix: keyof typeof LENGTH): string {
  let id = `${prefix}_`;
  for (const byte of randomBytes(LENGTH[prefix])) id += BASE62[byte % 62];
  return id;
}
