// Words that all schemas of the API share.
import { z } from 'zod';

export const moment = z.int().describe('Unix milliseconds');
export const nanoUsd = z.int().describe('nano-dollars: 1,000,000,000 are one US dollar');
export const count = z.int().min(0);
/** Since the media started, or the admission where none came. */
export const milliseconds = z.int().describe('since the media started, or the admission');
