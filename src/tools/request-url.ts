// The address of one request: what the agent file or the document says, with the model's arguments in it. An argument fills
// one segment or one value and nothing else; it leads neither to another host nor up the path.
import { argument, fillText, soleArgument, textOf } from './template.ts';
import type { Filled } from './template.ts';
import { ToolFailure } from './tool.ts';

type Arguments = Readonly<Record<string, unknown>>;

/** @throws ToolFailure for an argument that no address can hold */
export function requestUrl(address: Filled, args: Arguments): URL {
  let text = '';
  for (const part of address) {
    if ('text' in part) text += part.text;
    else text += encoded(part.argument, argument(args, part.argument), text.includes('?'));
  }
  // The URL itself would resolve these, as far as the root of the service.
  const path = text.replace(/[?#].*$/s, '').replace(/^https?:\/\/[^/]*/i, '');
  if (!URL.canParse(text) || /\/(?:\.|%2e){1,2}(?:\/|$)/i.test(path))
    throw new ToolFailure('The arguments make no address.');
  return new URL(text);
}

function encoded(name: string, value: unknown, inQuery: boolean): string {
  const text = value === undefined ? '' : textOf(value);
  if (inQuery) return encodeURIComponent(text);
  // Some services decode a path before they take it apart, so that an encoded `../` leads up all the same. An empty segment
  // asks for the whole list instead of one of it.
  if (text.trim() === '' || text.split(/[\\/]/).some((step) => /^\.{1,2}$/.test(step)))
    throw new ToolFailure(`The argument ${name} cannot be part of an address.`);
  return encodeURIComponent(text);
}

/** Adds the values of a query; one that needs an absent argument is left out. */
export function addQuery(url: URL, query: Readonly<Record<string, Filled>>, args: Arguments): void {
  for (const [key, filled] of Object.entries(query)) {
    const sole = soleArgument(filled);
    if (sole === null) {
      const text = fillText(filled, args);
      if (text !== undefined) url.searchParams.append(key, text);
    } else addValue(url, key, argument(args, sole), true);
  }
}

/** A list is several values of one name (`explode`), or one with commas. */
export function addValue(url: URL, key: string, value: unknown, explode: boolean): void {
  if (value === undefined) return;
  if (!Array.isArray(value)) url.searchParams.append(key, textOf(value));
  else if (explode) for (const item of value as unknown[]) url.searchParams.append(key, textOf(item));
  else url.searchParams.append(key, value.map(textOf).join(','));
}
