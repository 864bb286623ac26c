// Callers as they are shown: how their numbers end, unless the whole numbers were asked for. Pure.
import type { Party } from '../carrier/carrier.ts';
import { redacted } from '../record/call-record.ts';
import { plainText } from '../replay/text-layout.ts';
import type { CallSummary, KeptParty } from '../store/queries/calls.ts';

export function partyText({ kind, value }: KeptParty, numbers: boolean): string {
  if (kind === 'withheld') return kind;
  if (value === null) return '(forgotten)';
  return numbers ? plainText(value) : redacted({ kind: kind as Party['kind'], value });
}

/** The call, without more of its parties than may be shown. */
export function discreet<C extends CallSummary>(call: C, numbers: boolean): C {
  if (numbers) return call;
  const ending = (party: KeptParty): KeptParty => ({
    kind: party.kind,
    value: party.value === null ? null : partyText(party, false),
  });
  return { ...call, from: ending(call.from), to: ending(call.to) };
}
