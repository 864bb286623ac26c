// Items of a seller's cost report, set against the parts that they charge for. Pure.
//
// An item of OpenAI's report is named `<model> <text|audio|image>, <input|cached input|output>` for models that hear and
// speak, `<model>, <input|cached input|output>` for others, sometimes after `priority | ` or before `, long context`
// (names of real reports, 2026). An item without a kind charges for what no other item of its model does. Parts that were
// used and have no item of their own belong to the text item of their way where the money fits better so; else they cost
// nothing.
import { costOf, type Prices } from './price.ts';
import { familyOf } from './lines.ts';
import { type Part, PARTS, placeOf, type Vector } from './vector.ts';

export interface Item {
  /** Name of the seller's report. */
  name: string;
  nanoUsd: number;
  /** In tokens or milliseconds; null where the report says none, or in other units. */
  quantity: number | null;
}

/** What an item charges for. */
export interface ItemName {
  model: string;
  kind: 'text' | 'audio' | 'image' | null;
  way: 'fresh' | 'cached' | 'out' | null;
}

/** Null: not the name of an item that charges for a model. */
export function readItemName(name: string): ItemName | null {
  const found =
    /^(?:[\w -]+ \| )?([A-Za-z][\w.:/-]*\d[\w.:/-]*|[a-z][\w.:/-]*-[\w.:/-]*)(?: (text|audio|image))?(?:, (.+))?$/.exec(
      name,
    );
  if (found === null) return null;
  const [, model = '', kind = null, rest = ''] = found;
  const cached = /\bcached\b|_cached_/.test(rest);
  const way = cached ? 'cached' : /\boutput/.test(rest) ? 'out' : /\binput/.test(rest) ? 'fresh' : null;
  return { model: familyOf(model), kind: kind as ItemName['kind'], way };
}

/** Items that charge for the same parts, summed. */
export interface Charge {
  parts: readonly Part[];
  nanoUsd: number;
  quantity: number | null;
}

const partsOf = ({ kind, way }: ItemName): Part[] =>
  PARTS.filter((part) => {
    const [ofKind, ofWay] = part.split('_');
    return (kind === null || kind === ofKind) && (way === null || way === ofWay);
  });

/** What a model's items charge for; every used part is in exactly one charge. */
export function chargesOf(items: readonly Item[], used: Vector, prices: Prices): Charge[] {
  const free = new Set<Part>(PARTS);
  const charges = new Map<string, Charge>();
  const named = items.flatMap((item) => {
    const name = readItemName(item.name);
    return name === null ? [] : [{ item, parts: partsOf(name) }];
  });
  // Those that say most of what they charge for come first.
  for (const { item, parts } of named.toSorted((a, b) => a.parts.length - b.parts.length)) {
    const key = parts.join(' ');
    const same = charges.get(key);
    if (same === undefined) {
      const own = parts.filter((part) => free.delete(part));
      charges.set(key, { parts: own, nanoUsd: item.nanoUsd, quantity: item.quantity });
      continue;
    }
    same.nanoUsd += item.nanoUsd;
    same.quantity = same.quantity === null || item.quantity === null ? null : same.quantity + item.quantity;
  }
  const result = [...charges.values()];
  for (const part of free) if ((used[placeOf(part)] ?? 0) !== 0) takeIn(result, part, used, prices);
  return result;
}

/** A used part that no item names. */
function takeIn(charges: Charge[], part: Part, used: Vector, prices: Prices): void {
  const way = part.split('_')[1];
  const worth = (of: Part): number => costOf(used[placeOf(of)] ?? 0, prices[of]);
  const host = charges.find((charge) => way !== undefined && charge.parts.includes(`text_${way}` as Part));
  const expected = host?.parts.reduce((sum, of) => sum + worth(of), 0) ?? 0;
  if (host !== undefined && Math.abs(host.nanoUsd - expected - worth(part)) < Math.abs(host.nanoUsd - expected)) {
    host.parts = [...host.parts, part];
    // Says how much of the one part; of both nothing is known.
    host.quantity = null;
  } else charges.push({ parts: [part], nanoUsd: 0, quantity: null });
}
