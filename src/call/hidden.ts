// What a caller keys in where nobody may see it: digits go into a drawer that only a tool opens, and everybody else,
// tape and recording included, gets silence and anonymous keys in their place.
import type { AudioChunk } from '../audio/chunk.ts';
import { FRAME_BYTES, silence } from '../audio/mulaw.ts';
import type { LegEvent } from '../carrier/carrier.ts';
import { isDigit } from './collecting.ts';

const SILENT_FRAME: AudioChunk = { payload: silence(FRAME_BYTES).toString('base64'), bytes: FRAME_BYTES };
/** In place of a digit. */
export const HIDDEN_KEY = 'x';
const AGAIN_KEY = '*';

/** The digits of one call, by field. */
export class Drawer {
  readonly #kept = new Map<string, string>();
  #open: { field: string; endKey: string; max: number; digits: string } | null = null;

  /** From now on keys belong to this field. */
  collect(field: string, endKey: string, max: number): void {
    this.#kept.delete(field);
    this.#open = { field, endKey, max, digits: '' };
  }

  /** A key was pressed; what may be told of it. */
  press(key: string): string {
    const open = this.#open;
    if (open === null) return HIDDEN_KEY;
    if (!isDigit(key)) {
      if (key === AGAIN_KEY && key !== open.endKey) open.digits = '';
      return key;
    }
    if (open.digits.length < open.max) open.digits += key;
    return HIDDEN_KEY;
  }

  done(field: string, keep: boolean): void {
    if (keep && this.#open?.field === field) this.#kept.set(field, this.#open.digits);
    this.#open = null;
  }

  /** What was keyed in under this name; null: nothing. */
  digits(field: string): string | null {
    return this.#kept.get(field) ?? null;
  }

  /** The call is over. */
  empty(): void {
    this.#kept.clear();
    this.#open = null;
  }
}

/** A leg's event as everybody but the drawer may see it. Null: no drawer takes a key. */
export function hidden(event: LegEvent, drawer: Drawer | null): LegEvent {
  if (event.type === 'leg.audio') return { ...event, chunk: silentLike(event.chunk) };
  if (event.type === 'leg.digit_pressed') return { ...event, digit: drawer?.press(event.digit) ?? HIDDEN_KEY };
  return event;
}

const silentLike = ({ bytes }: AudioChunk): AudioChunk =>
  bytes === FRAME_BYTES ? SILENT_FRAME : { payload: silence(bytes).toString('base64'), bytes };
