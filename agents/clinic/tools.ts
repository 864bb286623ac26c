// Tools of the sample agent. The clinic and its account are made up; a real tool would ask a business system here.
import { defineTool, ToolFailure } from '../../src/tools/tool.ts';

/** Sample data: what the clinic's billing system would know, by account number. */
const ACCOUNTS: ReadonlyMap<string, { balance_usd: number; due: string }> = new Map([
  ['100019021001803', { balance_usd: 42.5, due: 'June 3' }],
]);

export default [
  defineTool({
    name: 'lookup_account',
    description:
      'Looks up the open balance of a patient account and the day it is due. Use it once the caller has given the whole account number.',
    parameters: {
      type: 'object',
      properties: {
        account: {
          type: 'string',
          pattern: '^[0-9]{6,20}$',
          description: 'The account number: 6 to 20 digits, without blanks or dashes.',
        },
      },
      required: ['account'],
      additionalProperties: false,
    },
    policy: { effect: 'reads', redact: ['account'] },
    run({ account }) {
      const found = ACCOUNTS.get(String(account));
      if (!found) throw new ToolFailure('There is no account with this number.');
      return found;
    },
  }),
];
