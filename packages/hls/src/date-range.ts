import { parseRawAttributes, quotedString, unquoted } from './attribute-list.js';
import { decimalNumber, excerpt } from './lines.js';
import { PlaylistError } from './playlist-error.js';
import { formatProgramDateTime, parseProgramDateTime } from './program-date-time.js';

const TAG = 'EXT-X-DATERANGE';

/** EXT-X-DATERANGE (RFC 8216 §4.3.2.7). */
export interface DateRange {
  /** ID */
  id: string;
  /** CLASS */
  class?: string;
  /** START-DATE, milliseconds since 1970 */
  startDateMs: number;
  /** END-DATE, milliseconds since 1970 */
  endDateMs?: number;
  /** DURATION */
  durationSeconds?: number;
  /** PLANNED-DURATION */
  plannedDurationSeconds?: number;
  /** X-…, each value as it stands in the playlist: a quoted string, a number or a hexadecimal sequence. */
  clientAttributes?: Record<string, string>;
  /** SCTE35-CMD, SCTE35-OUT, SCTE35-IN: the whole splice_info_section, hexadecimal digits without 0x. */
  scte35Cmd?: string;
  scte35Out?: string;
  scte35In?: string;
  /** END-ON-NEXT=YES */
  endOnNext?: true;
}

const CLIENT_NAME = /^X-[A-Z0-9-]+$/;
const HEXADECIMAL = /^[0-9A-F]+$/;
/** A quoted string, a hexadecimal sequence or a decimal floating-point number: what an X- attribute may be. */
const CLIENT_VALUE = /^(?:"[^"\r\n]*"|0[xX][0-9A-Fa-f]+|-?\d+(?:\.\d+)?)$/;

/**
 * The tag, without a newline. The same range always gives the same text.
 * @throws Error a mistake of the caller: it cannot be written
 */
export function renderDateRange(range: DateRange): string {
  const { id, startDateMs, endDateMs, durationSeconds, plannedDurationSeconds, endOnNext } = range;
  const attributes = [
    `ID=${quotedString(id)}`,
    ...(range.class === undefined ? [] : [`CLASS=${quotedString(range.class)}`]),
    `START-DATE=${quotedString(formatProgramDateTime(startDateMs))}`,
    ...(endDateMs === undefined ? [] : [`END-DATE=${quotedString(formatProgramDateTime(endDateMs))}`]),
    ...(durationSeconds === undefined ? [] : [`DURATION=${secondsText(durationSeconds)}`]),
    ...(plannedDurationSeconds === undefined
      ? []
      : [`PLANNED-DURATION=${secondsText(plannedDurationSeconds)}`]),
    ...Object.entries(range.clientAttributes ?? {}).map(clientAttribute),
    ...hexadecimal('SCTE35-CMD', range.scte35Cmd),
    ...hexadecimal('SCTE35-OUT', range.scte35Out),
    ...hexadecimal('SCTE35-IN', range.scte35In),
    ...(endOnNext ? ['END-ON-NEXT=YES'] : []),
  ];
  return `#${TAG}:${attributes.join(',')}`;
}

/** An X- attribute's value from what an operator gives. */
export function clientValue(value: string | number): string {
  return typeof value === 'number' ? decimalText(value) : quotedString(value);
}

/**
 * The range of a tag's value: X- attributes are kept, others that are unknown are ignored.
 * @throws PlaylistError `bad-value`
 */
export function parseDateRange(value: string, line: number): DateRange {
  const attributes = parseRawAttributes(TAG, value, line);
  const text = (name: string): string | undefined => {
    const raw = attributes.get(name);
    if (raw === undefined) return undefined;
    if (!raw.startsWith('"')) throw bad(line, `${name} is not in quotes`);
    return unquoted(raw);
  };
  const date = (name: string): number | undefined => {
    const stated = text(name);
    return stated === undefined ? undefined : parseProgramDateTime(stated, line, `${TAG} ${name}`);
  };
  const seconds = (name: string): number | undefined => {
    const stated = attributes.get(name);
    return stated === undefined ? undefined : decimalNumber(`${TAG} ${name}`, stated, line);
  };
  const section = (name: string): string | undefined => {
    const stated = attributes.get(name);
    if (stated !== undefined && !/^0[xX][0-9A-Fa-f]+$/.test(stated))
      throw bad(line, `${name} is ${excerpt(stated)}, not hexadecimal`);
    return stated?.slice(2).toUpperCase();
  };
  const id = text('ID');
  const startDateMs = date('START-DATE');
  if (id === undefined || startDateMs === undefined) throw bad(line, 'has no ID or no START-DATE');
  const next = attributes.get('END-ON-NEXT');
  if (next !== undefined && next !== 'YES') throw bad(line, `END-ON-NEXT is ${excerpt(next)}, not YES`);
  const client = [...attributes].filter(([name]) => CLIENT_NAME.test(name));
  for (const [name, raw] of client)
    if (!CLIENT_VALUE.test(raw)) throw bad(line, `${name} is neither quoted nor a number`);
  const range = {
    class: text('CLASS'),
    endDateMs: date('END-DATE'),
    durationSeconds: seconds('DURATION'),
    plannedDurationSeconds: seconds('PLANNED-DURATION'),
    clientAttributes: client.length > 0 ? Object.fromEntries(client) : undefined,
    scte35Cmd: section('SCTE35-CMD'),
    scte35Out: section('SCTE35-OUT'),
    scte35In: section('SCTE35-IN'),
    endOnNext: next && true,
  };
  if (range.endDateMs !== undefined && range.endDateMs < startDateMs)
    throw bad(line, 'its END-DATE is before its START-DATE');
  const stated = Object.entries(range).filter(([, attribute]) => attribute !== undefined);
  return { id, startDateMs, ...(Object.fromEntries(stated) as Partial<DateRange>) };
}

function bad(line: number, what: string): PlaylistError {
  return new PlaylistError('bad-value', line, `${TAG}: ${what}`);
}

function clientAttribute([name, value]: [string, string]): string {
  if (!CLIENT_NAME.test(name) || !CLIENT_VALUE.test(value))
    throw new Error(`no attribute of a date range: ${excerpt(`${name}=${value}`)}`);
  return `${name}=${value}`;
}

function hexadecimal(name: string, digits: string | undefined): string[] {
  if (digits === undefined) return [];
  if (!HEXADECIMAL.test(digits)) throw new Error(`not hexadecimal: ${excerpt(digits)}`);
  return [`${name}=0x${digits}`];
}

function secondsText(seconds: number): string {
  if (!(seconds >= 0)) throw new Error(`no duration: ${seconds}`);
  return seconds.toFixed(3);
}

/** Without an exponent, which the standard does not know. */
function decimalText(value: number): string {
  if (!Number.isFinite(value) || Math.abs(value) >= 1e21) throw new Error(`cannot be written: ${value}`);
  return value.toFixed(6).replace(/\.?0+$/, '');
}
