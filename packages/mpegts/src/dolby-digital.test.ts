import { describe, expect, test } from '@jest/globals';
import { DolbyDigital } from './dolby-digital.js';
import { bits, walk, type Walk } from './elementary-stream.test.helper.js';

describe('AC-3 and E-AC-3', () => {
  interface Frame {
    type?: 0 | 1 | 2 | 3;
    id?: number;
    rate?: string;
    mode?: number;
    lfe?: 0 | 1;
    chanmap?: number;
  }
  /** 64 bytes. `rate`: fscod and numblkscod, or 3 and fscod2. */
  const eac3 = ({ type = 0, id = 0, rate = '2/0 2/3', mode = 7, lfe = 1, chanmap }: Frame = {}): number[] => {
    const fields = `16/2935 2/${type} 3/${id} 11/31 ${rate} 3/${mode} 1/${lfe} 5/16 5/31 1/0`;
    const header = bits(
      `${fields} ${type === 1 ? (chanmap === undefined ? '1/0' : `1/1 16/${chanmap}`) : ''}`,
    );
    return [...header, ...Array<number>(64 - header.length).fill(0x11)];
  };
  /** 128 bytes: 32 kbit/s, 48 kHz. */
  const ac3 = (mode: number, between: number, lfe: 0 | 1, bsid = 8): number[] => {
    const header = bits(
      `16/2935 16/0 2/0 6/0 5/${bsid} 3/0 3/${mode} ${between > 0 ? `${between}/0` : ''} 1/${lfe}`,
    );
    return [...header, ...Array<number>(128 - header.length).fill(0x11)];
  };
  const read = (...frames: number[][]): Walk => walk(new DolbyDigital(), Uint8Array.from(frames.flat()));
  /** Ls, Rs and the pair behind them, as 7.1 has it. */
  const SURROUND = 0x1000 | 0x0800 | 0x0200;

  test.each<[number, number, number]>([
    [0, 0, 2],
    [1, 0, 1],
    [2, 2, 2],
    [3, 2, 3],
    [4, 2, 3],
    [5, 4, 4],
    [6, 2, 4],
    [7, 4, 5],
  ])('acmod %i: %i bits stand before lfeon, %i channels', (mode, between, channels) => {
    expect(read(ac3(mode, between, 0)).parameters).toEqual([{ codec: 'ac-3', channels, sampleRate: 48_000 }]);
    expect(read(ac3(mode, between, 1)).parameters[0]!.channels).toBe(channels + 1);
    expect(read(eac3({ mode, lfe: 0 })).parameters).toEqual([
      { codec: 'ec-3', channels, sampleRate: 48_000 },
    ]);
    expect(read(eac3({ mode, lfe: 1 })).parameters[0]!.channels).toBe(channels + 1);
  });

  test.each([
    ['2/0 2/0', 256 / 48, 48_000],
    ['2/1 2/1', 512 / 44.1, 44_100],
    ['2/2 2/2', 768 / 32, 32_000],
    ['2/0 2/3', 1536 / 48, 48_000],
    ['2/3 2/0', 1536 / 24, 24_000],
    ['2/3 2/2', 1536 / 16, 16_000],
  ])('rate %s', (rate, milliseconds, sampleRate) => {
    const { ticks, parameters } = read(eac3({ rate }));
    expect(ticks / 90).toBeCloseTo(milliseconds, 9);
    expect(parameters[0]!.sampleRate).toBe(sampleRate);
  });

  test('AC-3 at half and quarter of the rate', () => {
    expect(read(ac3(2, 2, 0, 9)).parameters[0]!.sampleRate).toBe(24_000);
    expect(read(ac3(2, 2, 0, 10)).ticks / 90).toBeCloseTo(1536 / 12, 9);
  });

  test('dependent substreams add channels and take no time', () => {
    const seven = [eac3(), eac3({ type: 1, chanmap: SURROUND, mode: 6, lfe: 0 })];
    const { ticks, frames, parameters } = read(...seven, ...seven, ...seven);
    expect([ticks / 90, frames]).toEqual([96, 6]);
    // Before the first dependent one has been seen, six.
    expect(parameters.map(({ channels }) => channels)).toEqual([6, 8]);
    const core = [ac3(7, 4, 1), eac3({ type: 1, chanmap: SURROUND, mode: 6, lfe: 0 })];
    expect(read(...core, ...core).parameters.at(-1)).toEqual({
      codec: 'ec-3',
      channels: 8,
      sampleRate: 48_000,
    });
    const plain = [eac3({ mode: 2, lfe: 0 }), eac3({ type: 1, mode: 2, lfe: 0 })];
    expect(read(...plain, ...plain).parameters.at(-1)!.channels).toBe(2);
  });

  test('another program in the same stream takes no time and changes nothing', () => {
    const both = [eac3(), eac3({ id: 1, mode: 2, lfe: 0 })];
    const { ticks, parameters } = read(...both, ...both);
    expect([ticks / 90, parameters.map(({ channels }) => channels)]).toEqual([64, [6]]);
  });

  test.each([
    ['a reserved stream type', eac3({ type: 3 })],
    ['a reserved rate', eac3({ rate: '2/3 2/3' })],
    ['a later version', [...eac3().slice(0, 5), 17 << 3, ...eac3().slice(6)]],
    ['AC-3 of a reserved rate', [0x0b, 0x77, 0, 0, 0xc0, 0x40, 0x40]],
    ['AC-3 of a reserved size', [0x0b, 0x77, 0, 0, 0x26, 0x40, 0x40]],
  ])('none: %s', (_, bytes) => {
    expect(new DolbyDigital().frameBytes(Uint8Array.from(bytes), 0)).toBe(0);
  });
});
