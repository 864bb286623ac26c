// Tool arguments on their way into a sink (log, record, tape, page, export): names stay, values that are secret or personal
// become markers that are equal for equal values, so that a record still shows "asked twice for the same".
import { createHmac, randomBytes } from 'node:crypto';
import { MAX_ARGUMENTS_CHARACTERS, parseArguments } from './arguments.ts';
import type { Tool } from './tool.ts';

/**
 * Words in the name of an argument that make its value personal or secret, whatever the tool declares. A word of a name is
 * what stands between capitals, digits, `_` and `-`: `dateOfBirth`, `card_number`. docs/tools.md lists them.
 */
const PERSONAL = new Set(
  (
    'pin password passwd passcode passphrase pwd secret token otp credential credentials auth authorization apikey ' +
    'card cvv cvc pan iban ssn passport birth birthday birthdate dob surname firstname lastname fullname ' +
    'phone telephone mobile email mail address street name postcode postal zip zipcode geburtsdatum telefon'
  ).split(' '),
);

/** Two words in a row that do the same. */
const PERSONAL_PAIRS = new Set([
  ...['api key', 'private key', 'access key', 'social security', 'tax id', 'account number', 'security code'],
  ...['first name', 'last name', 'full name', 'family name', 'given name', 'maiden name', 'middle name'],
  ...['patient name', 'caller name', 'customer name', 'holder name', 'user name'],
]);

/** Not kept anywhere: a marker can be compared within this process and says nothing outside it. */
const KEY = randomBytes(32);

/**
 * The arguments as a sink may keep them, as JSON. `salt` (the call's id) makes markers of different calls different. Never
 * throws; what is no JSON object becomes a marker with its length, and so does everything for a tool that nobody declared.
 */
export function redactArguments(tool: Tool | undefined, argumentsText: string, salt = ''): string {
  const size = `${argumentsText.length} characters`;
  try {
    if (argumentsText.length > MAX_ARGUMENTS_CHARACTERS) return `[redacted: too long, ${size}]`;
    if (tool === undefined) return argumentsText === '' ? '' : `[redacted: unknown tool, ${size}]`;
    const parsed = parseArguments(argumentsText);
    if ('fault' in parsed) return `[redacted: not usable, ${size}]`;
    return JSON.stringify(shown(parsed.args, rulesOf(tool, salt)));
  } catch {
    return `[redacted: not usable, ${size}]`;
  }
}

interface Rules {
  /** Names that the tool declares anywhere; any other was made up by the model and may itself be what was said. */
  declared: ReadonlySet<string>;
  redact: ReadonlySet<string>;
  digits: ReadonlySet<string>;
  salt: string;
}

const declaredNames = new WeakMap<object, ReadonlySet<string>>();

function rulesOf({ parameters, policy }: Tool, salt: string): Rules {
  const declared = declaredNames.get(parameters) ?? namesIn(parameters);
  declaredNames.set(parameters, declared);
  return {
    declared,
    redact: new Set(policy?.redact),
    digits: new Set(policy?.digits?.map((field) => `digits:${field}`)),
    salt,
  };
}

/** Every property name that a schema declares, at any depth. */
function namesIn(schema: object): Set<string> {
  const names = new Set<string>();
  const seen = new Set<object>();
  const open: object[] = [schema];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    if (seen.has(at)) continue;
    seen.add(at);
    for (const [key, value] of Object.entries(at)) {
      if (typeof value !== 'object' || value === null) continue;
      if (key === 'properties') for (const name of Object.keys(value as object)) names.add(name);
      open.push(value as object);
    }
  }
  return names;
}

function shown(value: unknown, rules: Rules): unknown {
  if (Array.isArray(value)) return value.map((each) => shown(each, rules));
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(
      Object.entries(value).map(([name, inner]) =>
        rules.declared.has(name)
          ? [name, isPersonal(name, rules) ? hidden(inner, rules) : shown(inner, rules)]
          : [marker(name, rules), hidden(inner, rules)],
      ),
    );
  return holdsCardNumber(value) ? marker(value, rules) : value;
}

/** A reference to keyed digits stays: it is the name of a field. */
const hidden = (value: unknown, rules: Rules): unknown =>
  value === null || (typeof value === 'string' && rules.digits.has(value)) ? value : marker(value, rules);

function isPersonal(name: string, { redact }: Rules): boolean {
  if (redact.has(name)) return true;
  const words = name
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z]+/)
    .filter((word) => word !== '');
  return words.some((word, at) => PERSONAL.has(word) || PERSONAL_PAIRS.has(`${word} ${words[at + 1]}`));
}

const marker = (value: unknown, { salt }: Rules): string =>
  `[redacted ${createHmac('sha256', KEY)
    .update(JSON.stringify([salt, value]))
    .digest('hex')
    .slice(0, 8)}]`;

/** 13 to 19 digits with a right check digit, however they are grouped: a payment card, whatever the argument is called. */
function holdsCardNumber(value: unknown): boolean {
  if (typeof value !== 'string' && typeof value !== 'number') return false;
  for (const [group] of String(value).matchAll(/\d(?:[ .-]?\d){12,}/g)) {
    const digits = group.replace(/\D/g, '');
    if (digits.length <= 19 && hasCheckDigit(digits)) return true;
    // A card of the usual length beside something else, such as its expiry.
    for (let from = 0; from + 16 <= digits.length; from += 1)
      if (hasCheckDigit(digits.slice(from, from + 16))) return true;
  }
  return false;
}

/** The Luhn check (ISO/IEC 7812-1, annex B). */
function hasCheckDigit(digits: string): boolean {
  let sum = 0;
  for (let at = 0; at < digits.length; at += 1) {
    const digit = Number(digits[digits.length - 1 - at]);
    sum += at % 2 === 0 ? digit : digit > 4 ? digit * 2 - 9 : digit * 2;
  }
  return sum % 10 === 0;
}
