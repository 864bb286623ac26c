// The carrier's verbs as a caller meets them: what is said, played and dialled, how long it takes, where it leads.
import twilio from 'twilio';
import { afterEach, describe, expect, test } from 'vitest';
import { writeWav } from '../../src/audio/wav.ts';
import { soundSpans } from '../../src/replay/loudness.ts';
import { placeCall } from '../../src/phone/phone.ts';
import type { PhoneOptions } from '../../src/phone/phone-options.ts';
import { spokenMs } from '../../src/phone/verb-sound.ts';
import { connectTo, type FormPost, type StandIn, type StandInOptions, standIn } from './stand-in-server.ts';
import { voice } from '../replay/synthetic-line.ts';

const TOKEN = 'b1946ac92492d2347c6235b4d2611184';
const PUBLIC = 'https://voice.example.com';
/** Verbs pass so many times faster than a caller would hear them. */
const PACE = 100;

let server: StandIn;
afterEach(() => server.close());

async function call(serverOptions: StandInOptions, options: Partial<PhoneOptions> = {}) {
  server = await standIn(serverOptions);
  const phone = { server: server.url, publicUrl: PUBLIC, authToken: TOKEN, maxMs: 10_000, verbPace: PACE };
  return placeCall({ ...phone, ...options });
}

const response = (verbs: string) => `<Response>${verbs}</Response>`;
const valid = (post: FormPost): boolean =>
  twilio.validateRequest(TOKEN, String(post.headers['x-twilio-signature'] ?? ''), PUBLIC + post.path, post.params);
const paths = () => server.posts.map(({ path }) => path);
const names = ({ verbs }: { verbs: { name: string }[] }) => verbs.map(({ name }) => name);

describe('Say', () => {
  test('takes the time of its words, and what was said is kept', async () => {
    const text = 'We are closed today. Please call again tomorrow morning at nine.';
    const phone = await call({
      twiml: { '/voice': response(`<Say voice="Polly.Amy" loop="2">${text}</Say><Hangup/>`) },
    });
    const result = await phone.ended;
    expect(result.verbs[0]).toMatchObject({ about: text, attributes: { voice: 'Polly.Amy' } });
    const [said] = result.announced;
    expect(said).toMatchObject({ verb: 'Say', about: text });
    expect(said?.durationMs).toBeGreaterThanOrEqual((2 * spokenMs(text)) / PACE - 1);
    expect(said?.durationMs).toBeLessThan((2 * spokenMs(text)) / PACE + 100);
    expect(result.streamMs).toBeGreaterThanOrEqual(said?.durationMs ?? Number.NaN);
  });

  test('is about 150 words a minute; long runs of letters count as several words', () => {
    expect(spokenMs('one two three')).toBe(1_200);
    expect(spokenMs('Donaudampfschifffahrt')).toBe(800);
    expect(spokenMs('')).toBe(0);
  });

  test('counts the pauses of SSML, and speaks the words inside', async () => {
    const ssml = '<Say>Hello <break time="2s"/><emphasis>you</emphasis></Say>';
    const result = await (await call({ twiml: { '/voice': response(ssml) } })).ended;
    expect(result.announced[0]).toMatchObject({ about: 'Hello you' });
    expect(result.announced[0]?.durationMs).toBeGreaterThanOrEqual(2_800 / PACE - 1);
  });

  test('without words is a fault', async () => {
    const result = await (await call({ twiml: { '/voice': response('<Say/>') } })).ended;
    expect(result.warnings).toMatchObject([{ code: 13520 }]);
  });

  test('is over when the caller hangs up', async () => {
    const phone = await call({ twiml: { '/voice': response(`<Say>${'word '.repeat(400)}</Say>`) } }, { verbPace: 1 });
    await phone.once('verb');
    phone.hangUp();
    expect(await phone.ended).toMatchObject({ endedBy: 'caller', callStatus: 'completed' });
  });

  test('takes no time by default', async () => {
    server = await standIn({ twiml: { '/voice': response('<Say>one</Say><Pause length="60"/>') } });
    const { announced, timedOut } = await placeCall({ server: server.url, authToken: TOKEN, maxMs: 10_000 }).ended;
    expect(announced).toMatchObject([{ about: 'one', durationMs: expect.closeTo(0, -1) }]);
    expect(timedOut).toBe(false);
  });
});

describe('a REST update', () => {
  test.each([
    ['words', `<Say>${'word '.repeat(200)}</Say>`],
    ['a pause', '<Pause length="60"/>'],
    ['ringing', '<Dial timeout="60">+15005550009</Dial>'],
    ['waiting for keys', '<Gather timeout="60"/>'],
    ['a request under way', '<Redirect>/never</Redirect>'],
  ])('cuts %s short', async (_, verb) => {
    const asked = Promise.withResolvers<void>();
    const twiml = {
      '/voice': response(`${verb}<Say>not reached</Say>`),
      '/never': () => {
        asked.resolve();
        return new Promise<string>(() => {});
      },
      '/instead': response('<Hangup/>'),
    };
    const phone = await call({ twiml }, { verbPace: 1 });
    const { name } = await phone.once('verb');
    if (name === 'Redirect') await asked.promise;
    phone.update({ url: '/instead' });
    const result = await phone.ended;
    expect(names(result)).toEqual([name, 'Hangup']);
    expect(result).toMatchObject({ endedBy: 'server', timedOut: false, warnings: [] });
    expect(result.announced.every(({ durationMs }) => durationMs < 1_000)).toBe(true);
  });
});

describe('Play', () => {
  const wav = { '/a.wav': () => ({ headers: { 'Content-Type': 'audio/x-wav' }, body: writeWav([voice(2_000)]) }) };

  test('fetches the file without a signature, takes its time, and can be heard', async () => {
    const twiml = { '/voice': response('<Play>/a.wav</Play><Hangup/>') };
    const phone = await call({ twiml, answers: wav }, { verbPace: 4 });
    const result = await phone.ended;
    expect(server.posts[1]).toMatchObject({ path: '/a.wav', method: 'GET', params: {} });
    expect(server.posts[1]?.headers['x-twilio-signature']).toBeUndefined();
    expect(result.announced).toMatchObject([{ verb: 'Play', about: '/a.wav' }]);
    expect(result.announced[0]?.durationMs).toBeGreaterThanOrEqual(499);
    const [span] = soundSpans(phone.agentAudio());
    expect(span?.toMs).toBeGreaterThan(400);
    expect(phone.callerAudio()).toHaveLength(phone.agentAudio().length);
  });

  test.each([
    ['a missing file', '/none.wav', 11200],
    ['a page in place of a sound', '/page', 12300],
    ['a WAV that is none', '/broken.wav', 12300],
  ])('%s is a fault of the carrier’s list', async (_, path, code) => {
    const answers = {
      '/page': () => ({ headers: { 'Content-Type': 'text/html' }, body: '<html/>' }),
      '/broken.wav': () => ({ headers: { 'Content-Type': 'audio/wav' }, body: 'nothing' }),
    };
    const result = await (await call({ twiml: { '/voice': response(`<Play>${path}</Play>`) }, answers })).ended;
    expect(result.warnings).toMatchObject([{ code }]);
    expect(result.announced).toEqual([]);
  });

  test('of a PCM file takes the time that its header tells', async () => {
    const pcm = Buffer.alloc(44 + 32_000);
    pcm.write('RIFF....WAVEfmt ', 0, 'latin1');
    pcm.writeUInt32LE(16, 16);
    pcm.writeUInt16LE(1, 20);
    pcm.writeUInt16LE(1, 22);
    pcm.writeUInt32LE(8_000, 24);
    pcm.writeUInt32LE(16_000, 28);
    pcm.writeUInt16LE(16, 34);
    pcm.write('data', 36, 'latin1');
    pcm.writeUInt32LE(32_000, 40);
    const answers = { '/pcm.wav': () => ({ headers: { 'Content-Type': 'audio/wav' }, body: pcm }) };
    const result = await (await call({ twiml: { '/voice': response('<Play>/pcm.wav</Play>') }, answers })).ended;
    expect(result.announced[0]?.durationMs).toBeGreaterThanOrEqual(2_000 / PACE - 1);
  });

  test('of keys and of files elsewhere asks nobody', async () => {
    const twiml = response('<Play digits="12w#"/><Play>https://cdn.example.net/hold.mp3</Play>');
    const result = await (await call({ twiml: { '/voice': twiml } })).ended;
    expect(result.verbs.map(({ about }) => about)).toEqual(['12w#', 'https://cdn.example.net/hold.mp3']);
    expect(paths()).toEqual(['/voice', '/voice/status']);
    expect(result.warnings).toEqual([]);
  });
});

describe('Dial', () => {
  const dial = (inside: string, attributes = 'action="/after"') => ({
    '/voice': response(`<Dial ${attributes}>${inside}</Dial><Hangup/>`),
    '/after': response('<Say>Bye</Say>'),
  });
  const after = () => server.posts.find(({ path }) => path === '/after')?.params;

  test('rings, talks, and tells its action how it went', async () => {
    const phone = await call(
      { twiml: dial('<Number>+15005550009</Number>') },
      { dial: { ringMs: 4_000, talkMs: 20_000 } },
    );
    const result = await phone.ended;
    expect(after()).toMatchObject({
      DialCallStatus: 'completed',
      DialCallDuration: '20',
      DialBridged: 'true',
      DialCallSid: expect.stringMatching(/^CA[0-9a-f]{32}$/),
      CallStatus: 'in-progress',
    });
    expect(result.announced.map(({ verb, about }) => [verb, about])).toEqual([
      ['Dial', '+15005550009 (ringing)'],
      ['Dial', '+15005550009'],
      ['Say', 'Bye'],
    ]);
    expect(result.announced[0]?.durationMs).toBeGreaterThanOrEqual(4_000 / PACE - 1);
    expect(result.announced[1]?.durationMs).toBeGreaterThanOrEqual(20_000 / PACE - 1);
    expect(server.posts.every(valid)).toBe(true);
  });

  test('rings no longer than its timeout, and then nobody has answered', async () => {
    const twiml = dial('<Sip>sip:desk@pbx.example.com</Sip>', 'action="/after" timeout="5"');
    const result = await (await call({ twiml }, { dial: { ringMs: 60_000 } })).ended;
    expect(after()?.['DialCallStatus']).toBe('no-answer');
    expect(after()?.['DialCallDuration']).toBeUndefined();
    expect(result.announced[0]?.durationMs).toBeLessThan(5_000 / PACE + 100);
  });

  test('goes as it does for each number', async () => {
    const twiml = dial('<Number>+15005550009</Number>');
    await (await call({ twiml }, { dial: (to) => ({ status: to.endsWith('9') ? 'busy' : 'failed' }) })).ended;
    expect(after()?.['DialCallStatus']).toBe('busy');
  });

  test.each(['five', '+12', '<Sip>desk</Sip>', '<Number>911-</Number>'])('of %s fails at once', async (to) => {
    const result = await (await call({ twiml: dial(to) })).ended;
    expect(result.warnings).toMatchObject([{ code: 13223 }]);
    expect(after()?.['DialCallStatus']).toBe('failed');
    expect(result.announced.filter(({ verb }) => verb === 'Dial')).toEqual([]);
  });

  test.each(['+49 30 901820', '(415) 555-2671', '<Client>alice</Client>'])('of %s is fine', async (to) => {
    expect((await (await call({ twiml: dial(to) })).ended).warnings).toEqual([]);
    expect(after()?.['DialCallStatus']).toBe('completed');
  });

  test('tells the number’s own callback what it asked for, and fetches what the party hears first', async () => {
    const number =
      '<Number url="/whisper" statusCallback="/child-status" statusCallbackEvent="initiated ringing answered completed">+15005550009</Number>';
    const twiml = { ...dial(number), '/whisper': response('<Say>A call from the clinic</Say>') };
    await (await call({ twiml })).ended;
    const told = server.posts.filter(({ path }) => path === '/child-status').map(({ params }) => params);
    const inOrder = told.toSorted((a, b) => Number(a['SequenceNumber']) - Number(b['SequenceNumber']));
    expect(inOrder.map((params) => params['CallStatus'])).toEqual(['initiated', 'ringing', 'in-progress', 'completed']);
    expect(told.every((params) => params['ParentCallSid'] === server.posts[0]?.params['CallSid'])).toBe(true);
    expect(inOrder[3]).toMatchObject({ Direction: 'outbound-dial', To: '+15005550009', CallDuration: '10' });
    expect(paths()).toContain('/whisper');
    expect(server.posts.every(valid)).toBe(true);
  });
});

describe('a transfer by Dial', () => {
  const NUMBER =
    '<Number statusCallback="/child-status" statusCallbackEvent="answered completed">+15005550009</Number>';
  const VOICE = {
    '/voice': response(`<Dial timeout="3" action="/after">${NUMBER}</Dial>`),
    '/after': connectTo(`${PUBLIC.replace('https', 'wss')}/media/tok-2`),
  };
  const told = () => server.posts.filter(({ path }) => path === '/child-status').map(({ params }) => params);

  test.each([
    ['busy', {}],
    ['no-answer', {}],
    ['failed', {}],
    ['completed', { talkMs: 3_000 }],
  ] as const)(
    'that ends as %s is known to the action, the callback and the tester, and the caller may be taken back',
    async (status, more) => {
      const phone = await call({ twiml: VOICE }, { dial: { status, ...more } });
      await phone.once('streaming');
      phone.hangUp();
      const result = await phone.ended;
      expect(server.posts.find(({ path }) => path === '/after')?.params['DialCallStatus']).toBe(status);
      const answered = status === 'completed' ? ['in-progress'] : [];
      const inOrder = told().toSorted((a, b) => Number(a['SequenceNumber']) - Number(b['SequenceNumber']));
      expect(inOrder.map((params) => params['CallStatus'])).toEqual([...answered, status]);
      expect(told().every((params) => params['ParentCallSid'] === phone.callSid)).toBe(true);
      expect(result.dials).toMatchObject([{ to: '+15005550009', status, callSid: told()[0]?.['CallSid'] }]);
      expect(result.dials[0]?.answeredAtMs === undefined).toBe(status !== 'completed');
      expect(result.streams).toHaveLength(1);
    },
  );

  test('is called off when the caller hangs up while it rings', async () => {
    const phone = await call({ twiml: VOICE }, { verbPace: 1 });
    const over = phone.once('dialled');
    await phone.once('verb');
    phone.hangUp();
    expect(await over).toMatchObject({ status: 'canceled', answeredAtMs: undefined });
    await phone.ended;
    expect(told()).toMatchObject([{ CallStatus: 'canceled' }]);
  });

  test('lasts as long as they talked when the caller hangs up first', async () => {
    const phone = await call({ twiml: VOICE }, { dial: { ringMs: 100, talkMs: 60_000 } });
    await phone.once('http', { where: ({ path }) => path === '/child-status' });
    phone.hangUp();
    await phone.ended;
    const seconds = Number(told().find((params) => params['CallStatus'] === 'completed')?.['CallDuration']);
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThan(60);
  });
});

describe('Gather', () => {
  const menu = (attributes: string) => ({
    '/voice': response(`<Gather ${attributes}><Say>${'press a key '.repeat(20)}</Say></Gather><Say>Nothing</Say>`),
    '/pressed': response('<Hangup/>'),
  });
  const pressed = () => server.posts.find(({ path }) => path === '/pressed')?.params;

  test('posts the keys to its action; the first key ends the prompt', async () => {
    const phone = await call({ twiml: menu('action="/pressed" numDigits="2"') }, { verbPace: 1 });
    await phone.once('verb');
    phone.press('4');
    phone.press('2');
    const result = await phone.ended;
    expect(pressed()).toMatchObject({ Digits: '42', CallStatus: 'in-progress' });
    expect(result.keys.map(({ digit }) => digit)).toEqual(['4', '2']);
    expect(result.announced[0]?.durationMs).toBeLessThan(1_000);
  });

  test('ends with its finishing key', async () => {
    const phone = await call({ twiml: menu('action="/pressed"') }, { verbPace: 1 });
    await phone.once('verb');
    for (const key of '777#') phone.press(key);
    await phone.ended;
    expect(pressed()).toMatchObject({ Digits: '777', FinishedOnKey: '#' });
  });

  test('without a key leads to the next verb', async () => {
    const result = await (await call({ twiml: menu('action="/pressed" timeout="2"') })).ended;
    expect(names(result)).toEqual(['Gather', 'Say']);
    expect(pressed()).toBeUndefined();
  });
});

describe('HTTP', () => {
  test('redirects are followed: 307 as it was, others by GET', async () => {
    const answers = {
      '/voice': () => ({ status: 307, headers: { Location: '/moved?a=1' } }),
      '/moved': () => ({ status: 302, headers: { Location: '/here' } }),
    };
    const result = await (await call({ twiml: { '/here': response('<Hangup/>') }, answers })).ended;
    expect(server.posts.map(({ method }) => method)).toEqual(['POST', 'POST', 'GET', 'POST']);
    expect(server.posts[2]?.path).toMatch(/^\/here\?.*CallSid=CA/);
    expect(server.posts.every(valid)).toBe(true);
    expect(result).toMatchObject({ warnings: [], verbs: [{ name: 'Hangup' }] });
  });

  test('redirects without end are a fault', async () => {
    const answers = { '/voice': () => ({ status: 301, headers: { Location: '/voice' } }) };
    expect((await (await call({ twiml: {}, answers })).ended).warnings).toMatchObject([{ code: 11215 }]);
  });

  test('the fallback is asked when the webhook fails, and told why', async () => {
    const twiml = { '/fallback': response('<Say>Sorry</Say>') };
    const answers = { '/voice': () => ({ status: 500 }) };
    const phone = await call({ twiml, answers }, { fallback: { path: '/fallback' } });
    const result = await phone.ended;
    expect(result.warnings).toMatchObject([{ code: 11200 }]);
    expect(names(result)).toEqual(['Say']);
    const { params } = server.posts[1] as FormPost;
    expect(params).toMatchObject({ ErrorCode: '11200', ErrorUrl: `${PUBLIC}/voice`, CallSid: phone.callSid });
  });

  test('a TwiML Bin as the fallback needs nobody', async () => {
    const bin = response('<!-- pasted at the carrier --><Say>Sorry</Say><Hangup/>');
    const phone = await call({ twiml: { '/voice': '<Response><' } }, { fallback: { twiml: bin } });
    const result = await phone.ended;
    expect(result.warnings).toMatchObject([{ code: 12100 }]);
    expect(result.verbs.map(({ about }) => about)).toEqual(['Sorry', '']);
  });

  test('another host is never asked', async () => {
    const twiml = { '/voice': response('<Redirect>https://other.example.com/voice</Redirect>') };
    expect((await (await call({ twiml })).ended).warnings).toMatchObject([{ code: 11210 }]);
    expect(paths()).toEqual(['/voice', '/voice/status']);
  });
});

describe('a call of several streams', () => {
  test('is one call: time, audio and sums go on', async () => {
    let streams = 0;
    const phone = await call(
      {
        twiml: { '/voice': connectTo('wss://voice.example.com/media/1', { action: '/again' }), '/again': again },
        onStream: (stream) => {
          streams++;
          void stream.received('start').then(() => {
            stream.media(voice(400));
            stream.mark('end');
          });
        },
      },
      { idle: 'silence', verbPace: 1, hangupAfterTrack: false },
    );
    await phone.once('echo');
    phone.dropSocket();
    await phone.once('closed');
    await phone.once('echo');
    phone.hangUp();
    const result = await phone.ended;
    expect(streams).toBe(2);
    const [first, second] = result.streams;
    expect(second?.fromMs).toBeGreaterThan((first?.toMs ?? 0) + 300);
    expect(result.streamMs).toBe(second?.toMs);
    expect(result.heard.map(({ durationMs }) => durationMs)).toEqual([400, 400]);
    expect(result.mediaReceivedBytes).toBe(6_400);
    expect(result.marksReceived).toEqual(['end', 'end']);
    const heard = soundSpans(phone.agentAudio());
    expect(heard.map(({ fromMs }) => fromMs)).toEqual(result.heard.map(({ atMs }) => expect.closeTo(atMs, -2)));
    expect(phone.agentAudio()).toHaveLength(Math.round(result.streamMs * 8));
    expect(result.warnings).toMatchObject([{ code: 31903 }]);
  });

  const again = `<Response><Say>One moment</Say>${connectTo('wss://voice.example.com/media/2').replace(/.*<Response>/, '')}`;

  test('hears the same caller: what is said meanwhile is lost, the rest goes on', async () => {
    const track = { steps: [{ cue: { atMs: 0 }, action: { say: voice(2_000) } }] } as const;
    const phone = await call(
      {
        twiml: { '/voice': connectTo('wss://voice.example.com/media/1', { action: '/again' }), '/again': again },
      },
      { idle: 'silence', verbPace: 1, track, network: { loseSocketAtMs: [500] }, hangupAfterTrack: true },
    );
    const result = await phone.ended;
    expect(result.said).toHaveLength(1);
    const sent = soundSpans(phone.callerAudio());
    expect(sent).toHaveLength(2);
    expect(sent[0]?.toMs).toBeLessThan(540);
    expect(sent[1]?.fromMs).toBeGreaterThan(1_300);
    expect(Math.abs((sent[1]?.toMs ?? 0) - (result.said[0]?.endMs ?? 0))).toBeLessThan(60);
    expect(result).toMatchObject({ endedBy: 'caller', streams: [{}, {}] });
  });

  test('may lose a stream without either side noticing at first', async () => {
    const arrived: number[] = [];
    const phone = await call(
      {
        twiml: { '/voice': connectTo('wss://voice.example.com/media/1') },
        onStream: (stream) => {
          void stream.received('start').then(() => stream.media(voice(3_000)));
          stream.socket.on('message', () => arrived.push(performance.now()));
        },
      },
      { network: { loseSocketAtMs: [300], lossNoticedAfterMs: 400 } },
    );
    await phone.once('streaming');
    const stream = await server.stream;
    expect(await stream.closed()).toBe(1006);
    expect(performance.now() - (arrived.at(-1) ?? 0)).toBeGreaterThan(380);
    const result = await phone.ended;
    expect(stream.of('stop')).toEqual([]);
    expect(result.heard[0]?.durationMs).toBeLessThan(310);
    expect(names(result)).toEqual(['Connect', 'Hangup']);
    expect(result.warnings).toMatchObject([{ code: 31903 }]);
  });

  test('whose loss nobody noticed is over at once when the caller hangs up', async () => {
    const phone = await call(
      { twiml: { '/voice': connectTo('wss://voice.example.com/media/1') } },
      { network: { loseSocketAtMs: [100], lossNoticedAfterMs: 60_000 } },
    );
    await phone.once('warning');
    phone.hangUp();
    expect(await phone.ended).toMatchObject({ endedBy: 'caller', callStatus: 'completed' });
  });
});
