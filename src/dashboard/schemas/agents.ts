// What the API tells of the agents that answer here, and of what was done by whom.
import { z } from 'zod';
import { count, moment } from './common.ts';

/** `GET /api/agents` */
export const agents = z.object({
  agents: z.array(
    z.object({
      name: z.string(),
      file: z.string(),
      hash: z.string(),
      model: z.string(),
      answers: z.array(z.string()).describe('numbers; * is every other one'),
      records: z.boolean(),
      targets: z.array(z.string()),
      dispositions: z.array(z.string()),
    }),
  ),
  simulated: z.boolean().describe('the embedded simulator answers, because there is no key'),
});
export type Agents = z.infer<typeof agents>;

/** `GET /api/audit` */
export const audit = z.object({
  entries: z.array(
    z.object({
      id: count,
      atWallMs: moment,
      actor: z.string(),
      action: z.string(),
      subject: z.string(),
      note: z.string(),
    }),
  ),
  next: z.int().nullable().describe('`before` of the next page; null: there is none'),
});
