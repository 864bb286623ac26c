// What an operator should know of the prices before the first call: as data, for the log at start and for metrics. Pure.
import { modelPrice, type PriceBook, shutdownOf } from './prices.ts';

export interface PriceWarning {
  what: 'book_old' | 'model_shutdown' | 'price_unknown';
  /** The file of prices, or the model. */
  about: string;
  /** For people. */
  text: string;
}

/** A model, and who uses it. */
export interface ModelInUse {
  model: string;
  agent: string;
}

/** An agent as far as its models are concerned. */
export interface AgentModels {
  name: string;
  model: { name: string; transcription: { model: string } | null };
  failure: { fallback: { name: string } | null };
}

const DAY_MS = 86_400_000;
const OLD_AFTER_DAYS = 90;

/** Every model that these agents may use: to answer, to take over, to write down what callers say. */
export const modelsOf = (agents: readonly AgentModels[]): ModelInUse[] =>
  agents.flatMap(({ name: agent, model, failure }) =>
    [model.name, failure.fallback?.name, model.transcription?.model].flatMap((one) =>
      one === undefined ? [] : [{ model: one, agent }],
    ),
  );

/** One warning for each file that is old and each model that will go, or has no price. */
export function priceWarnings(book: PriceBook, inUse: readonly ModelInUse[], nowWallMs: number): PriceWarning[] {
  const models = [...Map.groupBy(inUse, ({ model }) => model)];
  return [
    ...oldFiles(book, nowWallMs),
    ...models.flatMap(([model, users]) => aboutModel(book, model, users, nowWallMs)),
  ];
}

function oldFiles({ files }: PriceBook, nowWallMs: number): PriceWarning[] {
  return files.flatMap(({ name, version, asOfMs }) => {
    const days = Math.floor((nowWallMs - asOfMs) / DAY_MS);
    if (days <= OLD_AFTER_DAYS) return [];
    const text = `the prices of ${version} were true ${days} days ago: costs may differ from the bill`;
    return [{ what: 'book_old', about: name, text }];
  });
}

function aboutModel(book: PriceBook, model: string, users: readonly ModelInUse[], nowWallMs: number): PriceWarning[] {
  const warnings: PriceWarning[] = [];
  const who = [...new Set(users.map(({ agent }) => agent))].join(', ');
  const shutdown = shutdownOf(book, model);
  if (shutdown !== null) {
    const days = Math.ceil((Date.parse(`${shutdown}T00:00:00Z`) - nowWallMs) / DAY_MS);
    const when = days > 0 ? `goes on ${shutdown}, in ${days} day${days === 1 ? '' : 's'}` : `went on ${shutdown}`;
    warnings.push({ what: 'model_shutdown', about: model, text: `the model ${model} ${when}; used by ${who}` });
  }
  if (modelPrice(book, model, nowWallMs) === null) {
    const text = `no price is known for the model ${model}: costs are incomplete; used by ${who}`;
    warnings.push({ what: 'price_unknown', about: model, text });
  }
  return warnings;
}
