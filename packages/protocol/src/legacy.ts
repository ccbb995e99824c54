import * as z from 'zod';
import { ProtocolError } from './errors.js';
import { channelName, names } from './messages.js';

const FIELD_NAMES = [
  'index',
  'output_directory',
  'segment_duration',
  'output_prefix',
  'http_prefix',
  'first_segment',
  'last_segment',
  'end',
  'bucket_name',
  'key_prefix',
] as const;
type FieldName = (typeof FIELD_NAMES)[number];

/** What the original proof of concept says about a segment, in one line of ten fields. */
export interface LegacyLine {
  /** File name of the media playlist. */
  index: string;
  /** Where the segment file lies; may be relative to wherever the old segmenter was started. */
  outputDirectory: string;
  /** Seconds. */
  segmentDuration: number;
  /** First part of the segments' file names. */
  outputPrefix: string;
  /** Put before the segments' file names in the playlist; may be empty. */
  httpPrefix: string;
  /** Number of the first segment of the old segmenter's window. */
  firstSegment: number;
  /** Number of the new segment. */
  lastSegment: number;
  /** The playlist is closed after this segment. */
  end: boolean;
  bucketName: string;
  keyPrefix: string;
}

const number = z
  .string()
  .regex(/^\d{1,10}$/, 'a whole number')
  .transform(Number)
  .refine((value) => value <= 0xffff_ffff, 'at most 32 bits');

const fields = {
  index: names.shape.index.unwrap(),
  output_directory: z
    .string()
    .min(1, 'must not be empty')
    .max(4000)
    // eslint-disable-next-line no-control-regex -- they can only be an accident, or an attack on a log
    .regex(/^[^\x00-\x1f\x7f]*$/, 'no control characters'),
  segment_duration: z
    .string()
    .regex(/^\d{1,4}(\.\d{1,6})?$/, 'seconds')
    .transform(Number)
    .refine((seconds) => seconds > 0 && seconds <= 3600, 'seconds above 0, at most 3600'),
  output_prefix: names.shape.segmentPrefix.unwrap(),
  http_prefix: names.shape.urlPrefix.unwrap(),
  first_segment: number,
  last_segment: number,
  end: z.enum(['0', '1'], '0 or 1').transform((value) => value === '1'),
  bucket_name: z
    .string()
    .min(1, 'must not be empty')
    .max(255)
    .regex(/^[A-Za-z0-9_.-]+$/, 'letters, digits, _ . - only'),
  key_prefix: channelName,
} satisfies Record<FieldName, z.ZodType>;

/** Whether the first line of a connection is meant as a legacy line: no JSON, and ten fields. */
export function isLegacyLine(text: string): boolean {
  return (
    !text.trimStart().startsWith('{') && text.split(',', FIELD_NAMES.length + 1).length === FIELD_NAMES.length
  );
}

/**
 * The ten fields, checked. Spaces around the commas are tolerated.
 * @throws ProtocolError `bad-legacy-line`, naming the field; never fatal, since a line is a line
 */
export function parseLegacyLine(text: string): LegacyLine {
  const values = text.split(',').map((value) => value.trim());
  if (values.length !== FIELD_NAMES.length) {
    throw bad(`${values.length} fields instead of the ten ${FIELD_NAMES.join(', ')}`);
  }
  const field = <Name extends FieldName>(name: Name): z.output<(typeof fields)[Name]> => {
    const value = values[FIELD_NAMES.indexOf(name)] ?? '';
    const result = fields[name].safeParse(value);
    if (result.success) return result.data as z.output<(typeof fields)[Name]>;
    throw bad(`${name} ${JSON.stringify(value.slice(0, 60))}: ${result.error.issues[0]?.message}`);
  };
  const line: LegacyLine = {
    index: field('index'),
    outputDirectory: field('output_directory'),
    segmentDuration: field('segment_duration'),
    outputPrefix: field('output_prefix'),
    httpPrefix: field('http_prefix'),
    firstSegment: field('first_segment'),
    lastSegment: field('last_segment'),
    end: field('end'),
    bucketName: field('bucket_name'),
    keyPrefix: field('key_prefix'),
  };
  if (line.lastSegment < line.firstSegment) {
    throw bad(`last_segment ${line.lastSegment} is below first_segment ${line.firstSegment}`);
  }
  return line;
}

/** The new segment's file: `<output_directory>/<output_prefix>-%05u.ts`. */
export function legacySegmentPath(line: LegacyLine): string {
  const slash = line.outputDirectory.endsWith('/') ? '' : '/';
  return `${line.outputDirectory}${slash}${line.outputPrefix}-${String(line.lastSegment).padStart(5, '0')}.ts`;
}

/** As an old segmenter would send it, with its newline. */
export function encodeLegacyLine(line: LegacyLine): string {
  const values = [
    line.index,
    line.outputDirectory,
    line.segmentDuration,
    line.outputPrefix,
    line.httpPrefix,
    line.firstSegment,
    line.lastSegment,
    line.end ? 1 : 0,
    line.bucketName,
    line.keyPrefix,
  ];
  return `${values.join(', ')}\n`;
}

function bad(message: string): ProtocolError {
  return new ProtocolError('bad-legacy-line', false, `legacy line: ${message}`);
}
