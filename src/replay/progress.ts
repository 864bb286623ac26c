// How far a run of calls is, while it runs: one line that is rewritten on a terminal, a plain line every few seconds elsewhere.
import { realClock } from '../clock.ts';
import type { RunState } from './replay-calls.ts';
import { callTime, counted, fit } from './text-layout.ts';

/** Where lines go. `status` is a line that is replaced by the next one; null where the place cannot do that. */
export interface Output {
  out(line: string): void;
  err(line: string): void;
  status: ((line: string) => void) | null;
  columns: number;
}

const REWRITTEN_EVERY_MS = 250;
const PLAIN_EVERY_MS = 5_000;

/** Tells of `state` until the returned function is called. */
export function showProgress(output: Output, state: () => RunState): () => void {
  const { status } = output;
  const startMs = realClock.nowMs();
  const show = () => {
    const line = progressLine(state(), realClock.nowMs() - startMs);
    if (status) status(fit(line, output.columns - 1));
    else output.err(line);
  };
  const timer = setInterval(show, status ? REWRITTEN_EVERY_MS : PLAIN_EVERY_MS);
  if (status) show();
  return () => {
    clearInterval(timer);
    status?.('');
  };
}

/** `00:42.5  3 calls up, 2 done (1 failed), 4 to come; the longest has at least 12 s left` */
export function progressLine({ up, done, failed, waiting, leastLeftMs }: RunState, elapsedMs: number): string {
  return [
    `${callTime(elapsedMs)}  ${counted(up, 'call')} up, ${done} done`,
    failed > 0 ? ` (${failed} failed)` : '',
    waiting > 0 ? `, ${waiting} to come` : '',
    leastLeftMs > 0 ? `; the longest has at least ${Math.ceil(leastLeftMs / 1000)} s left` : '',
  ].join('');
}

/** Names of files and what others sent may hold what steers a terminal: that is shown as what it is. */
export const printable = (text: string): string =>
  text.replace(
    /(?![\n\t])[\p{Cc}\p{Bidi_C}]/gu,
    (char) => `\\u${(char.codePointAt(0) as number).toString(16).padStart(4, '0')}`,
  );

/** The process's own streams. The status line lies below what was printed and is drawn again after each further line. */
export function terminalOutput(stdout: NodeJS.WriteStream, stderr: NodeJS.WriteStream): Output {
  const ERASE = '\r\u001b[2K';
  let shown = '';
  const write = (stream: NodeJS.WriteStream, line: string) => {
    if (shown !== '') stderr.write(ERASE);
    stream.write(`${printable(line)}\n`);
    if (shown !== '') stderr.write(shown);
  };
  const status = (line: string) => {
    shown = printable(line);
    stderr.write(ERASE + shown);
  };
  return {
    out: (line) => write(stdout, line),
    err: (line) => write(stderr, line),
    status: stderr.isTTY ? status : null,
    columns: Math.min(120, stdout.isTTY ? stdout.columns : stderr.isTTY ? stderr.columns : 110),
  };
}
