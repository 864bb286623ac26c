// A tool: a business function that the model may ask for. Declared in TypeScript beside the agent file.

/** What a running tool knows about its call. */
export interface ToolContext {
  callId: string;
  toolCall: string;
  /** Aborted when the deadline passes or the call ends. */
  signal: AbortSignal;
}

export interface Tool {
  /** Letters, digits, `_` and `-`, at most 64. */
  name: string;
  description: string;
  /** JSON Schema (2020-12) of the arguments: an object schema. Sent to the model as it stands and checked by us. */
  parameters: Record<string, unknown>;
  /** US dollars that one run costs, where somebody charges for it: a line of the call's bill. */
  priceUsd?: number;
  /** Answers with anything JSON can hold; what it throws is told to the model as a failure. */
  run(args: Record<string, unknown>, context: ToolContext): unknown;
}

/** Declares a tool; only there so that an agent's tool file type-checks as it is written. */
export const defineTool = (tool: Tool): Tool => tool;

/** What became of a tool call. `output` is the text for the model. */
export interface ToolOutcome {
  status: 'ok' | 'failed' | 'timed_out' | 'invalid' | 'unknown';
  output: string;
}
