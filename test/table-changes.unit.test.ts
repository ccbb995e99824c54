/** Tables that change at any packet, in the middle of pictures and of sound. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { cut, PACKET, pidOf } from './helpers/cut.js';
import { Mux, type Program } from './helpers/film.js';
import { audio, both, film, one, second, video } from './helpers/tables.js';
import { inChunks } from './helpers/ts-generator.js';
import { inspectSegment } from './watcher/index.js';
import { parsePat, parsePmt } from './watcher/sections.js';

/** Something about the tables changes before packet `at`. */
interface Event {
  at: number;
  what: 'version' | 'language' | 'PCR' | 'PMT PID' | 'number' | 'sound' | 'second sound' | 'pictures';
}
const events = fc.array(
  fc.record<Event>({
    at: fc.nat(3200),
    what: fc.constantFrom<Event['what'][]>(
      'version',
      'language',
      'PCR',
      'PMT PID',
      'number',
      'sound',
      'second sound',
      'pictures',
    ),
  }),
  { minLength: 1, maxLength: 5 },
);

describe('tables that change at any packet (property)', () => {
  const LENGTH = 160;
  const key = (n: number): boolean => n % 50 === 0;
  const payloads = (packets: Iterable<Uint8Array | number[]>): string[] =>
    [...packets].map((packet) => Buffer.from(packet.slice(4)).toString('base64'));

  const plain = new Mux(film);
  plain.play(0, LENGTH, [video, audio, second]);

  /** The film, `whats` of the events that came, and the pictures that can be seen. */
  function disturbed(changes: Event[]): { bytes: Uint8Array; seen: number[]; came: Event['what'][] } {
    const queue = [...changes].sort((a, b) => a.at - b.at);
    const came: Event['what'][] = [];
    let program: Program = { ...one, tracks: both };
    let [pictures, sound, secondSound, language, picturePid] = [0x100, true, false, false, 0x100];
    const mux = new Mux(film);
    const seen: number[] = [];
    let picture = -1;
    let open = false;
    const tables = (): void => {
      const descriptors = language ? [0x0a, 4, 0x73, 0x77, 0x65, 0] : [];
      const tracks = [
        { ...video, pid: pictures },
        ...(sound ? [{ ...audio, descriptors }] : []),
        ...(secondSound ? [second] : []),
      ];
      const version = (program.version ?? 0) + 1;
      program = { ...program, tracks, version: version & 31 };
      mux.programs([program], version & 31);
    };
    tables();
    plain.out.packets.forEach((packet, n) => {
      for (; queue[0] && queue[0].at <= n; queue.shift()) {
        const { what } = queue[0];
        came.push(what);
        if (what === 'language') language = !language;
        if (what === 'PCR') program = { ...program, pcrPid: program.pcrPid === undefined ? 0x101 : 0x1fff };
        if (what === 'PMT PID') program = { ...program, pmtPid: program.pmtPid ^ 3 };
        if (what === 'number') program = { ...program, number: program.number + 1 };
        if (what === 'sound') sound = !sound;
        if (what === 'second sound') secondSound = !secondSound;
        if (what === 'pictures') pictures ^= 0x300;
        tables();
      }
      let pid = ((packet[1]! & 0x1f) << 8) | packet[2]!;
      if (pid === video.pid) {
        if (packet[1]! & 0x40) {
          picture++;
          if (key(picture)) open = true;
          else if (picturePid !== pictures) open = false;
          picturePid = pictures;
          if (open) seen.push(picture);
        }
        pid = picturePid;
      }
      const field = packet[3]! & 0x20 ? packet.slice(5, 5 + packet[4]!) : undefined;
      mux.out.raw(pid, packet.slice(4 + (field ? 1 + field.length : 0)), (packet[1]! & 0x40) !== 0, field);
    });
    return { bytes: mux.bytes(), seen, came };
  }

  test('each segment is what its tables say, and nothing is lost of what can be seen', async () => {
    const counts: Record<string, number> = {};
    const count = (what: string): number => (counts[what] = (counts[what] ?? 0) + 1);
    await fc.assert(
      fc.asyncProperty(events, fc.integer({ min: 188, max: 40_000 }), async (changes, size) => {
        const { bytes, seen, came } = disturbed(changes);
        const result = await cut(inChunks(bytes, [size]), { targetSeconds: 2 });
        expect(result.refused).toBeUndefined();
        const pictures: Uint8Array[] = [];
        let before = '';
        for (const { data, discontinuity } of result.segments) {
          expect(inspectSegment(data).problems).toEqual([]);
          const pmtPid = parsePat(data.subarray(4))[0]!;
          const streams = parsePmt(data.subarray(PACKET + 4));
          const pcrPid = ((data[PACKET + 5 + 8]! & 0x1f) << 8) | data[PACKET + 5 + 9]!;
          const known = [0, pmtPid, pcrPid, ...streams.map(({ pid }) => pid)];
          for (let at = 0; at < data.length; at += PACKET) {
            expect(known).toContain(pidOf(data, at));
            if ([0x100, 0x200].includes(pidOf(data, at))) pictures.push(data.subarray(at, at + PACKET));
          }
          const tracks = JSON.stringify(streams);
          if (before !== '' && tracks !== before) expect(discontinuity).toBe('tables');
          const harmless = came.every((what) => !['sound', 'second sound', 'pictures'].includes(what));
          if (before !== '' && harmless) expect(discontinuity).toBeUndefined();
          if (discontinuity === 'tables') count('discontinuity');
          before = tracks;
        }
        expect(payloads(pictures)).toEqual(payloads(seen.flatMap((n) => film.h264[n]!.packets)));
        expect(result.counters).toMatchObject({
          continuityErrors: 0,
          crcErrors: 0,
          badSections: 0,
          resyncs: 0,
        });
        for (const what of came) count(what);
      }),
      { numRuns: 40 },
    );
    console.log('changes of tables:', counts);
    expect(Object.keys(counts)).toHaveLength(9);
  }, 60_000);
});
