// Calls in which some words were said. SQLite has an index of its own for them (`turns_words`, kept by triggers; see
// ../words-of-turns.ts), PostgreSQL one over an expression. Whoever searches writes words and no query: what means something
// in either query language is quoted, so that nothing can be a wrong question.
import { type RawBuilder, sql } from 'kysely';
import { type Database, isSqlite } from '../database.ts';
import { storable } from '../storable.ts';
import { TURN_BITS } from '../words-of-turns.ts';

/** More of them are not looked for. */
const MAX_WORDS = 8;
const MAX_WORD_CHARS = 64;
/** Of fewer characters there are too many words. */
const SHORTEST_BEGINNING = 3;

/** Something to look for: a word as it was typed, or how one begins. A word with a dash or an apostrophe is a sequence of words. */
interface Word {
  text: string;
  isBeginning: boolean;
}

/** A condition on the table of calls: each of the words was said in some turn of the call. */
export function saidInCall(db: Database, text: string): RawBuilder<boolean> {
  const words = wordsOf(text);
  // Nothing in it could ever have been said.
  if (words.length === 0) return sql`1 = 0`;
  const said = isSqlite(db) ? saidInSqlite : saidInPostgres;
  return sql`(${sql.join(words.map(said), sql` and `)})`;
}

function wordsOf(text: string): Word[] {
  const words = text.split(/\s+/u).filter((word) => /[\p{L}\p{N}]/u.test(word));
  return words.slice(0, MAX_WORDS).map((word, i) => {
    const cut = storable(word.slice(0, MAX_WORD_CHARS));
    return { text: cut, isBeginning: i === words.length - 1 && cut.length >= SHORTEST_BEGINNING };
  });
}

function saidInSqlite({ text, isBeginning }: Word): RawBuilder<boolean> {
  const query = `"${text.replaceAll('"', '""')}"${isBeginning ? '*' : ''}`;
  return sql`seq in (select rowid >> ${sql.lit(TURN_BITS)} from turns_words where turns_words match ${query})`;
}

function saidInPostgres({ text, isBeginning }: Word): RawBuilder<boolean> {
  const plain = sql`plainto_tsquery('simple', ${text})`;
  // As text it is quoted again; of nothing no beginning can be made.
  const query = isBeginning ? sql`(nullif(${plain}::text, '') || ':*')::tsquery` : plain;
  return sql`call_id in (select call_id from turns where to_tsvector('simple', said) @@ ${query})`;
}
