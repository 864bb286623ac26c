// Reads the header `Range` of a request for a file (RFC 9110, 14.2). Pure.

/** Bytes of a file, from the first up to and without `to`. */
export interface ByteRange {
  from: number;
  to: number;
}

const DIGITS = 15;
const ONE_RANGE = new RegExp(`^bytes=(\\d{0,${DIGITS}})-(\\d{0,${DIGITS}})$`, 'i');

/**
 * `whole`: none was asked for, or one that may be ignored (several, another unit, garbage), which the standard allows.
 * `beyond`: there is nothing there.
 * @param size bytes of the file
 */
export function readRange(header: string | undefined, size: number): ByteRange | 'whole' | 'beyond' {
  const [, first, last] = ONE_RANGE.exec(header?.replaceAll(' ', '') ?? '') ?? [];
  if (first === undefined || last === undefined || (first === '' && last === '')) return 'whole';
  // The last so many bytes.
  if (first === '')
    return Number(last) === 0 || size === 0 ? 'beyond' : { from: Math.max(0, size - Number(last)), to: size };
  const from = Number(first);
  if (last !== '' && Number(last) < from) return 'whole';
  if (from >= size) return 'beyond';
  return { from, to: last === '' ? size : Math.min(size, Number(last) + 1) };
}
