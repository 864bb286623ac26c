// The tape's text: every line reads back to what was printed, nothing private of the audio is on it, and a file that a
// crash cut short is read as far as it goes.
import { expect, test } from 'vitest';
import type { CallEffect } from '../../src/call/effect.ts';
import type { CallEvent, UnstampedEvent } from '../../src/call/event.ts';
import { FRAME_LINE_BYTES, printFrameLine } from '../../src/tape/frame-line.ts';
import {
  parseTape,
  printHeader,
  reviveAudio,
  type TapeEntry,
  TapeError,
  TapePrinter,
  timeOf,
} from '../../src/tape/tape.ts';
import { stagedFacts } from './staged-call.ts';
import fc from '../support/fast-check.ts';

const facts = stagedFacts();
const { opening } = facts;
const { on } = opening;
const HEADER = printHeader(facts, '0.1.0');

const read = (...lines: string[]): readonly TapeEntry[] => parseTape(HEADER + lines.join('')).entries;
const stamped = (event: UnstampedEvent, atMs: number): CallEvent => ({ ...event, atMs, on });

const frame = (sequence: number, timestampMs: number) =>
  ({ type: 'leg.audio', sequence, timestampMs, chunk: { payload: 'A'.repeat(212) + 'AAA=', bytes: 160 } }) as const;

test('reads back the header it printed', () => {
  const { header } = parseTape(HEADER);
  expect(header.opening).toEqual(opening);
  expect(header.sessionConfig).toEqual(facts.sessionConfig);
  expect(header).toMatchObject({
    v: 2,
    trunkline: '0.1.0',
    callId: opening.callId,
    direction: 'inbound',
    wallMs: facts.wallMs,
    agent: { name: 'garage', file: 'garage.yaml', hash: 'ab'.repeat(32) },
  });
});

test('leaves the last two digits of a number and nothing of any other address', () => {
  expect(parseTape(HEADER).header).toMatchObject({ caller: 'pstn:…89', called: 'pstn:…67' });
  expect(HEADER).not.toContain('4930123456789');
  const from = { kind: 'sip', value: 'sip:eva.jansen17@example.org' } as const;
  const to = { kind: 'pstn', value: '+112' } as const;
  expect(parseTape(printHeader({ ...facts, incoming: { ...facts.incoming, from, to } }, '1')).header).toMatchObject({
    caller: 'sip',
    called: 'pstn',
  });
});

test('gives back the very time that the machines got, to the last bit', () => {
  const printer = new TapePrinter(opening);
  const event = { type: 'leg.digit_pressed', digit: '4' } as const;
  const whole = Array.from({ length: 2_000 }, (_, i) => Math.round((opening.atMs + i * 1_801.123_457) * 1e6) / 1e6);
  const odd = [opening.atMs + 1 / 3, opening.atMs + Math.PI, opening.atMs + Number.EPSILON * 2 ** 17];
  const times = [...whole, ...odd];
  const entries = read(...times.map((atMs) => printer.input(atMs, { from: 'call', event })));
  expect(entries.map((e) => e.atMs)).toEqual(times);
  // Whole nanoseconds need no second number on the line.
  expect(entries.filter((e) => e.text.includes('"at"'))).toHaveLength(odd.length);
});

test('keeps any base and any whole nanosecond apart', () => {
  for (const baseMs of [0, 0.000_001, 512.000_003, 8_640_000_123.456_789])
    for (const deltaNs of [0, 1, 999_999, 20_000_001, 3_600_000_000_001]) {
      const atMs = (Math.round(baseMs * 1e6) + deltaNs) / 1e6;
      expect(timeOf(baseMs, Math.round((atMs - baseMs) * 1e6) / 1e6)).toBe(atMs);
    }
});

/** The short line of a frame; empty where there is none. */
function shortLine(printer: TapePrinter, event: ReturnType<typeof frame>, atMs: number): string {
  const out = Buffer.alloc(FRAME_LINE_BYTES + 3, '~');
  const end = printer.frame({ ...event, atMs, on }, out, 3);
  expect(out.toString('latin1', 0, 3)).toBe('~~~');
  return out.toString('latin1', 3, end);
}

test('writes one short line for a frame that only went on to the model', () => {
  const printer = new TapePrinter(opening);
  const atMs = opening.atMs + 300;
  const line = shortLine(printer, frame(7, 140), atMs);
  expect(line).toBe('{"t":300,"frame":[7,140,160]}\n');
  expect(read(line)).toMatchObject([
    { line: 2, kind: 'frame', atMs, sequence: 7, timestampMs: 140, audio: { bytes: 160, ref: 0 } },
  ]);
});

test('the short line of any frame says what its numbers print as, and fits', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 2 ** 45 }),
      fc.integer({ min: 0, max: 10 ** 15 - 1 }),
      fc.integer({ min: 0, max: 10 ** 15 - 1 }),
      fc.integer({ min: 0, max: 32_250 }),
      (ns, sequence, timestampMs, bytes) => {
        const out = Buffer.alloc(FRAME_LINE_BYTES);
        const end = printFrameLine(out, 0, ns, sequence, timestampMs, bytes);
        const line = { t: ns / 1e6, frame: [sequence, timestampMs, bytes] };
        expect(out.toString('latin1', 0, end)).toBe(`${JSON.stringify(line)}\n`);
      },
    ),
    { numRuns: 2_000 },
  );
});

test('has no short line for a frame at no whole nanosecond, or with a number that no wire brings', () => {
  const printer = new TapePrinter(opening);
  expect(shortLine(printer, frame(7, 140), opening.atMs + 1 / 3)).toBe('');
  expect(shortLine(printer, frame(7, 140), opening.atMs - 1)).toBe('');
  expect(shortLine(printer, frame(-1, 140), opening.atMs)).toBe('');
  expect(shortLine(printer, frame(7, 0.5), opening.atMs)).toBe('');
});

test('writes a frame in full when it caused anything else, and counts its bytes all the same', () => {
  const printer = new TapePrinter(opening);
  const lines: string[] = [];
  const feed = (event: ReturnType<typeof frame>, effects: CallEffect[]) => {
    const atMs = opening.atMs + event.timestampMs;
    if (effects.length === 1) return void lines.push(shortLine(printer, event, atMs));
    lines.push(printer.input(atMs, { from: 'call', event }), printer.stepped(stamped(event, atMs), effects));
  };
  const first = frame(1, 20);
  const second = frame(2, 100);
  const third = frame(3, 120);
  feed(first, [{ do: 'session.append', chunk: first.chunk, on }]);
  feed(second, [
    { do: 'session.append_silence', ms: 60, on },
    { do: 'note.filled', ms: 60, why: 'gap', on },
    { do: 'session.append', chunk: second.chunk, on },
  ]);
  feed(third, []);
  const entries = read(...lines);
  expect(entries.map((e) => e.kind)).toEqual(['frame', 'input', 'effects', 'input']);
  expect(entries[1]).toMatchObject({
    input: { event: { type: 'leg.audio', sequence: 2, timestampMs: 100, chunk: { bytes: 160, ref: 160 } } },
  });
  expect(entries[2]).toMatchObject({ effects: [{}, {}, { do: 'session.append', chunk: { bytes: 160, ref: 160 } }] });
  expect(entries[3]).toMatchObject({ input: { event: { chunk: { bytes: 160, ref: 320 } } } });
});

test("puts the model's audio on the tape by its length and place only, and brings it back as a chunk", () => {
  const printer = new TapePrinter(opening);
  const message = (payload: string, bytes: number) => ({
    kind: 'message',
    eventId: 'event_1',
    message: { type: 'audio', responseId: 'r', itemId: 'i', chunk: { payload, bytes } },
  });
  const second = message('U0VDUkVU', 6);
  const lines = [
    printer.input(opening.atMs, { from: 'session', session: 's1', input: message('c2VjcmV0IQ==', 7) }),
    printer.input(opening.atMs, { from: 'session', session: 's1', input: second }),
    printer.stepped(stamped({ type: 'utterance.audio', utterance: 'u1', chunk: second.message.chunk }, opening.atMs), [
      { do: 'shelf.put', utterance: 'u1', chunk: second.message.chunk, on },
    ]),
  ];
  expect(lines.join('')).not.toMatch(/payload|U0VDUkVU|c2VjcmV0/);
  const entries = read(...lines);
  expect(entries[2]).toMatchObject({ effects: [{ do: 'shelf.put', chunk: { bytes: 6, ref: 7 } }] });
  const revived = reviveAudio((entries[1] as { input: unknown }).input, ({ bytes, ref }) => `${bytes}@${ref}`);
  expect(revived).toEqual({ from: 'session', session: 's1', input: message('6@7', 6) });
  expect(second.message.chunk.payload).toBe('U0VDUkVU');
});

test('says where an effect goes only when that is not where the call began', () => {
  const printer = new TapePrinter(opening);
  const elsewhere = { ...on, epoch: 2 };
  const event = stamped({ type: 'call.admitted' }, opening.atMs);
  const line = printer.stepped(event, [
    { do: 'leg.clear', on },
    { do: 'leg.clear', on: elsewhere },
  ]);
  expect(line).toBe(
    '{"t":0,"after":"call.admitted","do":[{"do":"leg.clear"},{"do":"leg.clear","on":{"leg":"l1","session":"s1","epoch":2}}]}\n',
  );
  expect(printer.stepped(event, [])).toBe('');
});

test('reads every kind of line, and text of any script', () => {
  const printer = new TapePrinter(opening);
  const event = {
    type: 'tool.settled',
    toolCall: 'c1',
    status: 'ok',
    output: 'Zürich 東京 🚗 \u2028 "\\ \ud800',
  } as const;
  const entries = read(
    printer.input(opening.atMs, { from: 'call', event }),
    printer.sent(opening.atMs, { type: 'response.cancel', event_id: 'tl_1' }),
    printer.stopped(opening.atMs, 'size'),
    printer.closed(opening.atMs),
  );
  expect(entries.map((e) => e.kind)).toEqual(['input', 'sent', 'stopped', 'closed']);
  expect(entries[0]).toMatchObject({ input: { from: 'call', event } });
});

test('reads a tape whose last line was cut off by a crash, without that line', () => {
  const whole = '{"t":1,"call":{"type":"call.admitted"}}\n';
  const tape = parseTape(`${HEADER}${whole}{"t":2,"sent":{"type":"resp`);
  expect(tape.entries).toHaveLength(1);
  expect(tape).toMatchObject({ cutOff: true, complete: false });
  expect(parseTape(HEADER + whole)).toMatchObject({ cutOff: false, complete: false });
  expect(parseTape(`${HEADER}${whole}{"t":3,"closed":true}`)).toMatchObject({ cutOff: false, complete: true });
});

test.each([
  ['', 1, 'the file is empty'],
  ['{"v":1}\n', 1, 'version 1 of the tape is not 2'],
  ['{"v":2,"opening":{}}\n', 1, 'no opening'],
  [`${HEADER}{"t":1,"sen\n{"t":2,"closed":true}\n`, 2, 'not JSON'],
  [`${HEADER}{"t":1,"closed":true}\n[]\n`, 3, 'not an object'],
  [`${HEADER}{"t":"1","closed":true}\n`, 2, '"t" is not a time'],
  [`${HEADER}{"t":1}\n`, 2, 'neither input, effects nor message'],
  [`${HEADER}{"t":1,"frame":[1,2]}\n`, 2, 'not a frame'],
  [`${HEADER}{"t":1,"frame":[1,2,99000000]}\n`, 2, 'not a frame'],
  [`${HEADER}{"t":1,"session":{"chunk":{"bytes":9e15,"ref":0}}}\n`, 2, 'audio of no possible size'],
])('names the line of what cannot be read (%#)', (text, line, problem) => {
  expect(() => parseTape(text)).toThrow(new TapeError(line, problem));
});
