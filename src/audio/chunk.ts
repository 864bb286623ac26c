// Audio as it travels through the product: opaque, with a length.

/** A piece of PCMU as it came off a wire: base64 text and the number of bytes it decodes to. */
export interface AudioChunk {
  payload: string;
  bytes: number;
}
