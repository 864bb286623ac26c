// The index of the words that were said, in SQLite: a full-text table beside `turns`, which triggers keep. It holds no text
// of its own, only which word stands in which turn, and forgets a word in the moment in which its turn does. Its rows are
// numbered by call and turn, so that the calls in which a word was said can be told from the numbers alone.
import { type Kysely, sql } from 'kysely';

/** Row of a turn = seq of its call * 2^13 + its number. No record keeps as many turns. */
export const TURN_BITS = 13;
const LAST_TURN = 2 ** TURN_BITS - 1;

/** Makes it for what is kept by now and what comes. */
export async function indexWords(db: Kysely<unknown>): Promise<void> {
  const rowOf = (call: string, turn: string) => sql.raw(`${call}.seq * ${2 ** TURN_BITS} + ${turn}.turn`);
  const isSaid = (turn: string) => sql.raw(`${turn}.said is not null and ${turn}.turn between 0 and ${LAST_TURN}`);
  await sql`create virtual table turns_words using fts5(said, content='', tokenize='unicode61')`.execute(db);
  // Every word that is in it: for whoever looks for somebody who was forgotten.
  await sql`create virtual table turns_words_terms using fts5vocab(turns_words, row)`.execute(db);
  // What is removed leaves no byte behind, and not merely a note that it is gone.
  await sql`insert into turns_words(turns_words, rank) values ('secure-delete', 1)`.execute(db);
  await sql`insert into turns_words(rowid, said) select ${rowOf('calls', 'turns')}, said
    from turns join calls using (call_id) where ${isSaid('turns')} order by 1`.execute(db);

  // A turn is in the index if its call is known, be it later: with all of these that is always so, and what is taken out of
  // the index is what was put into it. Anything else would damage it.
  const add = (turn: string) => sql`insert into turns_words(rowid, said)
    select ${rowOf('calls', turn)}, ${sql.raw(turn)}.said from calls
    where call_id = ${sql.raw(turn)}.call_id and ${isSaid(turn)};`;
  const remove = (turn: string) => sql`insert into turns_words(turns_words, rowid, said)
    select 'delete', ${rowOf('calls', turn)}, ${sql.raw(turn)}.said from calls
    where call_id = ${sql.raw(turn)}.call_id and ${isSaid(turn)};`;
  await sql`create trigger turns_words_added after insert on turns begin ${add('new')} end`.execute(db);
  await sql`create trigger turns_words_removed after delete on turns begin ${remove('old')} end`.execute(db);
  // One trigger for both: of several nobody says which comes first.
  await sql`create trigger turns_words_changed after update on turns when old.said is not new.said
    begin ${remove('old')} ${add('new')} end`.execute(db);
  await sql`create trigger turns_words_call_known after insert on calls begin
    insert into turns_words(rowid, said) select ${rowOf('new', 'turns')}, said
      from turns where call_id = new.call_id and ${isSaid('turns')};
    end`.execute(db);
  await sql`create trigger turns_words_call_gone before delete on calls begin
    insert into turns_words(turns_words, rowid, said) select 'delete', ${rowOf('old', 'turns')}, said
      from turns where call_id = old.call_id and ${isSaid('turns')};
    end`.execute(db);
}
