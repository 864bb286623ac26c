// Reads TwiML as the carrier does: only as XML, only in its own size and content type, only verbs that exist.
import { XMLParser, XMLValidator } from 'fast-xml-parser';

/** One element: a verb at the top level, a noun or parameter below it. Names keep their case. */
export interface TwimlElement {
  name: string;
  attributes: Record<string, string>;
  children: TwimlElement[];
  /** Text directly inside, trimmed. */
  text: string;
}

/** TwiML the carrier would refuse; `code` is its error number. */
export class TwimlError extends Error {
  override name = 'TwimlError';
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

const MAX_TWIML_BYTES = 64 * 1024;
const BARE_AMPERSAND = /&(?!(?:amp|lt|gt|quot|apos|#\d+|#x[0-9a-fA-F]+);)/;
/** Comments and CDATA, where an ampersand means itself. */
const UNPARSED = /<!--[\s\S]*?-->|<!\[CDATA\[[\s\S]*?\]\]>/g;
const TWIML_TYPES = ['text/xml', 'application/xml', 'text/html'];
const VERBS = new Set(
  (
    'Connect Dial Echo Enqueue Gather Hangup Leave Pause Pay Play Prompt Queue Record Redirect Refer Reject Say Sms ' +
    'Start Stop'
  ).split(' '),
);

/**
 * The verbs of one TwiML document, in order. Plain text is read aloud and an audio file is played, then the call ends:
 * that is what the carrier makes of them, and what a caller hears of a server that forgot its content type.
 * @param url where the body came from; an audio file is played from there
 * @throws TwimlError 12300 for another content type, 11750 above 64 KB, 12100 for bad XML, 12200 for an unknown verb
 */
export function readTwiml(body: string, contentType: string, url = ''): TwimlElement[] {
  const type = contentType.split(';')[0]?.trim().toLowerCase() ?? '';
  if (type === 'text/plain') return [bare('Say', body.trim()), bare('Hangup', '')];
  if (type.startsWith('audio/')) return [bare('Play', url), bare('Hangup', '')];
  if (!TWIML_TYPES.includes(type)) throw new TwimlError(12300, `content type ${type || '(none)'} is not TwiML`);
  if (Buffer.byteLength(body) > MAX_TWIML_BYTES) throw new TwimlError(11750, 'TwiML is larger than 64 KB');
  const valid = XMLValidator.validate(body);
  if (valid !== true)
    throw new TwimlError(12100, `TwiML is not well-formed: ${valid.err.msg} (line ${valid.err.line})`);
  // The validator lets these pass; the carrier does not.
  if (BARE_AMPERSAND.test(body.replace(UNPARSED, ''))) throw new TwimlError(12100, 'TwiML has a raw &');
  const root = elements(parser.parse(body)).filter((element) => !element.name.startsWith('?'));
  if (root.length !== 1 || root[0]?.name !== 'Response')
    throw new TwimlError(12100, 'the root element is not Response');
  for (const verb of root[0].children)
    if (!VERBS.has(verb.name)) throw new TwimlError(12200, `${verb.name} is not a TwiML verb`);
  return root[0].children;
}

const bare = (name: string, text: string): TwimlElement => ({ name, attributes: {}, children: [], text });

const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: true,
});

// fast-xml-parser in ordered mode gives [{ Verb: [children], ':@': { attribute: value } }, { '#text': '…' }].
function elements(nodes: unknown): TwimlElement[] {
  const found: TwimlElement[] = [];
  for (const node of nodes as Record<string, unknown>[]) {
    const name = Object.keys(node).find((key) => key !== ':@');
    if (name === undefined || name === '#text') continue;
    const inside = node[name] as Record<string, unknown>[];
    found.push({
      name,
      attributes: { ...(node[':@'] as Record<string, string> | undefined) },
      children: elements(inside),
      text: inside.map((child) => (typeof child['#text'] === 'string' ? child['#text'] : '')).join(''),
    });
  }
  return found;
}
