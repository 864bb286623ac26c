// The network of a replayed call: what the caller file says, unless a flag says otherwise, as the phone takes it.
import type { NetworkYaml } from './caller-schema.ts';
import type { NetworkOptions } from '../phone/stream-options.ts';

/** @param nth how many calls of the same file went before: each has chances of its own, the same in every run */
export function networkOptions(file: NetworkYaml, flags: NetworkYaml, nth: number): NetworkOptions {
  const delayMs = flags.delay_ms ?? file.delay_ms ?? 0;
  const burst = flags.burst ?? file.burst;
  const lost = flags.lose_socket_at ?? file.lose_socket_at ?? [];
  return {
    toServerMs: delayMs,
    fromServerMs: delayMs,
    jitterMs: flags.jitter_ms ?? file.jitter_ms ?? 0,
    ...(burst ? { burstMs: burst.ms, burstEveryMs: burst.every_seconds * 1000 } : {}),
    loseSocketAtMs: [lost].flat().map((seconds) => seconds * 1000),
    seed: (flags.seed ?? file.seed ?? 1) + nth,
  };
}
