// A tool: a business function that the model may ask for. There are four ways to declare one (a function beside the agent
// file, an HTTP request, an operation of an OpenAPI document, a tool of an MCP server); here they are all the same.
import type { Party } from '../carrier/carrier.ts';

/**
 * What a run does to the world. `reads`: nothing; it may be tried again, and is stopped when the caller hangs up. `writes`:
 * something; it is tried again only under an idempotency key, and finishes although the caller hung up. `irreversible`: the
 * same, and it runs only after the caller heard it read back and agreed (`call/consent.ts`).
 */
export type ToolEffect = 'reads' | 'writes' | 'irreversible';

/** What a running tool knows about its call. */
export interface ToolContext {
  callId: string;
  toolCall: string;
  /** Aborted when the deadline passes, or, for a tool that only reads, when the call ends. */
  signal: AbortSignal;
  /** The same for every try of one effect, also where the model asks for the very same again: a service that knows it does it once. */
  idempotencyKey: string;
  /** Who called, and which number. */
  from: Party;
  to: Party;
}

/** How a tool is run. Whoever declares a tool may say so; what is left out has its default in `policy.ts`. */
export interface ToolPolicy {
  /** Default: `writes`; for HTTP and OpenAPI `reads` where the method is GET. */
  effect: ToolEffect;
  /** Milliseconds for all tries together; null: the agent's `limits.tool_ms`. */
  deadlineMs: number | null;
  /** How often it is tried again after a failure that may pass; only where it reads or is idempotent. */
  retries: number;
  /** The service knows `idempotencyKey`: it may be tried again although it writes. */
  idempotent: boolean;
  /** Runs at once, over all calls of this process. */
  atOnce: number;
  /** Runs allowed in one call; null: any number. One that got no answer (a service that is down) counts a tenth. */
  perCall: number | null;
  /** Tools that must have succeeded before in this call. */
  needs: readonly string[];
  /** Arguments that the model is not asked for: taken from what an earlier tool of the call answered, as `tool.path.to.field`. */
  fill: Readonly<Record<string, string>>;
  /** Keypad fields that may stand in the arguments as `digits:<field>`; they are put in when it runs. */
  digits: readonly string[];
  /** Which fields of the answer the model sees, as paths (`slots.start` goes through lists); null: all. Every byte is paid for on each later turn. */
  returns: readonly string[] | null;
  /** Bytes of output that the model sees at most. */
  maxOutputBytes: number;
  /** What the model is told when it fails; null: what went wrong. */
  onFailure: string | null;
  /** Names of arguments whose values are kept nowhere. */
  redact: readonly string[];
}

export interface Tool {
  /** Letters, digits, `_` and `-`, at most 64. */
  name: string;
  description: string;
  /** JSON Schema (2020-12) of the arguments: an object schema, those of `fill` included. Checked by us. */
  parameters: Record<string, unknown>;
  /** US dollars that one run costs, where somebody charges for it: a line of the call's bill. */
  priceUsd?: number;
  /** Where it comes from, for records. Default `function`. */
  kind?: ToolKind;
  policy?: Partial<ToolPolicy>;
  /** Answers with anything JSON can hold; what it throws is told to the model as a failure. */
  run(args: Record<string, unknown>, context: ToolContext): unknown;
}

export type ToolKind = 'function' | 'http' | 'openapi' | 'mcp' | 'built_in';

/** Declares a tool; only there so that an agent's tool file type-checks as it is written. */
export const defineTool = (tool: Tool): Tool => tool;

/** A failure that a tool knows how to tell: `message` is one sentence for the model. */
export class ToolFailure extends Error {
  override name = 'ToolFailure';
  /** The same may succeed a moment later (no answer, 429, 5xx). */
  readonly passing: boolean;
  /** Nothing was done, for sure (refused, 429, no connection): what writes may be tried again. Default: unless `passing`. */
  readonly nothingDone: boolean;
  constructor(
    message: string,
    { passing = false, nothingDone = !passing }: { passing?: boolean; nothingDone?: boolean } = {},
  ) {
    super(message);
    this.passing = passing;
    this.nothingDone = nothingDone;
  }
}

/**
 * How a tool call ended. `unconfirmed`: it cannot be undone, would run, and nobody has agreed to it yet. `refused`: a rule of
 * ours said no (not allowed now, once too often). `unavailable`: it was not tried: too many run, or its service has failed too
 * often of late. `aborted`: the call ended before it ran, or, where it only reads, before it answered.
 */
export type ToolStatus =
  | 'ok'
  | 'unconfirmed'
  | 'failed'
  | 'timed_out'
  | 'invalid'
  | 'unknown'
  | 'refused'
  | 'unavailable'
  | 'aborted';

/** What became of a tool call. `output` is the text for the model. */
export interface ToolOutcome {
  status: ToolStatus;
  output: string;
  /** How often it was tried; absent where it never ran. */
  tries?: number;
}

/** One tool call as the model made it. */
export interface ToolRequest {
  toolCall: string;
  name: string;
  /** JSON text, unchecked. */
  arguments: string;
  /** The caller has agreed to it: without that nothing irreversible runs. */
  agreed: boolean;
  /** Aborted when the call ends. */
  signal: AbortSignal;
}

/** The tools of one call: what ran in it decides what may run. */
export interface CallTools {
  /** Never rejects. A tool that writes settles after its end, however the call went meanwhile, at the latest by its deadline. */
  run(request: ToolRequest): Promise<ToolOutcome>;
}

/** Whose call it is. */
export interface ToolCaller {
  callId: string;
  from: Party;
  to: Party;
  /** What the caller has keyed in under a field's name; null: nothing yet. */
  digits(field: string): string | null;
}

/** Runs the tools of one agent, for all its calls. */
export interface ToolRunner {
  forCall(caller: ToolCaller): CallTools;
}
