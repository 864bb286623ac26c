// One clock for all processes of a measurement: the machine's monotonic one, which `performance.now()` counts from a start
// of its own in every process. A table of times goes to another process together with this number; nothing else is needed.

/** What turns this process's `performance.now()` into a time that every process of this machine means alike, ms. */
export const CLOCK_ORIGIN_MS = Number(process.hrtime.bigint()) / 1e6 - performance.now();

/** Now, by the clock that all processes share, ms. */
export const sharedNowMs = (): number => CLOCK_ORIGIN_MS + performance.now();
