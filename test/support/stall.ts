// How long this process stood still at a time: what is measured in it may be late by as much, and no code of ours is to blame.
import { monitorEventLoopDelay } from 'node:perf_hooks';

const delay = monitorEventLoopDelay({ resolution: 5 });
delay.enable();

/** The longest stall so far, in whole milliseconds. */
export const longestStallMs = (): number => Math.ceil(delay.max / 1e6);
