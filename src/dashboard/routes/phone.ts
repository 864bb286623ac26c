// GET /api/phone: whom the browser phone may call. Open to whoever may only use the phone.
import type { Agent } from '../../agent/agent.ts';
import type { ApiRoute } from '../api-route.ts';
import { MAX_PHONE_CALLS } from '../phone/browser-phones.ts';
import { type PhoneFacts, phoneFacts } from '../phone/phone-facts.ts';

export interface PhoneRoutesOptions {
  agents: readonly Agent[];
  /** The embedded simulator answers. */
  simulated: boolean;
  phones: { readonly live: number };
  calls: { readonly draining: boolean };
}

/** What an agent that takes every other number is called by: a number that nobody has (Twilio's own for tests). */
const ANY_NUMBER = '+15005550001';

export const phoneRoutes = ({ agents, simulated, phones, calls }: PhoneRoutesOptions): ApiRoute[] => [
  {
    method: 'GET',
    path: '/phone',
    summary: 'Whom the browser phone may call',
    access: 'phone',
    reply: phoneFacts,
    async answer(): Promise<PhoneFacts> {
      return {
        agents: agents.flatMap(({ name, answers, recording }) =>
          answers.length === 0 ? [] : [{ name, answers: answers.map(dialled), records: recording !== null }],
        ),
        anyNumber: agents.find(({ answers }) => answers.includes('*'))?.name ?? null,
        simulated,
        live: phones.live,
        maxCalls: MAX_PHONE_CALLS,
        draining: calls.draining,
      };
    },
  },
];

const dialled = (answer: string): string => (answer === '*' ? ANY_NUMBER : answer);
