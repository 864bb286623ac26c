// What the page of a call is made of, as the API gives it, and the parts of the record file that only that file holds.
import type { z } from 'zod';
import type { bill, call } from '../../dashboard/schemas/call.ts';
import type { agentFile } from '../../dashboard/schemas/timeline.ts';

export type Call = z.infer<typeof call>;
export type CallTurn = Call['turns'][number];
export type CallTool = Call['tools'][number];
export type Bill = z.infer<typeof bill>;
export type BillLine = Bill['lines'][number];
export type AgentFile = z.infer<typeof agentFile>;
export type TurnLatency = NonNullable<CallTurn['latency']>;

export type { Levels, TapeEvents } from '../../dashboard/schemas/timeline.ts';
