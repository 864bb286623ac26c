// Reads the Prometheus text of a server's /metrics, as far as the measurements need it.

/** The samples of one scrape, by name and label text as printed. */
export class Samples {
  readonly #lines: { name: string; labels: string; value: number }[] = [];

  constructor(text: string) {
    for (const line of text.split('\n')) {
      const found = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line);
      if (found) this.#lines.push({ name: found[1] as string, labels: found[2] ?? '', value: Number(found[3]) });
    }
  }

  /** The sum over all samples of a name whose labels contain each of `labels` (`path="in"`). NaN when there is none. */
  sum(name: string, ...labels: string[]): number {
    const found = this.#lines.filter((line) => line.name === name && labels.every((l) => line.labels.includes(l)));
    return found.length === 0 ? Number.NaN : found.reduce((sum, { value }) => sum + value, 0);
  }

  /** The buckets of a histogram without labels, upper bounds rising. */
  buckets(name: string): { le: number; count: number }[] {
    return this.#lines
      .filter((line) => line.name === `${name}_bucket`)
      .map(({ labels, value }) => ({
        le: Number(/le="([^"]+)"/.exec(labels)?.[1]?.replace('+Inf', 'Infinity')),
        count: value,
      }))
      .sort((a, b) => a.le - b.le);
  }

  /** The values of a name by one label's value, without the zeros. */
  by(name: string, label: string): Record<string, number> {
    const found: Record<string, number> = {};
    for (const line of this.#lines) {
      if (line.name !== name || line.value === 0) continue;
      const key = new RegExp(`${label}="([^"]*)"`).exec(line.labels)?.[1] ?? '';
      found[key] = (found[key] ?? 0) + line.value;
    }
    return found;
  }
}
