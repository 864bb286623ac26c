// One part of the growth measurement in a process of its own: forked by growth.ts, which would else measure what the part
// before it had left behind.
//   node bench/growth-part.ts PART '{"short":true,"tenMillionDir":null}'
import { measureAgents } from './growth-agents.ts';
import { measureDatabase } from './growth-database.ts';
import { measureHistory, measureLengths } from './growth-length.ts';
import type { PartOptions, PartReport } from './growth-report.ts';
import { measureTapes } from './growth-tape.ts';

export const PARTS: Readonly<Record<string, (options: PartOptions) => Promise<PartReport>>> = {
  lengths: measureLengths,
  history: measureHistory,
  agents: measureAgents,
  tape: measureTapes,
  database: measureDatabase,
};

if (import.meta.main) {
  const [name = '', options = '{}'] = process.argv.slice(2);
  const measure = PARTS[name];
  if (measure === undefined) throw new Error(`expected one of ${Object.keys(PARTS).join(', ')} (found ${name})`);
  const say = (text: string): void => void process.send?.({ say: text });
  const report = await measure({ ...(JSON.parse(options) as Omit<PartOptions, 'say'>), say });
  process.send?.({ found: report.found }, () => process.exit(0));
}
