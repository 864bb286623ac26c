// What the API takes and gives about who is logged in.
import { z } from 'zod';
import { moment } from './common.ts';

/** `POST /api/session`: the admin token, or the code of a one-time link. */
export const logIn = z
  .strictObject({
    token: z.string().min(1).max(1_000).optional(),
    code: z.string().min(1).max(200).describe('of a one-time link').optional(),
    name: z
      .string()
      .trim()
      .max(60)
      .regex(/^[^\p{C}]*$/u, 'no control characters')
      .describe('for the audit: who you are')
      .optional(),
  })
  .refine(({ token, code }) => (token === undefined) !== (code === undefined), 'either token or code');

export const session = z.object({
  scope: z.enum(['operator', 'phone']).describe('phone: may use the browser phone, and nothing else'),
  name: z.string(),
  expiresWallMs: moment,
  csrf: z.string().describe('goes into the header x-csrf-token of everything that changes something'),
});
export type Session = z.infer<typeof session>;

/** `POST /api/links`: a link that lets somebody in once. */
export const newLink = z.strictObject({
  scope: z.enum(['operator', 'phone']),
  minutes: z.int().min(1).max(1_440).default(30),
});
export const link = z.object({ path: z.string().describe('below the origin of this page'), expiresWallMs: moment });
