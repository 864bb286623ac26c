// Reconciles one day with one seller: reads its reports page by page, settles them against our lines, and writes what came of
// it. How far it has come is kept after every page, so that an interrupted run goes on; the same reports come to the same
// result however often they are read.
import { TrunklineError } from '../errors.ts';
import type { Store } from '../store/store.ts';
import type { Residue } from './causes.ts';
import { DAY_MS } from './days.ts';
import { OPENAI, settleOpenAi } from './openai.ts';
import { newOpenAiReport, type OpenAiReport, readOpenAi } from './openai-report.ts';
import { isDone, type SellerOutcome, sumBy } from './outcome.ts';
import type { ReportReader } from './reader.ts';
import { legsToLookUp, settleTwilio, TWILIO } from './twilio.ts';
import { newTwilioReport, readCall, readTwilio, type TwilioReport } from './twilio-report.ts';

export type Archive = Pick<Store, 'ask'>;

export interface RunOptions {
  archive: Archive;
  day: string;
  wallMs: () => number;
}

/** Nobody goes on with reports that were read longer ago: they may have changed. */
const STALE_MS = DAY_MS;
const LINES_AT_ONCE = 500;
/** So many calls are not all of another day. */
const ENOUGH_LEGS = 10;

/** Read pages, and the form they are kept in: another form is not gone on with. */
interface Progress<Report> {
  form: 1;
  report: Report;
}

export async function reconcileOpenAi(
  { archive, day, wallMs }: RunOptions,
  reader: ReportReader,
  project: string | null,
): Promise<SellerOutcome> {
  const run = { archive, day, seller: OPENAI, wallMs };
  const report = (await resumed<OpenAiReport>(run)) ?? newOpenAiReport(wallMs());
  while (report.step !== 'read') {
    await readOpenAi(reader, { day, project }, report);
    await keep(run, report);
  }
  const outcome = await settleOpenAi(archive, { day, nowMs: report.sinceMs, oneProject: project !== null }, report);
  await write(run, outcome);
  return outcome;
}

export async function reconcileTwilio(
  { archive, day, wallMs }: RunOptions,
  reader: ReportReader,
  accountSid: string,
): Promise<SellerOutcome> {
  const run = { archive, day, seller: TWILIO, wallMs };
  const report = (await resumed<TwilioReport>(run)) ?? newTwilioReport(wallMs());
  while (report.step !== 'read') {
    await readTwilio(reader, { day, accountSid }, report);
    await keep(run, report);
  }
  const { missing, legs } = await legsToLookUp(archive, day, report);
  if (legs >= ENOUGH_LEGS && missing.length === legs) {
    const why = `the account knows none of the ${legs} calls of ${day}; is TWILIO_ACCOUNT_SID the one that took them?`;
    throw new TrunklineError('TRK_REPORT', `Twilio: ${why}`);
  }
  for (const sid of missing) {
    if (Object.hasOwn(report.single, sid)) continue;
    report.single[sid] = await readCall(reader, accountSid, sid);
    await keep(run, report);
  }
  const outcome = await settleTwilio(archive, { day, nowMs: report.sinceMs }, report);
  await write(run, outcome);
  return outcome;
}

interface Run extends RunOptions {
  seller: string;
}

async function resumed<Report extends { sinceMs: number }>({
  archive,
  day,
  seller,
  wallMs,
}: Run): Promise<Report | null> {
  const row = await archive.ask('readReconciliation', { day, seller });
  const cursor = row?.cursor ?? null;
  if (cursor === null) return null;
  const { form, report } = JSON.parse(cursor) as Progress<Report>;
  return form === 1 && wallMs() - report.sinceMs <= STALE_MS ? report : null;
}

async function keep<Report>({ archive, day, seller, wallMs }: Run, report: Report): Promise<void> {
  const progress: Progress<Report> = { form: 1, report };
  await archive.ask('keepProgress', { day, seller, cursor: JSON.stringify(progress), nowMs: wallMs() });
}

async function write({ archive, day, seller, wallMs }: Run, outcome: SellerOutcome): Promise<void> {
  const { products, billed } = outcome;
  for (let i = 0; i < billed.length; i += LINES_AT_ONCE)
    await archive.ask('billLines', { lines: billed.slice(i, i + LINES_AT_ONCE) });
  const oursNanoUsd = sumBy(products, (product) => product.oursNanoUsd);
  const reportedNanoUsd = sumBy(products, (product) => product.reportedNanoUsd);
  await archive.ask('settleReconciliation', {
    ...{ day, seller, oursNanoUsd, reportedNanoUsd },
    state: isDone(outcome) ? 'done' : 'open',
    residues: products.flatMap((product) => product.residues.map(residueRow)),
    note: `${billed.length} lines billed; ours ${oursNanoUsd}, reported ${reportedNanoUsd} nano-dollars`,
    actor: 'operator',
    nowMs: wallMs(),
  });
}

const residueRow = ({ product, cause, nanoUsd, besideNanoUsd, note }: Residue) => ({
  product,
  cause,
  nano_usd: nanoUsd,
  beside_nano_usd: besideNanoUsd,
  note,
});
