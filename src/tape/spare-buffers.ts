// Buffers that are used again: what waits for the disk of many calls, one after the other, would otherwise lie about until the
// garbage collector has a reason to come.

/** Buffers of one size, for all calls of the process. */
export class SpareBuffers {
  readonly #bytes: number;
  readonly #mostKept: number;
  readonly #spare: Buffer[] = [];

  /** @param mostKept beyond so many, one that is given back is let go */
  constructor(bytes: number, mostKept: number) {
    this.#bytes = bytes;
    this.#mostKept = mostKept;
  }

  /** One of at least `bytes`, with anything in it. */
  take(bytes = this.#bytes): Buffer {
    if (bytes > this.#bytes) return Buffer.allocUnsafeSlow(bytes);
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(this.#bytes);
  }

  /** Nobody uses it, or a part of it, any more. */
  give(buffer: Buffer): void {
    if (buffer.length === this.#bytes && this.#spare.length < this.#mostKept) this.#spare.push(buffer);
  }
}
