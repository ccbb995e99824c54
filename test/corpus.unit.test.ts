/** Streams that nobody on this project wrote, as `scripts/corpus-report` examines them; and the report's own rules. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { systemClock } from '@hls-uplink/runtime';
import { Cutting } from '../packages/segmenter/src/cutting.js';
import { generateStream, type StreamOptions } from './helpers/ts-generator.js';

interface Allowed {
  refused?: string;
  differs?: Record<string, string>;
  because?: string;
}
interface File {
  name: string;
  path: string;
  facts?: object;
}
interface Examined {
  name: string;
  segments: { startPts: number; seconds: number; independent: boolean; keys: number[] }[];
  refused?: { code: string };
  differs: Record<string, string>;
  unexplained: string[];
  gone: string[];
  faults: string[];
}
interface Script {
  HANG_BYTES: number;
  readList: () => Record<string, Allowed>;
  readCorpus: (folder: string) => File[];
  examine: (file: File, parts: object, list: Record<string, Allowed>) => Promise<Examined>;
}

const { HANG_BYTES, readList, readCorpus, examine } = (await import(
  join(import.meta.dirname, '../scripts/lib/corpus.js')
)) as unknown as Script;
const parts = { Cutting, clock: systemClock };

/** Kept beside the repository and never inside it. */
const CORPUS = join(import.meta.dirname, '../../shared/corpus');
const list = readList();

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'corpus-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('whatever may be refused or differ has its reason', () => {
  for (const [name, { refused, differs, because }] of Object.entries(list)) {
    expect([name, typeof because]).toEqual([name, 'string']);
    expect([name, refused !== undefined || Object.keys(differs ?? {}).length > 0]).toEqual([name, true]);
  }
});

if (existsSync(join(CORPUS, 'facts.jsonl'))) {
  const corpus = readCorpus(CORPUS);

  describe('streams of others', () => {
    test('are there, with their facts, and the list names no others', () => {
      expect(corpus.length).toBeGreaterThan(40);
      expect(corpus.filter(({ facts }) => facts === undefined)).toEqual([]);
      const names = corpus.map(({ name }) => name);
      expect(Object.keys(list).filter((name) => !names.includes(name))).toEqual([]);
    });

    test.each(corpus.map((file) => [file.name, file] as const))('%s', async (name, file) => {
      const { faults, refused, differs, gone, segments } = await examine(file, parts, list);
      expect({ faults, refused: refused?.code, differs, gone }).toEqual({
        faults: [],
        refused: list[name]?.refused,
        differs: list[name]?.differs ?? {},
        gone: [],
      });
      expect(segments.length > 0).toBe(refused === undefined);
    });
  });
}

/** What an analyser would have said of a generated stream: by how it was made, not by what we read in it. */
function factsOf(name: string, { pictures = 250, gop = 50, firstPts = 133_200 }: StreamOptions): object {
  const keys = Array.from({ length: Math.ceil(pictures / gop) }, (_, n) => [
    firstPts + n * gop * 3600,
    0,
    'IDR',
  ]);
  return {
    file: name,
    trailing: 0,
    skipped: 0,
    tei: 0,
    null: 0,
    scr: 0,
    cc_err: {},
    programs: { 1: { es: { '0x100': 'h264', '0x101': 'aac' } } },
    es: { '0x100': { nm: 'h264', nback: 0, nfwd: 0, keys }, '0x101': { nm: 'aac', nback: 0, nfwd: 0 } },
    probe: {
      streams: [
        {
          codec_type: 'video',
          codec_name: 'h264',
          id: '0x100',
          width: 320,
          height: 180,
          avg_frame_rate: '25/1',
        },
        { codec_type: 'audio', codec_name: 'aac', id: '0x101', channels: 2, lang: null },
      ],
    },
  };
}

/** A corpus of one generated stream; `edit` changes what is said about it. */
function corpusOf(name: string, stream: Uint8Array, facts?: object): File {
  const place = join(folder, name);
  mkdirSync(join(place, 'files'), { recursive: true });
  writeFileSync(join(place, 'files', `${name}.ts`), stream);
  if (facts)
    writeFileSync(
      join(place, 'facts.jsonl'),
      `${JSON.stringify({ ...facts, file: `${name}.ts`, packets: stream.length / 188 })}\n`,
    );
  const files = readCorpus(place);
  expect(files.map((file) => file.name)).toEqual([`${name}.ts`]);
  return files[0]!;
}

describe('generated streams', () => {
  const options: StreamOptions = { pictures: 150, gop: 50 };
  const stream = generateStream(options);
  const facts = factsOf('good', options);

  test('as the facts say: nothing differs', async () => {
    const { segments, ...examined } = await examine(corpusOf('good', stream, facts), parts, {});
    expect(examined).toMatchObject({
      refused: undefined,
      differs: {},
      unexplained: [],
      gone: [],
      faults: [],
    });
    // Key pictures at 1.48, 3.48 and 5.48 s, each in a slot of 2 s of its own.
    expect(segments.map(({ startPts, seconds }) => [startPts, seconds])).toEqual([
      [133_200, 2],
      [313_200, 2],
      [493_200, 2],
    ]);
  });

  test('what is not as the facts say is named, and may be explained', async () => {
    const wrong = structuredClone(facts) as {
      es: Record<string, { keys: unknown[]; nback: number }>;
      tei: number;
    };
    wrong.es['0x100']!.keys[1] = [1, 0, 'IDR'];
    wrong.es['0x100']!.nback = 1;
    wrong.tei = 3;
    const file = corpusOf('wrong', stream, wrong);
    const differs = {
      transportErrors: '0, facts: 3',
      keysMissing: '1',
      keysAdded: '313200',
      discontinuities: '0, facts: 1',
    };
    const examined = await examine(file, parts, {});
    expect(examined).toMatchObject({ differs, unexplained: Object.keys(differs), faults: [] });
    const explained = await examine(file, parts, { 'wrong.ts': { differs: { ...differs, packets: '1' } } });
    expect(explained).toMatchObject({ differs, unexplained: [], gone: ['packets'], faults: [] });
  });

  test('a refusal is a fault unless it is on the list', async () => {
    const file = corpusOf('garbage', new Uint8Array(100_000).fill(7));
    const listed = { 'garbage.ts': { refused: 'no-sync' } };
    expect((await examine(file, parts, listed)).faults).toEqual([]);
    expect((await examine(file, parts, {})).faults).toEqual([expect.stringContaining('refused without')]);
    const good = corpusOf('listed', stream);
    expect((await examine(good, parts, { 'listed.ts': { refused: 'no-sync' } })).gone).toEqual(['refused']);
  });

  test('a crash and a hang are faults', async () => {
    class Crashing extends Cutting {
      override push(): never {
        throw new RangeError('out of bounds');
      }
    }
    class Hanging extends Cutting {
      override push(): undefined {
        return undefined;
      }
    }
    const crash = await examine(corpusOf('crash', stream), { ...parts, Cutting: Crashing }, {});
    expect(crash.faults).toEqual([expect.stringContaining('crashes: RangeError: out of bounds')]);
    const long = corpusOf('long', new Uint8Array(HANG_BYTES + 100_000));
    const hang = await examine(long, { ...parts, Cutting: Hanging }, {});
    expect(hang.faults[0]).toContain('hangs');
  });
});
