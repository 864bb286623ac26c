// Every series that the server's metrics can have: what pages and alert rules may speak of.
import { realClock } from '../../src/clock.ts';
import * as labels from '../../src/metrics/labels.ts';
import { createMetrics } from '../../src/metrics/metrics.ts';

/** The values that a label may have, by metric and label. */
export type Series = ReadonlyMap<string, ReadonlyMap<string, ReadonlySet<string>>>;

/** All of them, from a server that has answered webhooks. */
export async function everySeries(): Promise<Series> {
  const metrics = createMetrics({ clock: realClock, version: '0.0.0' });
  // These series appear with their first count.
  for (const route of labels.webhookRoutes.all)
    for (const status of [200, 204, 403]) metrics.counters.webhook(route, status);
  const text = await metrics.text();
  metrics.close();
  const found = new Map<string, Map<string, Set<string>>>();
  for (const [, name = ''] of text.matchAll(/^# TYPE (\S+) /gm)) found.set(name, new Map());
  for (const [, name = '', pairs = ''] of text.matchAll(/^(trunkline_\w+)(?:\{(.*)\})? /gm)) {
    const values = found.get(name) ?? new Map<string, Set<string>>();
    found.set(name, values);
    for (const [, label = '', value = ''] of pairs.matchAll(/(\w+)="([^"]*)"/g))
      values.set(label, (values.get(label) ?? new Set()).add(value));
  }
  return found;
}

/** What a text with metrics and their labels asks for that no series can have. */
export function impossibleSeries(text: string, series: Series): string[] {
  return [...text.matchAll(/\b(trunkline_\w+)(?:\{([^}]*)\})?/g)].flatMap(([, name = '', matchers = '']) => {
    const known = series.get(name);
    if (!known) return [`there is no ${name}`];
    return [...matchers.matchAll(/(\w+)\s*(=~|!=|!~|=)\s*"([^"]*)"/g)].flatMap(
      ([, label = '', op = '', value = '']) => {
        const values = known.get(label);
        if (!values) return [`${name} has no label ${label}`];
        // Each alternative must be able to match something.
        const alternatives = op.includes('~') ? value.split('|') : [value];
        const matches = (wanted: string) =>
          [...values].some((v) => (op.includes('~') ? new RegExp(`^(?:${wanted})$`).test(v) : v === wanted));
        return alternatives
          .filter((wanted) => !matches(wanted))
          .map((wanted) => `${name}: ${label} is never ${wanted}`);
      },
    );
  });
}
