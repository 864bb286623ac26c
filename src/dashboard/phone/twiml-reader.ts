// Reads TwiML as far as this server writes it: elements, attributes, text. The documents are our own, filled from twiml/,
// which an operator may change; a whole XML parser is not needed for them and is no dependency of a server. Pure.
import { TrunklineError } from '../../errors.ts';

/** One element: a verb at the top level, a noun or parameter below it. */
export interface TwimlElement {
  name: string;
  attributes: Record<string, string>;
  children: TwimlElement[];
  /** Text directly inside, trimmed. */
  text: string;
}

/** The carrier's own limit. */
const MAX_TWIML_LENGTH = 64 * 1024;
/** Deeper than any document of the carrier's. */
const MAX_DEPTH = 8;
const SKIPPED = /<!--[\s\S]*?-->|<\?[\s\S]*?\?>/g;
/** A closing tag, an opening one with its attributes, or the text up to the next tag; in one place only one of them fits. */
const PART = /<\/([\w.:-]+)\s*>|<([\w.:-]+)((?:\s+[\w.:-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>|([^<]+)/y;
const ATTRIBUTE = /([\w.:-]+)\s*=\s*(?:"([^"<]*)"|'([^'<]*)')/g;
const ENTITY = /&(?:(amp|lt|gt|quot|apos)|#(\d{1,7})|#x([0-9a-fA-F]{1,6}));/g;
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/**
 * The verbs of a document, in order.
 * @throws TrunklineError TRK_BAD_WEBHOOK for what is no TwiML document
 */
export function readTwiml(document: string): TwimlElement[] {
  if (document.length > MAX_TWIML_LENGTH) throw bad('it is larger than 64 KB');
  const text = document.replace(SKIPPED, '').trim();
  const root = emptyElement('');
  const open = [root];
  PART.lastIndex = 0;
  while (PART.lastIndex < text.length) {
    const at = PART.lastIndex;
    const part = PART.exec(text);
    const inside = open.at(-1) as TwimlElement;
    if (part === null) throw bad(`it is not well-formed at character ${at}`);
    const [, closed, opened, attributes = '', selfClosed, words] = part;
    if (words !== undefined) inside.text += unescaped(words);
    else if (closed !== undefined) {
      if (open.length === 1 || inside.name !== closed) throw bad(`</${closed}> closes nothing`);
      open.pop();
    } else if (opened !== undefined) {
      const element = { ...emptyElement(opened), attributes: readAttributes(attributes) };
      inside.children.push(element);
      if (selfClosed === '' && open.push(element) > MAX_DEPTH) throw bad('it is nested too deep');
    }
  }
  const [response, ...more] = root.children;
  if (open.length > 1) throw bad(`${open.at(-1)?.name} is not closed`);
  if (response?.name !== 'Response' || more.length > 0 || root.text.trim() !== '')
    throw bad('its root is not one Response');
  return response.children.map(trimmed);
}

const emptyElement = (name: string): TwimlElement => ({ name, attributes: {}, children: [], text: '' });

function readAttributes(text: string): Record<string, string> {
  // No prototype: names are data here.
  const attributes: Record<string, string> = Object.create(null);
  for (const [, name = '', double, single = ''] of text.matchAll(ATTRIBUTE))
    attributes[name] = unescaped(double ?? single);
  return attributes;
}

const trimmed = (element: TwimlElement): TwimlElement => ({
  ...element,
  text: element.text.trim(),
  children: element.children.map(trimmed),
});

function unescaped(text: string): string {
  if (!text.includes('&')) return text;
  if (text.replace(ENTITY, '').includes('&')) throw bad('it has a raw &');
  return text.replace(ENTITY, (_all, name?: string, decimal?: string, hex?: string) => {
    if (name !== undefined) return ENTITIES[name] as string;
    const code = decimal === undefined ? Number.parseInt(hex as string, 16) : Number(decimal);
    if (code > 0x10ffff) throw bad('it has a character that does not exist');
    return String.fromCodePoint(code);
  });
}

const bad = (why: string): TrunklineError =>
  new TrunklineError('TRK_BAD_WEBHOOK', `the TwiML answer cannot be followed: ${why}`);
