// docs/growth.md: its words are written by hand, and what lies between two marks of one name by growth.ts, so that no figure
// of the page can drift from growth.json.
import { brief, type PartFindings } from './growth-report.ts';
import { markdown, type Table } from './report.ts';

const begin = (name: string): string => `<!-- growth.ts writes: ${name} -->`;
const end = (name: string): string => `<!-- end of ${name} -->`;

/** The page with new sections. @throws Error when the marks of one are not there, once each and in order */
export function withSections(page: string, sections: Readonly<Record<string, string>>): string {
  return Object.entries(sections).reduce((text, [name, section]) => {
    const [before, rest, more] = text.split(begin(name));
    const [, after, again] = rest?.split(end(name)) ?? [];
    if (before === undefined || after === undefined || more !== undefined || again !== undefined)
      throw new Error(`the page must hold "${begin(name)}" and "${end(name)}", once each and in this order`);
    return `${before}${begin(name)}\n\n${section.trim()}\n\n${end(name)}${after}`;
  }, page);
}

/** What one part has to say. @param plots of it that there are, @param folder where they lie, seen from the page */
export function sectionOf(found: PartFindings, plots: readonly string[], folder: string): string {
  return [
    ...found.tables.map(tableSection),
    ...plots.map((file) => `![${file.replace(/\.svg$/, '').replace('-', ': ')}](${folder}${file})`),
    ...(found.remarks.length > 0 ? [found.remarks.map((remark) => `- ${remark}`).join('\n')] : []),
    ...found.faults.map((fault) => `- **Fault:** ${fault}`),
  ].join('\n\n');
}

export const tableSection = (table: Table): string => `**${table.title}**\n\n${markdown(table)}`;

/** Beyond noise: what is to be flat may be so much dearer at its largest. */
const FLAT = 1.1;

/** Every ratio at one look. @param figures of all parts; what was not measured is left out */
export function glanceTable(figures: Readonly<Record<string, number>>): Table {
  const of = (name: string): number => figures[name] ?? Number.NaN;
  const times = (name: string): string => `${of(name).toFixed(2)} ×`;
  const isFlat = (name: string): string => (of(name) <= FLAT ? 'yes' : '**no**');
  /** The largest of sizes that were measured, by a figure's name around it. */
  const most = (before: string, after: string): number =>
    Math.max(
      ...Object.keys(figures).map((name) =>
        Number(name.startsWith(before) && name.endsWith(after) ? name.slice(before.length, -after.length) : 0),
      ),
    );
  const agents = most('agents_', '_load_ms');
  const tools = most('tools_', '_load_ms');
  const rows = [
    [
      'a minute at the end of a call to one at its begin, everything on',
      times('length_everything_ratio'),
      'flat',
      isFlat('length_everything_ratio'),
    ],
    ['the same without the record', times('length_no_record_ratio'), 'flat', isFlat('length_no_record_ratio')],
    [
      'memory of a call without what the record keeps',
      `${brief(of('length_no_record_kib_per_minute'))} KiB a minute`,
      'flat',
      of('length_no_record_kib_per_minute') < 5 ? 'yes' : '**no**',
    ],
    ['what the record keeps', `${brief(of('length_record_bytes_per_turn'))} bytes a turn`, 'bounded', 'yes'],
    ['a turn of the core, the last to the early ones', times('history_ratio'), 'flat', isFlat('history_ratio')],
    [
      `start with ${agents} agents, without Node’s own`,
      `${brief(of(`agents_${agents}_server_ms`))} ms`,
      '< 1 s',
      of(`agents_${agents}_server_ms`) < 1_000 ? 'yes' : '**no**',
    ],
    [
      `the agent of a number among ${agents}`,
      `${brief(of(`agents_${agents}_lookup_ns`) / 1_000)} µs`,
      'linear, once a call',
      'yes',
    ],
    [
      `the first message to the model with ${tools} tools`,
      `${brief(of(`tools_${tools}_update_ms`))} ms, ${brief(of(`tools_${tools}_update_bytes`) / 1_024)} KiB`,
      'linear, once a session',
      'yes',
    ],
    ['a minute of the longest tape read, to one of a short one', times('tape_ratio'), 'flat', isFlat('tape_ratio')],
    ...[
      ['a call taken into the fullest database, to the emptiest (CPU)', 'insert_cpu'],
      ['page 1 of the list', 'first_page'],
      ['a page in the middle', 'deep_page'],
      ['one call by its id', 'one'],
      ['count of all', 'count'],
      ['page 1 in another order (cost)', 'by_cost'],
      ['statistics of all calls', 'statistics'],
    ].flatMap(([what = '', name = '']) => {
      const ratio = `database_${name}_ratio`;
      if (!(ratio in figures)) return [];
      // A figure that is not there at the largest size came too late.
      if (Number.isNaN(of(ratio))) return [[what, 'no answer', 'flat', '**no**']];
      return [
        [
          what,
          times(ratio),
          `flat but for the depth of an index, ≤ ${DEEPER} ×`,
          of(ratio) <= DEEPER ? 'yes' : '**no**',
        ],
      ];
    }),
  ];
  return {
    title: 'At a glance',
    columns: ['what', 'large to small', 'aim', 'met'],
    rows: rows.filter(([, value]) => !/NaN|n.a|Infinity/.test(value ?? '')),
  };
}

/** An index over ten million rows is some steps deeper than one over a thousand, and does not lie in the cache as a whole. */
const DEEPER = 3;
