import * as z from 'zod';
import { ConfigError } from './errors.js';
import { loadOptions, type LoadedOptions } from './options.js';

/** A command with an option of every kind. */
export const schema = z.strictObject({
  listen: z.string().default('127.0.0.1:10234').describe('HOST:PORT where segmenters connect'),
  window: z.number().int().min(0).describe('segments in the live window').default(6),
  rate: z.number().positive().optional().describe('a factor'),
  spoolRoot: z.array(z.string()).default(['/spool']).describe('where announced paths may lie'),
  buckets: z.record(z.string(), z.string()).optional().describe('stores by name'),
  sizes: z.array(z.number()).optional().describe('some numbers'),
  endOnEof: z.boolean().optional().describe('the end of input ends the stream'),
  level: z.enum(['info', 'debug']).default('info').describe('how much is logged'),
  channels: z
    .array(z.strictObject({ name: z.string() }))
    .default([])
    .describe('settings of channels'),
  token: z.string().min(8).optional().describe('what segmenters must say'),
  store: z
    .string()
    .transform((text, context) => {
      if (URL.canParse(text)) return new URL(text);
      context.addIssue({ code: 'custom', message: 'not a URL' });
      return z.NEVER;
    })
    .optional()
    .describe('where objects go'),
});
export type Options = z.infer<typeof schema>;

export function load(
  argv: string[],
  env: NodeJS.ProcessEnv = {},
  positionals = { min: 0, max: 1 },
): Promise<LoadedOptions<Options>> {
  return loadOptions({
    name: 'hls-uploader',
    version: '1.2.3',
    schema,
    argv,
    env,
    envPrefix: 'HLS_UPLOADER',
    positionals,
    usage: '[options]\n\nTakes segments.',
    examples: [['--store file:///srv/live', 'publish to a folder']],
    epilogue: 'The end.',
    secrets: ['token'],
  });
}

export async function run(...args: Parameters<typeof load>) {
  const loaded = await load(...args);
  if (loaded.kind !== 'run') throw new Error(loaded.text);
  return loaded;
}

export async function mistake(...args: Parameters<typeof load>): Promise<ConfigError> {
  try {
    await load(...args);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('it was taken');
}

export const defaults: Options = {
  listen: '127.0.0.1:10234',
  window: 6,
  spoolRoot: ['/spool'],
  level: 'info',
  channels: [],
};
