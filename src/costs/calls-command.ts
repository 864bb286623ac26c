// `trunkline calls`: the newest calls in a list; `trunkline calls show ID`: one of them with its words and its bill.
import { TrunklineError } from '../errors.ts';
import { counted } from '../replay/text-layout.ts';
import type { Kept } from '../store/queries/calls.ts';
import { callPage } from './call-page.ts';
import { CALLS_USAGE, type CallsOptions, readCallsOptions, readShowOptions } from './calls-options.ts';
import { callsTable } from './calls-table.ts';
import { type Archive, consult, type Desk } from './desk.ts';
import { leftOutCalls } from './left-out.ts';
import { named, NO_CALL_YET } from './nothing-kept.ts';
import { discreet } from './parties.ts';

/** The command. @throws TrunklineError saying how it is used, that there is no such call, or that nothing can be read */
export async function calls(args: string[], desk: Desk): Promise<void> {
  if (args.includes('--help') || args.includes('-h')) return desk.paper.out(CALLS_USAGE);
  const [first, ...rest] = args;
  if (first === 'show') return show(rest, desk);
  return list(args, desk);
}

const NEWEST_FIRST = { sort: 'admitted', order: 'desc' } as const;

async function list(args: string[], desk: Desk): Promise<void> {
  const { paper } = desk;
  const { limit, numbers, json, ...filter } = readCallsOptions(args);
  const { found, fitting, kept } = await consult(desk, async (archive) => {
    const page = await archive.ask('listCalls', { ...filter, ...NEWEST_FIRST, limit, after: null });
    return {
      found: page.calls,
      fitting: page.more ? await archive.ask('countCalls', filter) : page.calls.length,
      kept: page.calls.length === 0 ? await archive.ask('whatIsKept', null) : null,
    };
  });
  const shown = found.map((call) => discreet(call, numbers));
  if (json) paper.out(JSON.stringify({ calls: shown, leftOut: fitting - shown.length }, null, 2));
  else if (kept === null)
    paper.out([...callsTable(found, numbers, paper.columns), ...leftOutCalls(found.length, fitting)].join('\n'));
  if (kept === null) return;
  // Beside JSON it would be read as data.
  if (json) paper.err(nothingFound(filter, kept));
  else paper.out(nothingFound(filter, kept));
}

function nothingFound(
  { day, agent, from, reasons }: Pick<CallsOptions, 'day' | 'agent' | 'from' | 'reasons'>,
  kept: Kept,
): string {
  const asked = [
    ...(day === null ? [] : [`of ${day}`]),
    ...(agent === null ? [] : [`of the agent "${agent}"`]),
    ...(from === null ? [] : ['from that number']),
    ...(reasons === null ? [] : [`that ended as ${reasons.join(' or ')}`]),
  ];
  if (kept.lastCallDay === null || asked.length === 0) return NO_CALL_YET;
  const missing = `There is no call ${asked.join(' ')}`;
  if (agent !== null && !kept.agents.includes(agent)) return `${missing}. Agents with calls: ${named(kept.agents)}.`;
  const { calls: all, lastCallDay: newest } = kept;
  return `${missing}. Of ${counted(all, 'call')} the newest is of ${newest}: trunkline calls --day ${newest}`;
}

async function show(args: string[], desk: Desk): Promise<void> {
  const { paper } = desk;
  const { id, numbers, json } = readShowOptions(args);
  const { call, bill } = await consult(desk, async (archive) => {
    const callId = await wholeId(archive, id);
    return { call: await archive.ask('readCall', { callId }), bill: await archive.ask('readBill', { callId }) };
  });
  // It can go between the questions only.
  if (call === null || bill === null) throw noSuchCall(id);
  if (json) paper.out(JSON.stringify({ call: discreet(call, numbers), bill }, null, 2));
  else paper.out(callPage(call, bill, numbers, paper.columns).join('\n'));
}

/** The one call whose id begins so. @throws TrunklineError where there is none, or more than one */
async function wholeId(archive: Archive, beginning: string): Promise<string> {
  const found = await archive.ask('callsBeginning', { beginning });
  const [only, another] = found;
  if (only === undefined) throw noSuchCall(beginning);
  if (another !== undefined && only !== beginning)
    throw new TrunklineError(
      'TRK_NOT_FOUND',
      `More than one call begins with ${beginning}; give more of the id, such as ${only} or ${another}.`,
    );
  return only;
}

const noSuchCall = (id: string): TrunklineError =>
  new TrunklineError('TRK_NOT_FOUND', `There is no call ${id}; "trunkline calls" lists those that are kept.`);
