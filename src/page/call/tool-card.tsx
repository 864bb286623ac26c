// One run of a tool inside the transcript: what was asked and answered, behind a click. Whatever a tool answered is text.
import { latency, pretty } from '../format.ts';
import { Badge, Copy } from '../ui.tsx';
import type { CallTool } from './types.ts';
import { statusInWords } from './words.ts';

/** More of one text is not drawn: the files hold all of it. */
const MOST_CHARS = 20_000;

export function ToolCard({ tool, open }: { tool: CallTool; open: boolean }) {
  const { words, tone } = statusInWords(tool.status);
  return (
    <details class="call-tool" open={open}>
      <summary>
        <span class="call-tool-name">{tool.name}</span> <Badge tone={tone}>{words}</Badge>{' '}
        <span class="soft number" title="From the request of the model until the result was there">
          {tool.durationMs === null ? '' : latency(tool.durationMs)}
        </span>
      </summary>
      <Text name="Arguments" text={tool.arguments} />
      {tool.output === null ? <p class="soft">There is no output.</p> : <Text name="Output" text={tool.output} />}
    </details>
  );
}

function Text({ name, text }: { name: string; text: string }) {
  const shown = pretty(text.slice(0, MOST_CHARS));
  return (
    <figure class="call-text">
      <figcaption class="row spread soft">
        {name} <Copy text={text} />
      </figcaption>
      <pre tabIndex={0} aria-label={name}>
        {shown}
        {text.length > MOST_CHARS ? `\n… ${text.length - MOST_CHARS} more characters` : ''}
      </pre>
    </figure>
  );
}
