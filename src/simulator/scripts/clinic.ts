// The sample clinic's front desk: five caller turns, one lookup, one goodbye. The offline default.
import type { Script } from '../script.ts';

/** Harbor Clinic: support, billing, an account lookup, a hesitation, goodbye. */
export const clinicScript: Script = {
  greeting: { items: [{ say: ['clinic_greeting'] }] },
  turns: [
    { callerTranscript: "I'd like to speak to customer support", items: [{ say: ['clinic_support_long'] }] },
    { callerTranscript: 'billing department', items: [{ say: ['clinic_ask_account'] }] },
    {
      callerTranscript: 'one zero zero zero one nine oh two one oh zero one eight zero three',
      items: [{ say: ['clinic_one_moment'] }, { tool: 'lookup_account', arguments: { account: '100019021001803' } }],
    },
    { callerTranscript: 'not so sure', items: [{ say: ['clinic_anything'] }] },
    {
      callerTranscript: 'no, that is all, thank you',
      items: [{ say: ['clinic_goodbye'] }, { tool: 'end_call', arguments: {} }],
    },
  ],
  afterTool: { lookup_account: { items: [{ say: ['clinic_balance'] }] } },
  // Most particular first: a request to say why the call ends usually also contains "goodbye".
  whenInstructions: [
    { contains: 'still there', answer: { items: [{ say: ['still_there'] }] } },
    { contains: 'cannot hear', answer: { items: [{ say: ['silence_goodbye'] }] } },
    { contains: 'time limit', answer: { items: [{ say: ['wrap_up'] }] } },
    { contains: 'goodbye', answer: { items: [{ say: ['clinic_goodbye'] }] } },
  ],
  onSilence: { items: [{ say: ['still_there'] }] },
  fallback: { items: [{ say: ['sorry_repeat'] }] },
};
