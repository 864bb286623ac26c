import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { NextStep } from '../../../src/carrier/carrier.ts';
import { escapeXml, loadTwiml } from '../../../src/carrier/twilio/twiml.ts';
import fc from '../../support/fast-check.ts';

const FOLDER = new URL('../../../twiml/', import.meta.url);
const URLS = {
  next: 'https://voice.example.com/voice/next',
  status: 'https://voice.example.com/voice/status',
  stream: 'wss://voice.example.com/media/',
};
const twiml = loadTwiml(URLS);
const PARENT = `CA${'0'.repeat(31)}1`;
/** What every `<Stream>` has. */
const STREAM = { url: `${URLS.stream}t`, statusCallback: URLS.status, statusCallbackMethod: 'POST' };

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '',
  trimValues: false,
  parseTagValue: false,
  isArray: (name) => name === 'Parameter',
});
const parse = (document: string) => {
  expect(XMLValidator.validate(document)).toBe(true);
  return parser.parse(document).Response;
};

/** What is left of a text that went through XML. */
const printable = (text: string) =>
  text
    .replace(/[\t\n\r]/g, ' ')
    // oxlint-disable-next-line no-control-regex
    .replace(/[\u0000-\u001f\u007f-\u009f\ufffe\uffff]/g, '')
    .toWellFormed();

describe('documents', () => {
  const files = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.xml'));

  test('are there', () => expect(files.toSorted()).toContain(join('bins', 'fallback-apology.xml')));

  test.each(files)('%s is well-formed and explains itself', (file) => {
    const text = readFileSync(new URL(file, FOLDER), 'utf8');
    expect(XMLValidator.validate(text)).toBe(true);
    expect(text).toContain('<!--');
    expect(parser.parse(text).Response).toBeDefined();
  });

  test.each(files.filter((file) => file.startsWith('bins')))('%s needs nothing filled in', (file) => {
    expect(readFileSync(new URL(file, FOLDER), 'utf8')).not.toMatch(/\{\w+\}/);
  });

  test('stop the start when an operator asks for what is not given', () => {
    const folder = copyOfDocuments();
    writeFileSync(join(folder, 'forward.xml'), '<Response><Dial callerId="{from}">{to}</Dial></Response>');
    expect(() => loadTwiml(URLS, pathToFileURL(`${folder}/`))).toThrow(
      expect.objectContaining({ code: 'TRK_CONFIG', message: expect.stringMatching(/forward\.xml: \{from\}.*\{to\}/) }),
    );
  });

  test('stop the start when one is missing', () => {
    const folder = copyOfDocuments();
    rmSync(join(folder, 'hang-up.xml'));
    expect(() => loadTwiml(URLS, pathToFileURL(`${folder}/`))).toThrow(/hang-up\.xml cannot be read/);
  });

  test('may be changed by an operator', () => {
    const folder = copyOfDocuments();
    writeFileSync(join(folder, 'say-and-hang-up.xml'), '<Response><Say voice="alice">{text}</Say></Response>');
    const changed = loadTwiml(URLS, pathToFileURL(`${folder}/`)).next({ do: 'say_and_hang_up', text: 'Hi' });
    expect(parse(changed)).toEqual({ Say: { voice: 'alice', '#text': 'Hi' } });
  });
});

function copyOfDocuments(): string {
  const folder = mkdtempSync(join(tmpdir(), 'twiml-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  cpSync(FOLDER, folder, { recursive: true });
  return folder;
}

describe('answers', () => {
  test('connect opens the stream and asks what follows', () => {
    expect(parse(twiml.connect('t', { callId: 'c1', agent: 'A "B" & <C>' }))).toEqual({
      Connect: {
        action: URLS.next,
        method: 'POST',
        Stream: {
          ...STREAM,
          Parameter: [
            { name: 'callId', value: 'c1' },
            { name: 'agent', value: 'A "B" & <C>' },
          ],
        },
      },
      Hangup: '',
    });
  });

  test('connect leaves the parameter line out when there are no facts', () => {
    expect(parse(twiml.connect('t', {})).Connect.Stream).toEqual(STREAM);
  });

  test('connect keeps to the length of a parameter and leaves out what does not fit', () => {
    const { Parameter } = parse(twiml.connect('t', { fits: 'x'.repeat(495), long: 'x'.repeat(496), '': 'x' })).Connect
      .Stream;
    expect(Parameter.map(({ name }: { name: string }) => name)).toEqual(['fits']);
  });

  test('a busy signal is only for a call that nobody answered', () => {
    expect(parse(twiml.first({ do: 'reject_busy' }))).toEqual({ Reject: { reason: 'busy' } });
    expect(parse(twiml.next({ do: 'reject_busy' }))).toEqual({ Hangup: '' });
  });

  test('forwards to a number or a SIP address', () => {
    expect(parse(twiml.next({ do: 'forward', to: '+15005550009' }))).toEqual({
      Dial: { action: URLS.next, method: 'POST', answerOnBridge: 'true', timeout: '30', Number: '+15005550009' },
      Hangup: '',
    });
    const to = 'sip:desk@pbx.example.com?X-Topic=a&X-From=b';
    expect(parse(twiml.next({ do: 'forward', to })).Dial.Sip).toBe(to);
  });

  test('transfers to a number or a SIP address, and asks what became of it', () => {
    const told = {
      statusCallback: URLS.status,
      statusCallbackMethod: 'POST',
      statusCallbackEvent: 'answered completed',
    };
    const dial = { action: URLS.next, method: 'POST', answerOnBridge: 'true', timeout: '20' };
    expect(
      parse(twiml.next({ do: 'transfer', to: '+15005550009', ringSeconds: 19.5, otherwise: { do: 'hang_up' } })),
    ).toEqual({
      Dial: { ...dial, Number: { ...told, '#text': '+15005550009' } },
      Hangup: '',
    });
    const to = 'sip:desk@pbx.example.com?X-Topic=a&X-From=b';
    expect(parse(twiml.next({ do: 'transfer', to, ringSeconds: 20, otherwise: { do: 'hang_up' } }))).toEqual({
      Dial: { ...dial, Sip: { ...told, '#text': to } },
      Hangup: '',
    });
  });

  test.each([
    [0, '1'],
    [Number.MAX_SAFE_INTEGER, '600'],
  ])('a phone that is to ring for %d seconds rings for %s', (ringSeconds, timeout) => {
    expect(
      parse(twiml.next({ do: 'transfer', to: '+15005550009', ringSeconds, otherwise: { do: 'hang_up' } })).Dial.timeout,
    ).toBe(timeout);
  });

  test('puts caller and person into one room that ends with either of them', () => {
    const room = { startConferenceOnEnter: 'true', endConferenceOnExit: 'true', beep: 'false', '#text': 'r-1' };
    expect(parse(twiml.next({ do: 'conference', room: 'r-1' }))).toEqual({
      Dial: { action: URLS.next, method: 'POST', Conference: room },
      Hangup: '',
    });
    // Nothing is asked about a person who has left.
    expect(parse(twiml.next({ do: 'join', room: 'r-1' }, PARENT))).toEqual({ Dial: { Conference: room }, Hangup: '' });
  });

  test('asks a person twice whether they take the call, in the name of the caller', () => {
    const ask = {
      ...{ action: `${URLS.next}?for=${PARENT}`, method: 'POST', input: 'dtmf', numDigits: '1', timeout: '6' },
      ...{ finishOnKey: '', Say: ['Ann & Bob: <urgent>', 'Press 1 to take the call, or 2 to decline.'] },
    };
    expect(parse(twiml.next({ do: 'ask_to_take', say: 'Ann & Bob: <urgent>' }, PARENT))).toEqual({
      Gather: [ask, ask],
      Hangup: '',
    });
    expect(twiml.next({ do: 'ask_to_take', say: '"'.repeat(100_000) }, PARENT).length).toBeLessThan(60_000);
  });

  test('lets nothing that comes from a call write a verb, an attribute or another query', () => {
    const text = `</Say></Gather><Dial>+19005550000</Dial>" x="{nextUrl}`;
    const steps: NextStep[] = [
      { do: 'transfer', to: text, ringSeconds: 20, otherwise: { do: 'hang_up' } },
      { do: 'transfer', to: `sip:${text}`, ringSeconds: 20, otherwise: { do: 'hang_up' } },
      { do: 'conference', room: text },
      { do: 'join', room: text },
      { do: 'ask_to_take', say: text },
    ];
    for (const step of steps) {
      const verbs = parse(twiml.next(step, '"&x=1#'));
      expect(Object.keys(verbs).filter((verb) => !['Dial', 'Gather', 'Hangup'].includes(verb))).toEqual([]);
      expect(JSON.stringify(verbs)).toContain(JSON.stringify(text).slice(1, -1));
      for (const { action } of [verbs.Dial ?? verbs.Gather].flat())
        expect([undefined, `${URLS.next}?for=%22%26x%3D1%23`]).toContain(action);
    }
  });

  test('says a sentence and hangs up', () => {
    expect(parse(twiml.first({ do: 'say_and_hang_up', text: 'Q & A: <we> are closed' }))).toEqual({
      Say: 'Q & A: <we> are closed',
      Hangup: '',
    });
  });

  test('a lost call is connected again, by the same document under another token', () => {
    const facts = { callId: 'c1' };
    expect(twiml.next({ do: 'reconnect', token: 'n1.a-b_c', facts })).toBe(twiml.connect('n1.a-b_c', facts));
    expect(parse(twiml.next({ do: 'reconnect', token: '../x', facts })).Connect.Stream.url).toBe(
      `${URLS.stream}..%2Fx`,
    );
  });

  test('a message is asked for, taken, and told', () => {
    const say = 'Nobody is here & nothing works: please leave a message.';
    expect(parse(twiml.next({ do: 'voicemail', say, maxSeconds: 90 }))).toEqual({
      Say: say,
      Record: {
        action: URLS.next,
        method: 'POST',
        maxLength: '90',
        timeout: '5',
        finishOnKey: '#',
        playBeep: 'true',
        trim: 'trim-silence',
      },
      Hangup: '',
    });
  });

  test.each([
    [0, '1'],
    [59.2, '60'],
    [100_000, '14400'],
  ])('a message of %d seconds is one of %s', (maxSeconds, maxLength) => {
    expect(parse(twiml.first({ do: 'voicemail', say: 'x', maxSeconds })).Record.maxLength).toBe(maxLength);
  });

  test('stay far below the 64 KB of error 11750 whatever is said', () => {
    expect(twiml.first({ do: 'say_and_hang_up', text: '"'.repeat(100_000) }).length).toBeLessThan(32_000);
  });

  test('hang up', () => expect(parse(twiml.hangUp)).toEqual({ Hangup: '' }));
});

describe('escaping', () => {
  test('gives any text back, in attributes and between tags', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 200 }), (text) => {
        const document = `<Response><Say voice="${escapeXml(text)}">x${escapeXml(text)}</Say></Response>`;
        expect(parse(document).Say).toEqual({ voice: printable(text), '#text': `x${printable(text)}` });
      }),
    );
  });

  test('lets no text write a verb', () => {
    const text = '</Say><Dial>+19005550000</Dial><Say>';
    expect(parse(twiml.next({ do: 'say_and_hang_up', text }))).toEqual({ Say: text, Hangup: '' });
  });

  test('does not fill a placeholder that a value brings along', () => {
    expect(parse(twiml.connect('t', { a: '{value}{streamUrl}' })).Connect.Stream.Parameter).toEqual([
      { name: 'a', value: '{value}{streamUrl}' },
    ]);
  });

  test('removes what XML cannot hold and turns line breaks into spaces', () => {
    expect(escapeXml('a\u0000b\u001bc\nd\te\ud800')).toBe('abc d e\ufffd');
  });

  test('escapes every character that means something', () => {
    expect(escapeXml(`&<>"'`)).toBe('&amp;&lt;&gt;&quot;&apos;');
  });
});
