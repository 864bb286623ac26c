// The form parameters and ids of one call, named and spelled as the carrier sends them.
import { randomBytes } from 'node:crypto';

/** A carrier id: two letters and 32 hex digits. */
export const newSid = (prefix: 'AC' | 'CA' | 'CF' | 'MZ' | 'RE' | 'SM'): string =>
  prefix + randomBytes(16).toString('hex');

export interface CallIdentity {
  callSid: string;
  accountSid: string;
  /** The calling number (ANI), E.164. */
  from: string;
  /** The number dialled (DNIS), E.164. */
  to: string;
}

/** Parameters of every request about a PSTN call. The carrier adds to these without notice. */
export function callParams(call: CallIdentity, callStatus: string): Record<string, string> {
  const from = { City: 'SPRINGFIELD', State: 'IL', Zip: '62701', Country: 'US' };
  const to = { City: '', State: 'CA', Zip: '', Country: 'US' };
  return {
    AccountSid: call.accountSid,
    ApiVersion: '2010-04-01',
    CallSid: call.callSid,
    CallStatus: callStatus,
    Called: call.to,
    ...prefixed('Called', to),
    Caller: call.from,
    ...prefixed('Caller', from),
    Direction: 'inbound',
    From: call.from,
    ...prefixed('From', from),
    StirVerstat: 'TN-Validation-Passed-A',
    To: call.to,
    ...prefixed('To', to),
  };
}

/** What the terminal status callback adds. */
export function completedParams(durationMs: number, wallMs: number): Record<string, string> {
  const seconds = Math.ceil(durationMs / 1000);
  return {
    CallDuration: `${seconds}`,
    Duration: `${Math.ceil(seconds / 60)}`,
    ...callbackTimestamp(0, wallMs),
  };
}

/** When, and as which of its call, a status callback was made. */
export const callbackTimestamp = (sequence: number, wallMs: number): Record<string, string> => ({
  CallbackSource: 'call-progress-events',
  SequenceNumber: `${sequence}`,
  Timestamp: rfc2822(wallMs),
});

/** A Unix time as the carrier writes it. */
export const rfc2822 = (wallMs: number): string => new Date(wallMs).toUTCString().replace('GMT', '+0000');

/** Parameters of every request about a call that a Dial made, or the API. */
export const outboundParams = (
  leg: CallIdentity & { parentSid?: string },
  callStatus: string,
): Record<string, string> => ({
  AccountSid: leg.accountSid,
  ApiVersion: '2010-04-01',
  CallSid: leg.callSid,
  CallStatus: callStatus,
  Called: leg.to,
  Caller: leg.from,
  Direction: leg.parentSid === undefined ? 'outbound-api' : 'outbound-dial',
  From: leg.from,
  ...(leg.parentSid === undefined ? {} : { ParentCallSid: leg.parentSid }),
  To: leg.to,
});

/** Parameters of a stream status callback. */
export function streamParams(
  call: CallIdentity,
  stream: {
    streamSid: string;
    name: string;
    event: 'stream-started' | 'stream-stopped' | 'stream-error';
    error?: string;
  },
  wallMs: number,
): Record<string, string> {
  return {
    AccountSid: call.accountSid,
    CallSid: call.callSid,
    StreamSid: stream.streamSid,
    StreamName: stream.name || stream.streamSid,
    StreamEvent: stream.event,
    ...(stream.error ? { StreamError: stream.error } : {}),
    // Nine decimals were seen in the field.
    Timestamp: new Date(wallMs).toISOString().replace('Z', '000000Z'),
  };
}

const prefixed = (prefix: string, fields: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(fields).map(([name, value]) => [prefix + name, value]));
