// A segment of the journal as a file. Tests put a disk with faults in its place.
import { constants, open } from 'node:fs/promises';

const OWNER_ONLY = 0o600;

/** A segment while it is written. Every fault of the disk rejects. */
export interface SegmentFile {
  write(bytes: Uint8Array, offset: number): Promise<void>;
  /** What was written is on the disk, not in a cache. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** Opens the one that was being written, or makes it. */
export async function openFile(path: string): Promise<SegmentFile> {
  // Not emptied: after a fault of the disk it is the segment that was being written.
  const file = await open(path, constants.O_WRONLY | constants.O_CREAT, OWNER_ONLY);
  return {
    async write(bytes, offset) {
      let done = 0;
      while (done < bytes.length)
        done += (await file.write(bytes, done, bytes.length - done, offset + done)).bytesWritten;
    },
    sync: () => file.datasync(),
    close: () => file.close(),
  };
}
