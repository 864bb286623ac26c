// The caller audio a session has received lately, for tests that listen to what the model heard.

/** A rolling copy of a byte stream that can be read by absolute position. */
export class HeardAudio {
  #limitBytes: number;
  #chunks: Buffer[] = [];
  #keptBytes = 0;
  #endByte = 0;

  /** @param limitBytes kept at most; 0 keeps nothing */
  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  push(bytes: Buffer): void {
    this.#endByte += bytes.length;
    if (this.#limitBytes === 0) return;
    this.#chunks.push(bytes);
    this.#keptBytes += bytes.length;
    while (this.#keptBytes > this.#limitBytes && this.#chunks.length > 1)
      this.#keptBytes -= (this.#chunks.shift() as Buffer).length;
  }

  /** Everything still kept, in one piece. */
  all(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  /** Bytes `from`..`to` counted from the first ever received; undefined once they have rolled away. */
  slice(from: number, to: number): Buffer | undefined {
    const startByte = this.#endByte - this.#keptBytes;
    return from < startByte || to > this.#endByte ? undefined : this.all().subarray(from - startByte, to - startByte);
  }
}
