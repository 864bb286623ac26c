// What a call's lines come to stands in its row, so that lists can be filtered and sorted by it. Triggers keep it, line by
// line, whoever writes them: a line is added, raised or removed, and the call changes by the difference.
import { type Kysely, type RawBuilder, sql } from 'kysely';

/** Makes the triggers. Rows that are there by now are the caller's to sum. */
export async function keepSums(db: Kysely<unknown>, engine: 'sqlite' | 'postgres'): Promise<void> {
  if (engine === 'sqlite') await inSqlite(db);
  else await inPostgres(db);
}

/** The sums of all lines of each call, as rows of call_id, nano_usd, line_count, unpriced. */
export const SUMS: RawBuilder<unknown> = sql`select call_id, coalesce(sum(cost_nano_usd), 0) as nano_usd,
  count(*) as line_count, count(*) - count(cost_nano_usd) as unpriced from lines`;

const isUnpriced = (line: string) => `case when ${line}.cost_nano_usd is null then 1 else 0 end`;
const cost = (line: string) => `coalesce(${line}.cost_nano_usd, 0)`;

/** Lines that change their price, or come and go. */
const CHANGES = {
  insert: [`+ ${cost('new')}`, '+ 1', `+ ${isUnpriced('new')}`, 'new'],
  update: [`+ ${cost('new')} - ${cost('old')}`, '', `+ ${isUnpriced('new')} - ${isUnpriced('old')}`, 'new'],
  delete: [`- ${cost('old')}`, '- 1', `- ${isUnpriced('old')}`, 'old'],
} as const;

const change = ([nanoUsd, lines, unpriced, line]: readonly [string, string, string, string]): string =>
  `update calls set cost_nano_usd = cost_nano_usd ${nanoUsd}, line_count = line_count ${lines},
     unpriced_lines = unpriced_lines ${unpriced} where call_id = ${line}.call_id;`;

async function inSqlite(db: Kysely<unknown>): Promise<void> {
  const trigger = (name: string, when: string, does: string) =>
    sql.raw(`create trigger ${name} after ${when} begin ${does} end`).execute(db);
  await trigger('calls_sum_added', 'insert on lines', change(CHANGES.insert));
  await trigger(
    'calls_sum_raised',
    'update of cost_nano_usd on lines when old.cost_nano_usd is not new.cost_nano_usd',
    change(CHANGES.update),
  );
  await trigger('calls_sum_removed', 'delete on lines', change(CHANGES.delete));
  // Lines are kept also of calls that nobody knows yet.
  await sql`create trigger calls_sum_begun after insert on calls
    when exists (select 1 from lines where call_id = new.call_id) begin
      update calls set (cost_nano_usd, line_count, unpriced_lines) =
        (select nano_usd, line_count, unpriced from (${SUMS} where call_id = new.call_id)) where seq = new.seq;
    end`.execute(db);
}

async function inPostgres(db: Kysely<unknown>): Promise<void> {
  const changed = (Object.keys(CHANGES) as (keyof typeof CHANGES)[]).map(
    (what) => `if tg_op = '${what.toUpperCase()}' then ${change(CHANGES[what])} end if;`,
  );
  await sql
    .raw(
      `create function trunkline_line_changed() returns trigger language plpgsql as
       $$ begin ${changed.join('\n')} return null; end $$`,
    )
    .execute(db);
  await sql`create trigger calls_sum_changed after insert or delete on lines
    for each row execute function trunkline_line_changed()`.execute(db);
  await sql`create trigger calls_sum_raised after update of cost_nano_usd on lines
    for each row when (old.cost_nano_usd is distinct from new.cost_nano_usd)
    execute function trunkline_line_changed()`.execute(db);
  await sql`create function trunkline_call_begun() returns trigger language plpgsql as $$ begin
    select nano_usd, line_count, unpriced into new.cost_nano_usd, new.line_count, new.unpriced_lines
      from (${SUMS} where call_id = new.call_id group by call_id) as sums;
    if not found then new.cost_nano_usd := 0; new.line_count := 0; new.unpriced_lines := 0; end if;
    return new;
    end $$`.execute(db);
  await sql`create trigger calls_sum_begun before insert on calls
    for each row execute function trunkline_call_begun()`.execute(db);
}
