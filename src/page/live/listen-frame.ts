// What comes over the socket of a listener: `[1 byte side][uint32 start, ms since media start][mu-law]`, and orders as text.
// Pure.

export type Side = 'caller' | 'agent';
export const SIDES = ['caller', 'agent'] as const;

export interface Frame {
  side: Side;
  startMs: number;
  /** PCMU, 8 bytes a millisecond. */
  audio: Uint8Array;
}

const HEADER_BYTES = 5;
/** Ten seconds of one side: more is nothing that the server sends. */
const MOST_BYTES = HEADER_BYTES + 80_000;

/** null: not one of ours. */
export function readFrame(data: ArrayBuffer): Frame | null {
  if (data.byteLength <= HEADER_BYTES || data.byteLength > MOST_BYTES) return null;
  const view = new DataView(data);
  const side = SIDES[view.getUint8(0)];
  if (side === undefined) return null;
  return { side, startMs: view.getUint32(1), audio: new Uint8Array(data, HEADER_BYTES) };
}

export type ListenOrder = { event: 'cleared'; atMs: number } | { event: 'gone' };

/** null: not one of ours. */
export function readOrder(text: string): ListenOrder | null {
  let order: unknown;
  try {
    order = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof order !== 'object' || order === null || !('event' in order)) return null;
  if (order.event === 'gone') return { event: 'gone' };
  if (order.event === 'cleared' && 'atMs' in order && typeof order.atMs === 'number' && Number.isFinite(order.atMs))
    return { event: 'cleared', atMs: order.atMs };
  return null;
}
