import type { IncomingMessage } from 'node:http';
import { clientValue, renderDateRange, type DateRange } from '@hls-uplink/hls';
import * as z from 'zod';
import { dateRangeId, SPLICE_ID } from './channel/date-range.js';

/** Longest body of a request, bytes. */
const LARGEST_BODY = 16 * 1024;
const MOST_ATTRIBUTES = 20;

const quotable = (longest: number): z.ZodString =>
  z
    .string()
    .max(longest)
    // eslint-disable-next-line no-control-regex -- that is what it looks for
    .regex(/^[^"\x00-\x1f\x7f]*$/, 'neither quotes nor control characters');

const dateRangeRequest = z
  .strictObject({
    /** The first part of the ID; the start date makes the second, so that none is used twice. */
    id: z
      .string()
      .max(100)
      .regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/, 'letters, digits, _ . - only')
      .refine((id) => !id.startsWith(SPLICE_ID), `${SPLICE_ID}… are the IDs of SCTE-35 markers`),
    class: quotable(200).optional(),
    startDate: z.iso.datetime({ offset: true }),
    endDate: z.iso.datetime({ offset: true }).optional(),
    durationSeconds: z.number().min(0).max(86_400).optional(),
    attributes: z
      .record(
        z
          .string()
          .max(100)
          .regex(/^X-[A-Z0-9-]+$/, 'X- and capital letters, digits, -'),
        quotable(2000).or(z.number().min(-1e15).max(1e15)),
      )
      .refine((all) => Object.keys(all).length <= MOST_ATTRIBUTES, `at most ${MOST_ATTRIBUTES} attributes`)
      .optional(),
  })
  .refine((given) => given.endDate === undefined || given.durationSeconds === undefined, {
    message: 'endDate or durationSeconds, not both',
  })
  .refine(
    (given) => given.endDate === undefined || Date.parse(given.endDate) >= Date.parse(given.startDate),
    {
      message: 'endDate is before startDate',
    },
  );

/** The body of a request for a date range is none; `status` is what to answer. */
export class DateRangeRequestError extends Error {
  override readonly name = 'DateRangeRequestError';
  readonly code = 'bad-date-range';

  constructor(
    readonly status: 400 | 413,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/**
 * Reads the body of a request for a date range.
 * @throws DateRangeRequestError
 */
export async function readDateRangeRequest(request: IncomingMessage): Promise<DateRange> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > LARGEST_BODY) throw new DateRangeRequestError(413, `at most ${LARGEST_BODY} bytes`);
    chunks.push(chunk);
  }
  let body: unknown;
  try {
    body = JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch (cause) {
    throw new DateRangeRequestError(400, 'the body is no JSON', { cause });
  }
  return dateRangeOf(body);
}

/**
 * The range that a request's JSON asks for.
 * @throws DateRangeRequestError
 */
export function dateRangeOf(body: unknown): DateRange {
  const { success, data, error } = dateRangeRequest.safeParse(body);
  if (!success) {
    const [issue] = error.issues;
    const where = issue?.path.join('.') ?? '';
    throw new DateRangeRequestError(
      400,
      `${where === '' ? '' : `${where}: `}${issue?.message ?? 'it is wrong'}`,
    );
  }
  const { startDate, endDate, durationSeconds, attributes } = data;
  const startDateMs = Date.parse(startDate);
  const client = Object.entries(attributes ?? {}).map(([name, value]) => [name, clientValue(value)]);
  const range: DateRange = {
    id: dateRangeId(data.id, startDateMs),
    ...(data.class !== undefined && { class: data.class }),
    startDateMs,
    ...(endDate !== undefined && { endDateMs: Date.parse(endDate) }),
    ...(durationSeconds !== undefined && { durationSeconds: Math.round(durationSeconds * 1000) / 1000 }),
    ...(client.length > 0 && { clientAttributes: Object.fromEntries(client) as Record<string, string> }),
  };
  // What cannot be written must not reach the channel.
  renderDateRange(range);
  return range;
}
