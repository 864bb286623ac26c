// The agent file as it was when the call came in, and the files that a call left.
import { useState } from 'preact/hooks';
import { useApi } from '../api.ts';
import { Button, Copy, Empty, Failure, Loading } from '../ui.tsx';
import type { AgentFile, Call } from './types.ts';
import { replayCommand } from './words.ts';

export function AgentTab({ callId }: { callId: string }) {
  const { data, error, loading, reload } = useApi<AgentFile>(`/calls/${callId}/agent`);
  if (error?.status === 404)
    return (
      <Empty title="The agent file of this call is not kept">
        <p>{error.message}</p>
      </Empty>
    );
  if (data === null)
    return loading ? <Loading what="Loading the agent file" /> : <Failure error={error} retry={reload} />;
  return (
    <div class="call-agent">
      <div class="row">
        <b>{data.name}</b> <span class="mono">{data.file}</span>
        <span class="soft mono call-hash" title="SHA-256 of the file: calls of the same version have the same">
          {data.hash}
        </span>
        <Copy text={data.text} />
      </div>
      <pre class="card" tabIndex={0} aria-label="Agent file">
        {data.text}
      </pre>
    </div>
  );
}

/** What a call left, by the paths of the API; false: it is known not to be there. */
export type FilesThere = Record<'audio' | 'tape' | 'record', boolean>;

const DOWNLOADS = [
  ['audio', 'audio.wav', 'The recording: 8 kHz mu-law, caller left, agent right, as heard.'],
  ['tape', 'tape.jsonl', 'Everything that came in and was decided, with its times. It holds what was said.'],
  ['record', 'record.json', 'What is told on this page, and more.'],
] as const;

/** More of a record is not drawn: it can be downloaded. */
const MOST_CHARS = 200_000;

export function FilesTab({ call, record, there }: { call: Call; record: RecordFile; there: FilesThere }) {
  const [open, setOpen] = useState(false);
  const path = `/api/calls/${call.callId}`;
  const command = replayCommand(call.callId);
  return (
    <div class="call-files">
      <dl class="call-facts">
        <div>
          <dt>Id of the call</dt>
          <dd class="mono">
            {call.callId} <Copy text={call.callId} />
          </dd>
        </div>
        <div>
          <dt>Id at the carrier</dt>
          <dd class="mono">
            {call.carrier}: {call.carrierCallId} <Copy text={call.carrierCallId} />
          </dd>
        </div>
        <div>
          <dt>Server</dt>
          <dd class="mono">{call.node}</dd>
        </div>
        <div>
          <dt>Attestation</dt>
          <dd>{call.attestation ?? '–'}</dd>
        </div>
      </dl>
      <ul class="call-downloads">
        {DOWNLOADS.map(([name, file, hint]) => (
          <li key={name}>
            {there[name] ? (
              <a href={`${path}/${name}`} download="">
                {file}
              </a>
            ) : (
              <span class="soft">{file} is not there</span>
            )}
            <span class="hint">{hint}</span>
          </li>
        ))}
      </ul>
      {there.tape && (
        <p>
          Play the tape again through this version of the server, and see whether it decides the same:
          <br />
          <code class="call-command">{command}</code> <Copy text={command} />
        </p>
      )}
      <Button class="call-show" onClick={() => setOpen(!open)} aria-expanded={open} disabled={record.data === null}>
        {open ? 'Hide the record' : 'Show the record'}
      </Button>
      {record.error !== '' && <p class="hint">{record.error}</p>}
      {open && record.data !== null && (
        <pre class="card call-record" tabIndex={0} aria-label="Record">
          {shown(record.data)}
        </pre>
      )}
    </div>
  );
}

/** The record file: what is in it, or why there is none. */
export interface RecordFile {
  data: unknown;
  error: string;
}

function shown(record: unknown): string {
  const text = JSON.stringify(record, null, 2);
  return text.length <= MOST_CHARS
    ? text
    : `${text.slice(0, MOST_CHARS)}\n… ${text.length - MOST_CHARS} more characters; download it to see all.`;
}
