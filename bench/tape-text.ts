// The text of a call's tape, as the recorder would write it had it no bound and no disk: for benches and tests that read it.
import type { OnlookerFactory } from '../src/call/feed.ts';
import { printHeader, TapePrinter } from '../src/tape/tape.ts';

/** @param add given the header and then line by line what the tape holds, each with its newline */
export const tapeText =
  (add: (text: string) => void): OnlookerFactory =>
  (call) => {
    const printer = new TapePrinter(call.opening);
    add(printHeader(call, 'text'));
    return {
      input: (atMs, input) => add(printer.input(atMs, input)),
      frame: (frame) => add(printer.frameText(frame)),
      stepped: (event, effects) => add(printer.stepped(event, effects)),
      sent: (atMs, message) => add(printer.sent(atMs, message)),
      closed: (atMs) => add(printer.closed(atMs)),
    };
  };
