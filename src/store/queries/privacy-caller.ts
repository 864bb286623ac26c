// Finding one person in the database: the calls that are theirs, and every text in which their number stands.
import { sql } from 'kysely';
import type { Party } from '../../carrier/carrier.ts';
import type { Database } from '../database.ts';
import type { Tables } from '../schema.ts';

/** Every address in the books that contains a text, whatever its case: whoever asks knows which of them are the person. */
export async function partiesLike(db: Database, { contains }: { contains: string }): Promise<Party[]> {
  const within = like(contains.toLowerCase());
  const from = db
    .selectFrom('calls')
    .select(['from_kind as kind', 'from_value as value'])
    .where(sql<boolean>`lower(from_value) like ${within} escape '!'`);
  const to = db
    .selectFrom('calls')
    .select(['to_kind as kind', 'to_value as value'])
    .where(sql<boolean>`lower(to_value) like ${within} escape '!'`);
  return (await from.union(to).execute()) as Party[];
}

/** A call of the person. */
export interface PersonsCall {
  callId: string;
  carrier: string;
  carrierCallId: string;
  admittedMs: number;
  endedMs: number | null;
  /** The process that had its sockets. */
  node: string;
}

/** The calls that one of these addresses made, or was called in. */
export async function callsOfPerson(db: Database, { parties }: { parties: readonly Party[] }): Promise<PersonsCall[]> {
  if (parties.length === 0) return [];
  const rows = await db
    .selectFrom('calls')
    .select(['call_id', 'carrier', 'carrier_call_id', 'admitted_ms', 'ended_ms', 'node'])
    .where((e) =>
      e.or(
        parties.flatMap(({ kind, value }) => [
          e.and([e('direction', '=', 'inbound'), e('from_kind', '=', kind), e('from_value', '=', value)]),
          e.and([e('direction', '=', 'outbound'), e('to_kind', '=', kind), e('to_value', '=', value)]),
        ]),
      ),
    )
    .orderBy('admitted_ms')
    .execute();
  return rows.map((row) => ({
    callId: row.call_id,
    carrier: row.carrier,
    carrierCallId: row.carrier_call_id,
    admittedMs: row.admitted_ms,
    endedMs: row.ended_ms,
    node: row.node,
  }));
}

/** Rows of one column in which a text stands. */
export interface TextFound {
  table: string;
  column: string;
  rows: number;
}

/** Tables of ours; others may share the database, and are not ours to look into. */
const OURS: Record<keyof Tables, true> = {
  ...{ calls: true, turns: true, tools: true, lines: true, residues: true, reconciliations: true },
  ...{ audit: true, journals: true, agent_files: true },
};

/** Looks into every text of every table, also into those that are derived from ours, such as an index of words. */
export async function textsLike(db: Database, { contains }: { contains: string }): Promise<TextFound[]> {
  const within = like(contains.toLowerCase());
  const isOurs = (name: string) => Object.keys(OURS).some((own) => name === own || name.startsWith(`${own}_`));
  const found: TextFound[] = [];
  for (const { name: table, columns } of await db.introspection.getTables()) {
    // An index of words says of none of its columns what it holds.
    const texts = columns.filter(({ dataType }) => /text|char|json|^$/i.test(dataType)).map(({ name }) => name);
    if (!isOurs(table) || texts.length === 0) continue;
    // One look at each row.
    const counts = texts.map(
      (column) => sql`sum(case when lower(cast(${sql.ref(column)} as text)) like ${within} escape '!' then 1 else 0 end)
        as ${sql.ref(column)}`,
    );
    const query = sql<Record<string, number | null>>`select ${sql.join(counts)} from ${sql.table(table)}`;
    const [row = {}] = (await query.execute(db)).rows;
    for (const column of texts) {
      const rows = Number(row[column] ?? 0);
      if (rows > 0) found.push({ table, column, rows });
    }
  }
  return found;
}

const like = (text: string): string => `%${text.replace(/[!%_]/g, '!$&')}%`;
