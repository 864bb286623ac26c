// What is passed on to another of our processes, and what never is: nothing unsigned, nothing that a peer has sent.
import { expect, test } from 'vitest';
import type { PassedRequest, Peers } from '../../../src/carrier/carrier.ts';
import { CALL_SID, PERSON_SID, PUBLIC_URL, sign, startEdge, TOKEN, voiceForm } from './edge.ts';

const PATH = `/media/${TOKEN}`;

function scriptedPeers(part: Partial<Peers> = {}) {
  const passed: { what: string; carrierCallId: string; request: PassedRequest }[] = [];
  const handed: string[] = [];
  const peers: Peers = {
    isPeer: () => false,
    passOn: async (what, _carrier, carrierCallId, request) => {
      passed.push({ what, carrierCallId, request });
      return { status: 200, contentType: 'text/xml', body: '<Elsewhere/>' };
    },
    handOver: async (token, _request, socket) => {
      handed.push(token);
      socket.end('HTTP/1.1 410 Gone\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return true;
    },
    ...part,
  };
  return { peers, passed, handed };
}

test.each([
  ['/voice', 'voice'],
  ['/voice/next', 'next'],
  ['/voice/status', 'status'],
])('%s is answered by the process that has the call, in its words', async (path, what) => {
  const { peers, passed } = scriptedPeers();
  const { post, intake } = await startEdge({ peers });
  const form = voiceForm({ CallStatus: 'completed' });
  const reply = await post(path, form);
  expect([reply.status, reply.headers.get('content-type'), await reply.text()]).toEqual([
    200,
    'text/xml',
    '<Elsewhere/>',
  ]);
  expect(passed).toMatchObject([{ what, carrierCallId: CALL_SID, request: { path } }]);
  // What the signature covers arrives unchanged.
  const request = passed[0]?.request as PassedRequest;
  expect(Object.fromEntries(new URLSearchParams(request.body))).toEqual(form);
  expect(request.headers['x-twilio-signature']).toBe(sign(path, form));
  expect([intake.admitted, intake.asked, intake.statuses]).toEqual([[], [], []]);
});

test.each([
  ['/voice/next', `?for=${CALL_SID}`, { Digits: '1' }, 'next', CALL_SID],
  ['/voice/status', `?for=${CALL_SID}`, { CallStatus: 'completed' }, 'status', CALL_SID],
  ['/voice/status', '', { ParentCallSid: CALL_SID, CallStatus: 'completed' }, 'status', CALL_SID],
  // No question of ours is asked in the name of a leg that a Dial placed, and no call is let in for another.
  ['/voice/next', '', { ParentCallSid: CALL_SID }, 'next', PERSON_SID],
  ['/voice', `?for=${CALL_SID}`, { ParentCallSid: CALL_SID }, 'voice', PERSON_SID],
])('%s%s of a person (%j) is answered by the process that has the caller', async (route, query, extra, what, owner) => {
  const { peers, passed } = scriptedPeers();
  const { post, intake } = await startEdge({ peers });
  const path = route + query;
  const form = voiceForm({ CallSid: PERSON_SID, ...extra });
  expect(await (await post(path, form)).text()).toBe('<Elsewhere/>');
  expect(passed).toMatchObject([{ what, carrierCallId: owner, request: { path } }]);
  expect(passed[0]?.request.headers['x-twilio-signature']).toBe(sign(path, form));
  expect([intake.persons, intake.statuses]).toEqual([[], []]);
});

test('a webhook for nobody that there can be is passed on to nobody', async () => {
  const { peers, passed } = scriptedPeers();
  const { post } = await startEdge({ peers });
  const form = voiceForm({ CallSid: PERSON_SID });
  expect((await post('/voice/next?for=x', form)).status).toBe(400);
  expect((await post('/voice/status', voiceForm({ CallSid: PERSON_SID, ParentCallSid: 'x' }))).status).toBe(400);
  expect(passed).toEqual([]);
});

test('what this process has to answer it answers', async () => {
  const { peers } = scriptedPeers({ passOn: async () => null });
  const { post, intake } = await startEdge({ peers });
  expect((await post('/voice', voiceForm())).status).toBe(200);
  expect(intake.admitted).toHaveLength(1);
});

test('an unsigned webhook is passed on to nobody', async () => {
  const { peers, passed } = scriptedPeers();
  const { post } = await startEdge({ peers });
  expect((await post('/voice', voiceForm(), {})).status).toBe(403);
  expect(passed).toEqual([]);
});

test('what a peer has sent is answered here', async () => {
  const { peers, passed, handed } = scriptedPeers({ isPeer: () => true });
  const { post, open, intake } = await startEdge({ peers });
  await post('/voice', voiceForm());
  const { socket } = await open();
  expect(intake.admitted).toHaveLength(1);
  expect(intake.claims).toEqual([TOKEN]);
  expect([passed, handed]).toEqual([[], []]);
  socket.terminate();
});

test('a media connection goes to the process that made its token, before anything of it is read here', async () => {
  const { peers, handed } = scriptedPeers();
  const { open, intake } = await startEdge({ peers });
  await expect(open()).rejects.toThrow('410');
  expect(handed).toEqual([TOKEN]);
  expect(intake.claims).toEqual([]);
});

test('a media connection that nobody else takes is judged here', async () => {
  const { peers } = scriptedPeers({ handOver: async () => false });
  const { open, intake } = await startEdge({ peers });
  intake.claimed = 'foreign';
  await expect(open()).rejects.toThrow('403');
  expect(intake.claims).toEqual([TOKEN]);
});

test.each([
  ['unsigned', {}],
  ['signed for another path', { 'x-twilio-signature': sign('/media/other', {}, PUBLIC_URL.replace('https', 'wss')) }],
])('a media connection that is %s is handed to nobody', async (_what, headers) => {
  const { peers, handed } = scriptedPeers();
  const { open } = await startEdge({ peers });
  await expect(open(PATH, headers)).rejects.toThrow('403');
  expect(handed).toEqual([]);
});
