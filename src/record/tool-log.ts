// The tools of a call's record: what the model asked for, and what became of it.
import type { CallEffect } from '../call/effect.ts';
import type { CallEvent } from '../call/event.ts';
import type { ToolRecord } from './call-record.ts';
import { type EventOf, kept } from './turn-log.ts';

/** A call of an hour stays far below it. */
const MAX_TOOLS = 1_000;

export class ToolLog {
  readonly #tools = new Map<string, ToolRecord>();
  /** Which tool of the call each is, from 0. */
  readonly #numbers = new Map<string, number>();
  /** Tools that are not as they were taken last. */
  readonly #changed = new Set<string>();
  readonly #shown: (name: string, text: string) => string;
  #dropped = 0;

  /** @param shown the arguments of a tool as they may be kept; default: as they are */
  constructor(shown: (name: string, text: string) => string = (_name, text) => text) {
    this.#shown = shown;
  }

  happened(event: CallEvent): void {
    if (event.type === 'tool.called') this.#called(event);
    else if (event.type === 'tool.settled') this.#settled(event);
  }

  caused(effect: CallEffect, event: CallEvent): void {
    if (effect.do === 'session.settle_tool') {
      // Answered by the call itself, at once or when the caller or a person has done their part.
      const tool = this.#tools.get(effect.toolCall);
      if (tool && event.type !== 'tool.settled')
        this.#end(effect.toolCall, 'built_in', since(tool, event.atMs), effect.output);
    } else if (effect.do === 'tool.abort') {
      const tool = this.#tools.get(effect.toolCall);
      if (tool) this.#set({ ...tool, status: 'aborted', durationMs: since(tool, event.atMs) });
    }
  }

  /** All tools in the record's own time, and how many were not kept. */
  tools(zeroMs: number): { tools: ToolRecord[]; toolsDropped: number } {
    const tools = [...this.#tools.values()].map((tool) => finished(tool, zeroMs));
    return { tools, toolsDropped: this.#dropped };
  }

  /** Takes the tools whose end is known, or all, where they are not as they were taken last. */
  takeChanged(which: 'settled' | 'all', zeroMs: number): { tool: number; run: ToolRecord }[] {
    if (this.#changed.size === 0) return [];
    return [...this.#changed].flatMap((toolCall) => {
      const tool = this.#tools.get(toolCall) as ToolRecord;
      if (which === 'settled' && tool.status === 'unsettled') return [];
      this.#changed.delete(toolCall);
      return [{ tool: this.#numbers.get(toolCall) as number, run: finished(tool, zeroMs) }];
    });
  }

  /** The record's own time begins: what was taken by another is not as it was. */
  zeroMoved(): void {
    for (const toolCall of this.#tools.keys()) this.#changed.add(toolCall);
  }

  #called(event: EventOf<'tool.called'>): void {
    if (this.#tools.size >= MAX_TOOLS) {
      this.#dropped += 1;
      return;
    }
    this.#set({
      toolCall: event.toolCall,
      name: event.name,
      atMs: event.atMs,
      status: 'unsettled',
      durationMs: null,
      arguments: kept(this.#shown(event.name, event.arguments)),
      output: null,
    });
  }

  #settled(event: EventOf<'tool.settled'>): void {
    const tool = this.#tools.get(event.toolCall);
    if (tool) this.#end(event.toolCall, event.status, since(tool, event.atMs), event.output);
  }

  #end(toolCall: string, status: string, durationMs: number, output: string): void {
    const tool = this.#tools.get(toolCall);
    // One that changes something goes on after the hang-up: what became of it counts.
    const goesOn = tool?.status === 'aborted' && status !== 'aborted';
    if (tool === undefined || (tool.status !== 'unsettled' && !goesOn)) return;
    this.#set({ ...tool, status, durationMs, output: kept(output) });
  }

  #set(tool: ToolRecord): void {
    if (!this.#tools.has(tool.toolCall)) this.#numbers.set(tool.toolCall, this.#tools.size);
    this.#tools.set(tool.toolCall, tool);
    this.#changed.add(tool.toolCall);
  }
}

const since = (tool: ToolRecord, atMs: number): number => Math.round(atMs - tool.atMs);

const finished = (tool: ToolRecord, zeroMs: number): ToolRecord => ({
  ...tool,
  atMs: Math.round(tool.atMs - zeroMs),
});
