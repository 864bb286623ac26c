// `twilio-realtime-agents` as the quick start of its README puts it together: Fastify answers the webhook, the media socket
// goes to a `TwilioRealtimeBridge`. Runs from a folder where the packages are installed. The model's address is the
// provider's own `baseUrl` option. By default it is deaf until the greeting was heard; its documented switch turns that
// off, so that every frame of a caller can be accounted for.
import fastifyFormBody from '@fastify/formbody';
import fastifyWs from '@fastify/websocket';
import Fastify from 'fastify';
import { Agent, connectStreamTwiml, TwilioRealtimeBridge } from 'twilio-realtime-agents';
import { openaiRealtime } from 'twilio-realtime-agents/openai';

const { PORT, OPENAI_API_KEY, OPENAI_BASE_URL } = process.env;

const bridge = new TwilioRealtimeBridge({
  agent: new Agent({ name: 'Receptionist', instructions: 'Answer the phone briefly and warmly.', voice: 'marin' }),
  provider: openaiRealtime({
    apiKey: OPENAI_API_KEY,
    baseUrl: `${OPENAI_BASE_URL.replace(/^http/, 'ws')}/realtime`,
  }),
  builtinTools: { finishCall: true },
  session: { deafness: { ignoreUserAudioUntilFirstTurnDone: false } },
});
bridge.on('error', (error) => console.error('bridge error', error));
bridge.on('session.started', (session) => session.on('error', (error) => console.error('session error', error)));

const fastify = Fastify();
await fastify.register(fastifyFormBody);
await fastify.register(fastifyWs);

fastify.post('/twilio/voice', (request, reply) =>
  reply.type('text/xml').send(connectStreamTwiml({ wsUrl: `wss://${request.headers.host}/twilio/media-stream` })),
);
await fastify.register(async (scope) => {
  scope.get('/twilio/media-stream', { websocket: true }, (socket) => bridge.handleConnection(socket));
});

await fastify.listen({ port: Number(PORT), host: '127.0.0.1' });
process.once('SIGTERM', () => void stop());

async function stop() {
  await bridge.close();
  await fastify.close();
  process.exit(0);
}
