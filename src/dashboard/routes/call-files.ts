// The routes about a call's files: record, tape and recording as they lie there, and what the call's page draws of them.
import type { FileHandle } from 'node:fs/promises';
import type { z } from 'zod';
import { TrunklineError } from '../../errors.ts';
import type { Logger } from '../../log.ts';
import type { Store } from '../../store/store.ts';
import type { ApiRequest, ApiRoute, Content } from '../api-route.ts';
import { type AudioFile, audioFile } from '../call-files/audio-file.ts';
import { fileStream } from '../call-files/file-stream.ts';
import { LevelsReader } from '../call-files/levels.ts';
import { type CallFileName, openCallFile, type OpenCallFile } from '../call-files/open-file.ts';
import { type ByteRange, readRange } from '../call-files/range.ts';
import { TapeReader } from '../call-files/tape-reader.ts';
import { callParams } from '../schemas/call.ts';
import { eventsQuery, levels, levelsQuery, tapeEvents } from '../schemas/timeline.ts';
import { found, idOf } from './calls.ts';

export interface CallFilesOptions {
  store: Pick<Store, 'ask'>;
  dataDir: string;
  log: Pick<Logger, 'warn'>;
}

export function callFileRoutes({ store, dataDir, log }: CallFilesOptions): ApiRoute[] {
  const levelsReader = new LevelsReader({ store, dataDir, log });
  const tapes = new TapeReader();
  const opened = (request: ApiRequest, name: CallFileName): Promise<OpenCallFile> =>
    open({ dataDir, log }, idOf(request), name);
  return [
    {
      method: 'GET',
      path: '/calls/:id/record',
      summary: "A call's record, as it was written when the call was over",
      params: callParams,
      reply: { media: 'application/json', description: 'record.json' },
      answer: async (request) => download(await opened(request, 'record.json'), { id: idOf(request), ...RECORD }),
    },
    {
      method: 'GET',
      path: '/calls/:id/tape',
      summary: "A call's tape; of a call under way what is on it so far",
      params: callParams,
      reply: { media: 'application/x-ndjson', description: 'tape.jsonl, to be replayed by trunkline replay' },
      answer: async (request) => download(await opened(request, 'tape.jsonl'), { id: idOf(request), ...TAPE }),
    },
    {
      method: 'GET',
      path: '/calls/:id/audio',
      summary: "A call's recording, caller left, agent right; of a call under way what is kept so far",
      params: callParams,
      reply: {
        media: 'audio/wav',
        description: '8 kHz mu-law, two channels; in parts where the request asks for a range',
      },
      answer: async (request) => audio(await opened(request, 'audio.wav'), idOf(request), request.headers.range),
    },
    {
      method: 'GET',
      path: '/calls/:id/levels',
      summary: 'What the waveform of a call is drawn of',
      params: callParams,
      query: levelsQuery,
      reply: levels,
      answer: async (request) => {
        const { buckets } = request.query as z.infer<typeof levelsQuery>;
        return found(await levelsReader.read(idOf(request), buckets));
      },
    },
    {
      method: 'GET',
      path: '/calls/:id/events',
      summary: 'What went over both sockets of a call, and what was decided, a page at a time',
      params: callParams,
      query: eventsQuery,
      reply: tapeEvents,
      answer: async (request) => {
        const tape = await opened(request, 'tape.jsonl');
        try {
          return await tapes.page(idOf(request), tape, request.query as z.infer<typeof eventsQuery>);
        } finally {
          await tape.handle.close();
        }
      },
    },
  ];
}

const RECORD = { name: 'record.json', media: 'application/json; charset=utf-8' };
const TAPE = { name: 'tape.jsonl', media: 'application/x-ndjson; charset=utf-8' };
const AUDIO = { name: 'audio.wav', media: 'audio/wav' };

/** Why there may be none of each. */
const WHY: Readonly<Record<CallFileName, string>> = {
  'record.json': 'it is written when the call is over',
  'tape.jsonl': 'its words may have been removed by their retention, or the disk was full',
  'audio.wav': 'its agent does not record calls, or the audio was removed by its retention',
};

/** @throws TrunklineError TRK_NOT_FOUND saying why there may be none */
async function open(
  { dataDir, log }: Pick<CallFilesOptions, 'dataDir' | 'log'>,
  callId: string,
  name: CallFileName,
): Promise<OpenCallFile> {
  const file = await openCallFile(dataDir, callId, name).catch((err: NodeJS.ErrnoException) => {
    log.warn({ callId, file: name, code: err.code }, 'a file of a call cannot be read');
    throw new TrunklineError('TRK_NOT_FOUND', `${name} of this call cannot be read (${err.code ?? 'unknown error'}).`);
  });
  if (file === null)
    throw new TrunklineError(
      'TRK_NOT_FOUND',
      `There is no ${name} of this call here: ${WHY[name]}, or the call was on another machine, whose DATA_DIR has it.`,
    );
  return file;
}

interface Kind {
  id: string;
  name: string;
  media: string;
}

/** Takes over the file: all of it, however it grows meanwhile. */
function download({ handle, size }: OpenCallFile, kind: Kind): Content {
  return {
    status: 200,
    headers: { ...headersOf(kind, 'attachment'), 'content-length': String(size) },
    body: fileStream(handle, { from: 0, to: size }),
  };
}

/** Takes over the file. Players take a recording in parts, from wherever somebody clicks. */
async function audio(file: OpenCallFile, id: string, range: string | undefined): Promise<Content> {
  const { handle } = file;
  const sound = await audioFile(file).catch(async (error: unknown) => {
    await handle.close();
    throw error;
  });
  const part = readRange(range, sound?.size ?? 0);
  const headers = { ...headersOf({ id, ...AUDIO }, 'inline'), 'accept-ranges': 'bytes' };
  if (sound !== null && part !== 'beyond') return partOf(handle, sound, part, headers);
  await handle.close();
  if (sound === null)
    throw new TrunklineError('TRK_NOT_FOUND', 'The recording of this call does not hold any sound yet.');
  return { status: 416, headers: { ...headers, 'content-range': `bytes */${sound.size}` }, body: '' };
}

function partOf(
  handle: FileHandle,
  { head, size }: AudioFile,
  part: ByteRange | 'whole',
  headers: Record<string, string>,
): Content {
  const { from, to } = part === 'whole' ? { from: 0, to: size } : part;
  return {
    status: part === 'whole' ? 200 : 206,
    headers: {
      ...headers,
      ...(part === 'whole' ? {} : { 'content-range': `bytes ${from}-${to - 1}/${size}` }),
      'content-length': String(to - from),
    },
    body: fileStream(handle, { from, to }, head),
  };
}

const headersOf = ({ id, name, media }: Kind, shown: 'inline' | 'attachment'): Record<string, string> => ({
  'content-type': media,
  'content-disposition': `${shown}; filename="trunkline-${id}-${name}"`,
});
