// OpenAI's Agents SDK on Twilio, as its Twilio guide and example put it together: Fastify answers the webhook, the media
// socket goes to `TwilioRealtimeTransportLayer`, a `RealtimeSession` does the rest. Runs from a folder where the packages
// are installed. The model's address is the session's own `url` option; traces for the vendor's site are off.
import fastifyFormBody from '@fastify/formbody';
import fastifyWs from '@fastify/websocket';
import { TwilioRealtimeTransportLayer } from '@openai/agents-extensions';
import { RealtimeAgent, RealtimeSession } from '@openai/agents/realtime';
import Fastify from 'fastify';

const { PORT, OPENAI_API_KEY, OPENAI_BASE_URL } = process.env;
const MODEL = 'gpt-realtime';
const url = `${OPENAI_BASE_URL.replace(/^http/, 'ws')}/realtime?model=${MODEL}`;

const agent = new RealtimeAgent({ name: 'Receptionist', instructions: 'Answer the phone briefly and warmly.' });

const fastify = Fastify();
await fastify.register(fastifyFormBody);
await fastify.register(fastifyWs);

fastify.post('/incoming-call', (request, reply) =>
  reply
    .type('text/xml')
    .send(
      `<?xml version="1.0" encoding="UTF-8"?><Response><Connect><Stream url="wss://${request.headers.host}/media-stream" /></Connect></Response>`,
    ),
);

await fastify.register(async (scope) => {
  scope.get('/media-stream', { websocket: true }, async (connection) => {
    const transport = new TwilioRealtimeTransportLayer({ twilioWebSocket: connection });
    const session = new RealtimeSession(agent, {
      transport,
      model: MODEL,
      tracingDisabled: true,
      config: { audio: { output: { voice: 'marin' } } },
    });
    session.on('error', (error) => console.error('session error', error));
    try {
      await session.connect({ apiKey: OPENAI_API_KEY, url });
      transport.sendEvent({ type: 'response.create' });
    } catch (error) {
      console.error('no session', error);
      connection.close();
    }
  });
});

await fastify.listen({ port: Number(PORT), host: '127.0.0.1' });
process.once('SIGTERM', () => void fastify.close().then(() => process.exit(0)));
