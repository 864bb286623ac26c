// The built-in send_sms: a text message to the caller's own number, never to one that a model says.
import type { CarrierControl } from '../carrier/carrier.ts';
import { SEND_SMS } from './built-in.ts';
import { type Tool, ToolFailure } from './tool.ts';

/** What the carrier takes as one message. */
const MAX_CHARS = 1_600;

/**
 * @param control null: nothing can be sent, and the model is told so
 * @param from null: the number that was called
 */
export const smsTool = (
  control: CarrierControl | null,
  { from, perCall }: { from: string | null; perCall: number },
): Tool => ({
  name: SEND_SMS,
  description: 'Sends the caller a text message, to the number they call from. Ask before you send one.',
  kind: 'built_in',
  parameters: {
    type: 'object',
    properties: { text: { type: 'string', minLength: 1, maxLength: MAX_CHARS } },
    required: ['text'],
    additionalProperties: false,
  },
  policy: { effect: 'writes', perCall, redact: ['text'] },
  async run({ text }, caller) {
    if (control === null) throw new ToolFailure('No text message can be sent from here.');
    if (caller.from.kind !== 'pstn')
      throw new ToolFailure('The caller shows no number that a message could be sent to.');
    const sender = from ?? (caller.to.kind === 'pstn' ? caller.to.value : null);
    if (sender === null) throw new ToolFailure('No text message can be sent from here.');
    const sent = await control.message({ from: sender, to: caller.from.value, text: String(text) });
    if (sent.outcome === 'sent') return 'The message was sent.';
    if (sent.outcome === 'refused') throw new ToolFailure('The message was not sent: it was refused.');
    // Nobody knows: the runner tells the model so.
    throw new Error('the message may not have been sent');
  },
});
