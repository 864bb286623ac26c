// What the API gives of the list of calls, by its schemas.
import type { z } from 'zod';
import type { callFacets, CallList } from '../../dashboard/schemas/calls.ts';

export type { CallList, CallStats } from '../../dashboard/schemas/calls.ts';
export type CallSummary = CallList['calls'][number];
export type CallFacets = z.infer<typeof callFacets>;
