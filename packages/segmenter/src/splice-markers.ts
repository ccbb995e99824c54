import { MediaError, readSpliceInfo, type SpliceEvent } from '@hls-uplink/mpegts';
import { MAX_MARKERS, MAX_SPLICE_BYTES, type Marker } from '@hls-uplink/protocol';
import type { Clock, Logger } from '@hls-uplink/runtime';
import { LogLimit } from './log-limit.js';

/** Gathers what the SCTE-35 sections of a segment say of splices, and tells of those that cannot be told further. */
export class SpliceMarkers {
  readonly #limit: LogLimit;

  constructor(
    private readonly logger: Logger,
    clock: Clock,
  ) {
    this.#limit = new LogLimit(clock);
  }

  /**
   * Adds what a section says; one that stands in the segment already says nothing new.
   *
   * @param markers of the segment in which it ended
   * @param newestPts of the newest picture: the time of a section that names none
   */
  add(markers: Marker[], section: Uint8Array, newestPts: number): void {
    let info;
    try {
      info = readSpliceInfo(section);
    } catch (error) {
      if (!(error instanceof MediaError)) throw error;
      return this.#leftOut('damaged', error.message);
    }
    if (info.command === 'encrypted') return this.#leftOut('encrypted', 'it is encrypted');
    if (info.command === 'other') return;
    if (section.length > MAX_SPLICE_BYTES)
      return this.#leftOut('long', `it has ${section.length} bytes, ${MAX_SPLICE_BYTES} are the limit`);
    const text = Buffer.from(section).toString('hex').toUpperCase();
    if (markers.some((marker) => marker.section === text)) return;
    const common = {
      pts: info.pts90k ?? newestPts,
      immediate: info.pts90k === undefined,
      section: text,
    };
    const made: Marker[] = info.events.map((event) => ({ ...factsOf(event), ...common }));
    if (made.length === 0) made.push({ kind: 'command', ...common });
    if (markers.length + made.length > MAX_MARKERS)
      return this.#leftOut('many', `its segment has ${MAX_MARKERS} markers already`);
    markers.push(...made);
  }

  #leftOut(kind: string, reason: string): void {
    this.#limit.say(kind, (fields) =>
      this.logger.warn('an SCTE-35 section stays in its segment and makes no marker', { reason, ...fields }),
    );
  }
}

function factsOf(event: SpliceEvent): Pick<Marker, 'kind' | 'eventId' | 'segmentationType' | 'duration90k'> {
  const { eventId, cancel, out, segmentationType, durationTicks } = event;
  const splice = out === undefined ? 'command' : out ? 'out' : 'in';
  return {
    kind: cancel ? 'cancel' : splice,
    eventId,
    ...(segmentationType !== undefined && { segmentationType }),
    ...(durationTicks !== undefined && { duration90k: durationTicks }),
  };
}
