/** SCTE-35 from the stream to the playlists, through the real programs. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { cleanUps } from './helpers/clean-ups.js';
import { LADDER } from './helpers/encoder.js';
import { Live, SEGMENTER } from './helpers/live.js';
import { start } from './helpers/processes.js';
import { spliceInsert, withSplices } from './helpers/splices.js';
import { generateStream } from './helpers/ts-generator.js';
import { complaintsOfParsers } from './player/index.js';

const TICKS = 90_000;
const FIRST = 132 * TICKS;
const TARGET_SECONDS = 2;
const SECONDS = 18;
const [OUT_SECOND, IN_SECOND] = [9, 13];

const hex = (section: readonly number[]): string => Buffer.from(section).toString('hex').toUpperCase();

test('a break is the same EXT-X-DATERANGE in all renditions, at the instant of its pictures', async () => {
  const live = await Live.open({
    renditions: LADDER.slice(0, 2),
    uploaderArguments: ['--window', '20'],
  });
  cleanUps.push(() => live.close());
  const out = spliceInsert({
    eventId: 7,
    out: true,
    pts: FIRST + OUT_SECOND * TICKS,
    duration: 30 * TICKS,
  });
  const back = spliceInsert({ eventId: 7, out: false, pts: FIRST + IN_SECOND * TICKS });
  const pictures = generateStream({ pictures: SECONDS * 25, gop: 50, firstPts: FIRST });
  const stream = withSplices(pictures, [
    { second: OUT_SECOND - 5, section: out },
    { second: OUT_SECOND - 2, section: out },
    { second: IN_SECOND - 1, section: back },
  ]);
  const file = join(live.folder, 'stream.ts');
  await writeFile(file, stream);
  await live.startUploader();
  const segmenters = await Promise.all(
    live.names.map((name) =>
      start(
        process.execPath,
        [
          SEGMENTER,
          ...['--uploader', `127.0.0.1:${live.port}`, '--spool', join(live.folder, 'spool')],
          ...['--channel', 'live', '--rendition', name, '--renditions', live.names.join(',')],
          ...['--segment-duration', String(TARGET_SECONDS), '--realtime', file],
        ],
        { name: `segmenter ${name}` },
      ),
    ),
  );
  cleanUps.push(async () => void (await Promise.all(segmenters.map((segmenter) => segmenter.stop()))));
  for (const segmenter of segmenters) expect(await segmenter.exited).toEqual({ code: 0, signal: null });

  const ranges: string[][] = [];
  for (const name of live.names) {
    const text = await (await fetch(new URL(`${name}.m3u8`, live.url))).text();
    expect(complaintsOfParsers(text)).toEqual([]);
    expect(text).toMatch(/\n#EXT-X-ENDLIST\n$/);
    const startMs = Date.parse(/^#EXT-X-PROGRAM-DATE-TIME:(.*)$/m.exec(text)![1]!);
    const at = (second: number): string => `"${new Date(startMs + second * 1000).toISOString()}"`;
    const own = text.match(/^#EXT-X-DATERANGE:.*$/gm) ?? [];
    expect(own).toHaveLength(2);
    expect(own[0]).toContain(`START-DATE=${at(OUT_SECOND)},`);
    expect(own[0]).toContain(`PLANNED-DURATION=30.000,SCTE35-OUT=0x${hex(out)}`);
    expect(own[1]).toContain(`START-DATE=${at(OUT_SECOND)},END-DATE=${at(IN_SECOND)},DURATION=4.000,`);
    expect(own[1]).toContain(`SCTE35-IN=0x${hex(back)}`);
    const ids = own.map((tag) => /ID="(.*?)"/.exec(tag)![1]);
    expect(ids[0]).toBe(ids[1]);
    ranges.push(own);
  }
  expect(ranges[0]).toEqual(ranges[1]);
}, 60_000);
