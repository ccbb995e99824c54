import { sessionProgress } from '../reduce.js';
import type { ChannelSettings } from '../state.js';
import { Rig, sessionOf } from './rig.js';
import { see } from './viewer.js';

/** Windows of both recordings. */
export const BOTH = { dvr: { segments: 100, seconds: 0 }, eventSeconds: 3600 };

export const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);

export const marks = (rig: Rig, view: string): string =>
  see(rig.recorded.get(`live/low-${view}.m3u8`)!)
    .entries.map(({ number, discontinuity, gap }) => `${number}${discontinuity ? 'D' : ''}${gap ? 'G' : ''}`)
    .join(' ');
export const upTo = (number: number): string => range(0, number).join(' ');

export const answers = (rig: Rig, code: string): number[] =>
  rig.answers
    .flatMap((answer) => {
      const [, index, said] = /^low\/(\d+) (.*)$/.exec(answer)!;
      return said === code ? [Number(index)] : [];
    })
    .sort((a, b) => a - b);

/** 10 segments are published; then nothing can be stored while as many come as up to this one. */
export function outage(settings: Partial<ChannelSettings>, last: number): Rig {
  const rig = Rig.live(['low'], 10, settings);
  rig.store.segment = () => false;
  for (let i = 10; i <= last; i++) rig.step(['low'], i);
  return rig;
}

/** What is for the live playlist is stored, and what waits behind it is not. */
export function liveIsBack(rig: Rig): void {
  rig.happen({ type: 'store-recovered' });
  const live = rig.uploads.filter(({ isBehind }) => !isBehind);
  rig.uploads = rig.uploads.filter(({ isBehind }) => isBehind);
  for (const { id } of live) rig.happen({ type: 'segment-stored', id });
}

/** The next of what waits is stored. */
export function storeNext(rig: Rig, count = 1): void {
  for (const { id } of rig.uploads.splice(0, count)) rig.happen({ type: 'segment-stored', id });
}

export const accepted = (rig: Rig): number[] => sessionProgress(rig.state, sessionOf('low')).accepted;
export const settled = (rig: Rig): number | undefined => sessionProgress(rig.state, sessionOf('low')).settled;

/** Another uploader, its journal empty, with what is in the store. */
export function successor(
  rig: Rig,
  settings: Partial<ChannelSettings>,
  { who = ['low'], read = (text: string): string => text } = {},
): Rig {
  const all = [...rig.texts, ...rig.recorded, ...rig.iFrames];
  const next = new Rig(
    all.map(([key, text]) => ({ key, text: read(text) })),
    settings,
    rig.at,
  );
  for (const name of who) next.connect(name);
  return next;
}

/** As they came first. */
export function announceAgain(rig: Rig, indexes: number[]): void {
  for (const i of indexes) rig.segment('low', i, 6 * i, 6 * i + 6);
}
