// What each section of a checked agent file means: its keys become what the calls trust, in milliseconds, nano-dollars and null
// for what is off. Pure; load.ts reads the files and tells the faults.
import type { Agent, AgentAdmission, AgentBudget, AgentRetention, Refusal, TurnTaking } from './agent.ts';
import type { AgentFile } from './schema.ts';

type RefusedKey = AgentFile['admission']['refused']['full'];

export function admissionOf({ admission }: AgentFile): AgentAdmission {
  const { refused } = admission;
  const given = <T>(value: T | 'off'): T | null => (value === 'off' ? null : value);
  return {
    allow: admission.allow ?? null,
    deny: admission.deny ?? [],
    attestation: given<'A' | 'B' | 'C'>(admission.attestation),
    callsPerMinutePerCaller: given(admission.calls_per_minute_per_caller),
    callsAtOncePerCaller: given(admission.calls_at_once_per_caller),
    refused: {
      denied: refusalOf(refused.denied),
      limited: refusalOf(refused.limited),
      full: refusalOf(refused.full),
      draining: refusalOf(refused.draining),
      budget: refusalOf(refused.budget),
    },
  };
}

export function budgetOf({ budget }: AgentFile): AgentBudget {
  const nano = (usd: number | 'off') => (usd === 'off' ? null : Math.round(usd * 1e9));
  return {
    perCallNanoUsd: nano(budget.per_call_usd),
    perCallerDayNanoUsd: nano(budget.per_caller_per_day_usd),
    perDayNanoUsd: nano(budget.per_day_usd),
    nearly: budget.nearly,
    goodbye: budget.goodbye,
    forwardTo: budget.forward_to === 'off' ? null : budget.forward_to,
  };
}

/** Audio and words that the file does not name stay as long as the rest of their call. */
export function retentionOf({ retention }: AgentFile): AgentRetention {
  const days = (given: number | 'forever' = retention.metadata_days) => (given === 'forever' ? null : given);
  return {
    audioDays: days(retention.audio_days),
    textDays: days(retention.text_days),
    metadataDays: days(retention.metadata_days),
  };
}

/** The schema has seen that one of the two is there. */
function refusalOf(refused: RefusedKey): Refusal {
  if (refused === 'busy') return { give: 'busy' };
  if (refused.forward_to !== undefined) return { give: 'forward', to: refused.forward_to };
  return { give: 'sentence', text: refused.say as string };
}

export function failureOf({ failure, model }: AgentFile, hold: Uint8Array, apology: Uint8Array): Agent['failure'] {
  const { fallback, voicemail } = failure;
  return {
    hold,
    holdAfterMs: failure.hold_after_ms,
    fallback:
      fallback === 'off'
        ? null
        : {
            name: fallback.model ?? model.name,
            endpoint: withoutSlash(fallback.endpoint ?? model.endpoint),
            voice: fallback.voice ?? model.voice,
          },
    apology,
    apologyText: failure.apology_text,
    forwardTo: failure.forward_to === 'off' ? null : failure.forward_to,
    voicemail: voicemail === 'off' ? null : { prompt: voicemail.prompt, maxSeconds: voicemail.max_seconds },
  };
}

/** With a recording the disclosure is part of what is said first; a clip was checked to hold it. */
export function greetingOf({ greeting, recording }: AgentFile, clip: Uint8Array | null): Agent['greeting'] {
  if (greeting === 'off') return null;
  const disclosed = recording === 'off' || holds(greeting.text, recording.disclosure);
  return {
    text: disclosed ? greeting.text : `${recording.disclosure} ${greeting.text}`,
    clip,
    protected: greeting.protected,
  };
}

export function turnTakingOf({ turn_taking: turns, greeting }: AgentFile): TurnTaking {
  const none = turns.detection === 'none';
  const ours = none || turns.interrupt_after_ms > 0 || (greeting !== 'off' && greeting.protected);
  return {
    detection:
      turns.detection === 'server_vad'
        ? {
            kind: 'server_vad',
            threshold: turns.threshold,
            prefixPaddingMs: turns.prefix_padding_ms,
            silenceMs: turns.silence_ms,
          }
        : turns.detection === 'semantic_vad'
          ? { kind: 'semantic_vad', eagerness: turns.eagerness }
          : { kind: 'none' },
    interruptsBy: turns.interrupts_by ?? (ours ? 'trunkline' : 'model'),
    answersBy: turns.answers_by ?? (none ? 'trunkline' : 'model'),
    interruptAfterMs: turns.interrupt_after_ms,
  };
}

/** An API root as it is compared and extended. */
export const withoutSlash = (url: string | undefined) => url?.replace(/\/+$/, '') ?? null;

/** True when `text` says `part`, whatever the case and the blanks. */
export function holds(text: string, part: string): boolean {
  const plain = (value: string) => value.toLowerCase().replace(/\s+/g, ' ').trim();
  return plain(text).includes(plain(part));
}

export const transferOf = ({ transfer }: AgentFile): Agent['transfer'] =>
  Object.fromEntries(
    Object.entries(transfer).map(([name, { to, how, ring_seconds: ringSeconds, when }]) => [
      name,
      { to, how, ringSeconds, when },
    ]),
  );

export const keypadOf = ({ keypad }: AgentFile): Agent['keypad'] =>
  Object.fromEntries(
    Object.entries(keypad).map(([name, { what, digits, end_key: end, timeout_seconds: seconds, sensitive }]) => {
      const [min, max] = typeof digits === 'number' ? [digits, digits] : digits;
      const endKey = end === 'off' ? '' : end;
      return [name, { what, min, max, endKey, timeoutMs: Math.round(seconds * 1000), sensitive }];
    }),
  );

/** Plain words of agreement and of refusal in the languages that callers of a sample agent speak; an agent file may name its own. */
const YES =
  'yes,yeah,yep,yup,sure,correct,right,exactly,okay,ok,absolutely,please do,go ahead,do it,confirm,confirmed,i agree,' +
  "d'accord," +
  'ja,genau,gerne,richtig,sí,si,claro,correcto,vale,de acuerdo,oui,certo,esatto,sim,isso';
const NO =
  "no,nope,not,don't,dont,do not,never,never mind,wait,stop,hold on,cancel that,wrong,incorrect," +
  'keep it,leave it,forget it,changed my mind,rather not,maybe later,' +
  'nein,nicht,falsch,halt,warte,moment,lieber,' +
  'espera,incorrecto,non,pas,attendez,sbagliato,aspetta,não,espere';

export function consentOf({ consent }: AgentFile): Agent['consent'] {
  const list = (given: readonly string[] | undefined, usual: string): string[] =>
    (given ?? usual.split(',')).map((word) => word.trim().toLowerCase());
  return { by: consent.by, yes: list(consent.yes, YES), no: list(consent.no, NO) };
}

export const smsOf = ({ sms }: AgentFile): Agent['sms'] =>
  sms === 'off' ? null : { from: sms.from ?? null, perCall: sms.per_call };

export const handOffOf = ({ hand_off: handOff }: AgentFile): Agent['handOff'] =>
  Object.entries(handOff).map(([agent, when]) => ({ agent, when }));

export function fillerOf({ filler, failure }: AgentFile, music: Uint8Array | null): Agent['filler'] {
  const { after_ms: afterMs = failure.hold_after_ms, say, music_after_ms: musicAfterMs } = filler;
  return { afterMs, say: say === 'off' ? null : say, music, musicAfterMs };
}
