// Everything that can be asked of the database, by name. Each is a function of the database and one plain question; it runs
// in the worker thread, so question and answer are data that can be copied between threads.
import { readAgentFile, readAudit } from './queries/agents-audit.ts';
import { applyEvents } from './queries/apply.ts';
import { readBill } from './queries/calls-bill.ts';
import { callFacets } from './queries/call-facets.ts';
import { countCalls, listCalls } from './queries/calls-list.ts';
import { callStats } from './queries/calls-stats.ts';
import { callsBeginning, readCall, whatIsKept } from './queries/calls.ts';
import { readCosts } from './queries/costs.ts';
import { callsOfPerson, partiesLike, textsLike } from './queries/privacy-caller.ts';
import { callsDue, callsKnown, keptOf, removeKept } from './queries/privacy-kept.ts';
import { auditPrivacy, scrub } from './queries/privacy-scrub.ts';
import { billLines, keepProgress, readReconciliation, settleReconciliation } from './queries/reconcile.ts';
import { boughtProducts, readLegs, readLines, sumLines } from './queries/reconcile-lines.ts';
import { readSpend, spentOn } from './queries/spend.ts';

export const QUERIES = {
  applyEvents,
  listCalls,
  countCalls,
  callStats,
  callFacets,
  readAudit,
  readAgentFile,
  callsBeginning,
  readCall,
  readBill,
  readCosts,
  whatIsKept,
  callsDue,
  callsKnown,
  keptOf,
  removeKept,
  partiesLike,
  callsOfPerson,
  textsLike,
  scrub,
  auditPrivacy,
  readReconciliation,
  keepProgress,
  billLines,
  settleReconciliation,
  boughtProducts,
  readLegs,
  readLines,
  sumLines,
  readSpend,
  spentOn,
};

export type Queries = typeof QUERIES;
