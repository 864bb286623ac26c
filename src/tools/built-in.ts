// The tools that every call carries out itself, by name. The call core decides about them (`call/built-ins.ts`), the agent
// file says which of them an agent has, and nobody else's tool may take their names.

export const END_CALL = 'end_call';
export const TRANSFER = 'transfer_to';
export const COLLECT_DIGITS = 'collect_digits';
export const SEND_KEYS = 'send_dtmf';
export const LEAVE_NOTE = 'leave_note';
export const HAND_OFF = 'hand_off_to';
/** Run like any other tool, by the shell. */
export const SEND_SMS = 'send_sms';

export const BUILT_IN_TOOLS: readonly string[] = [
  END_CALL,
  TRANSFER,
  COLLECT_DIGITS,
  SEND_KEYS,
  LEAVE_NOTE,
  HAND_OFF,
  SEND_SMS,
];
