// What the browser phone's page is told before it dials: whom it can call, and within which bounds.
import { z } from 'zod';
import { count } from '../schemas/common.ts';

/** `GET /api/phone` */
export const phoneFacts = z.object({
  agents: z.array(
    z.object({
      name: z.string(),
      /** What to dial: the first of them stands for the agent. */
      answers: z.array(z.string()).describe('what to dial'),
      records: z.boolean().describe('calls to it may be recorded'),
    }),
  ),
  anyNumber: z.string().nullable().describe('the agent that takes every other number; null: none does'),
  simulated: z.boolean().describe('the embedded simulator answers, because there is no key'),
  live: count.describe('phone calls under way in this process'),
  maxCalls: count.describe('phone calls at a time in one process'),
  draining: z.boolean().describe('the server is being stopped and takes no calls'),
});
export type PhoneFacts = z.infer<typeof phoneFacts>;
