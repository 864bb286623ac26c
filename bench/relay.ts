// The floor of every comparison: a bridge that moves the bytes and does nothing else. It answers the webhook with fixed
// TwiML, opens the model's socket when the media starts, configures the session once, asks for the greeting, and from then
// on parses each message, takes the payload out and prints it into the other side's message. Frames that come before the
// session is configured wait. On `speech_started` it prints a `clear`. It checks no signature, sends no marks, keeps no
// account of what was heard, truncates and cancels nothing, and logs nothing.
import { createServer } from 'node:http';
import { WebSocket, WebSocketServer } from 'ws';

const { PORT = '', OPENAI_BASE_URL = '' } = process.env;
const MODEL_URL = `${OPENAI_BASE_URL.replace(/^http/, 'ws')}/realtime?model=gpt-realtime`;
const TWIML = `<?xml version="1.0" encoding="UTF-8"?><Response><Connect><Stream url="ws://127.0.0.1:${PORT}/media"/></Connect></Response>`;
const FORMAT = { type: 'audio/pcmu' };
const SESSION = {
  type: 'realtime',
  output_modalities: ['audio'],
  audio: { input: { format: FORMAT, turn_detection: { type: 'server_vad' } }, output: { format: FORMAT } },
};

interface FromCarrier {
  event: string;
  start?: { streamSid: string };
  media?: { payload: string };
}

const server = createServer((request, response) => {
  request.resume();
  request.once('end', () => response.writeHead(200, { 'content-type': 'text/xml' }).end(TWIML));
});
new WebSocketServer({ server, perMessageDeflate: false }).on('connection', bridge);
server.listen(Number(PORT), '127.0.0.1');
process.once('SIGTERM', () => process.exit());

function bridge(carrier: WebSocket): void {
  let streamSid = '';
  let model: WebSocket | null = null;
  /** Frames from before the session was configured; null afterwards. */
  let waiting: string[] | null = [];

  const append = (audio: string): void => model?.send(JSON.stringify({ type: 'input_audio_buffer.append', audio }));

  carrier.on('message', (data: Buffer) => {
    const message = JSON.parse(data.toString()) as FromCarrier;
    if (message.media) {
      if (waiting) waiting.push(message.media.payload);
      else append(message.media.payload);
    } else if (message.start) {
      streamSid = message.start.streamSid;
      model = openModel();
    }
  });
  carrier.on('close', () => model?.close());
  carrier.on('error', () => carrier.terminate());

  function openModel(): WebSocket {
    const socket = new WebSocket(MODEL_URL, { headers: { authorization: 'Bearer x' }, perMessageDeflate: false });
    socket.on('open', () => socket.send(JSON.stringify({ type: 'session.update', session: SESSION })));
    socket.on('message', (data: Buffer) => {
      const event = JSON.parse(data.toString()) as { type: string; delta: string };
      if (event.type === 'response.output_audio.delta')
        carrier.send(JSON.stringify({ event: 'media', streamSid, media: { payload: event.delta } }));
      else if (event.type === 'input_audio_buffer.speech_started')
        carrier.send(JSON.stringify({ event: 'clear', streamSid }));
      else if (event.type === 'session.updated') {
        for (const audio of waiting ?? []) append(audio);
        waiting = null;
        socket.send(JSON.stringify({ type: 'response.create' }));
      }
    });
    socket.on('close', () => carrier.close());
    socket.on('error', () => carrier.terminate());
    return socket;
  }
}
