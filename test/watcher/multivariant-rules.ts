/** What the multivariant playlist says against what was measured (rule 19). */
import {
  lastLife,
  targetDuration,
  type History,
  type Pause,
  type RenditionHistory,
  type Violation,
} from './history.js';
import type { MultivariantPlaylist, Variant } from './multivariant-playlist.js';
import type { SegmentFacts } from './segment-facts.js';

export function judgeMultivariant(history: History, url: (uri: string) => string): Violation[] {
  const last = history.multivariant.at(-1);
  if (last === undefined) return [];
  const byUrl = new Map(history.renditions.map((rendition) => [rendition.url, rendition]));
  return [
    ...history.renditions.flatMap((rendition) => exists(rendition, history.pauses)),
    ...last.playlist.variants.flatMap((variant) => {
      const rendition = byUrl.get(url(variant.uri));
      const sound = last.playlist.renditions
        .filter(({ group, type }) => type === 'AUDIO' && group === variant.audioGroup)
        .flatMap(({ uri }) => byUrl.get(url(uri)) ?? []);
      return compare(variant, rendition, sound).map((message) => ({
        rule: 19,
        rendition: rendition?.name ?? variant.uri,
        message,
        at: last.at,
      }));
    }),
    ...independent(last.playlist, history, last.at),
    ...falls(history),
    ...returns(history),
  ];
}

/** The house rule (DESIGN.md, "The two commands"): within a life BANDWIDTH only rises. */
function falls({ multivariant, renditions }: History): Violation[] {
  if (renditions.some((rendition) => lastLife(rendition) > 0)) return [];
  const stated = new Map<string, number>();
  const violations: Violation[] = [];
  for (const { at, playlist } of multivariant) {
    for (const { uri, bandwidth } of playlist.variants) {
      const before = stated.get(uri) ?? 0;
      stated.set(uri, bandwidth);
      if (bandwidth >= before) continue;
      const message = `BANDWIDTH falls from ${before} to ${bandwidth}`;
      violations.push({ rule: 19, rendition: uri, message, at });
    }
  }
  return violations;
}

/** It changes only when it must, so it never says again what it had said: comments aside, and averages, which come and go. */
function returns({ multivariant, renditions }: History): Violation[] {
  if (renditions.some((rendition) => lastLife(rendition) > 0)) return [];
  const said = new Set<string>();
  let last = '';
  return multivariant.flatMap(({ at, text }) => {
    const now = text.replaceAll(/^#(?!EXT).*\n/gm, '').replaceAll(/,AVERAGE-BANDWIDTH=\d+/g, '');
    const isBack = now !== last && said.has(now);
    said.add(now);
    last = now;
    const message = 'the multivariant playlist says again what it had said before';
    return isBack ? [{ rule: 19, message, at }] : [];
  });
}

function exists(rendition: RenditionHistory, pauses: readonly Pause[]): Violation[] {
  const { firstAnswer } = rendition;
  if (firstAnswer === undefined || firstAnswer.status === 200) return [];
  const { at, status } = firstAnswer;
  if (pauses.some(({ why, from, to }) => why === 'down' && from <= at && at <= (to ?? Infinity))) return [];
  return [{ rule: 19, rendition: rendition.name, message: `listed, but its playlist answers ${status}`, at }];
}

/** Apple 1.28, 1.29. */
const averageMargin = 1.1;
const peakMargin = 1.25;
/** PTS are whole ticks, FRAME-RATE has three decimals. */
const frameRateMargin = 0.0005;

function compare(
  variant: Variant,
  rendition: RenditionHistory | undefined,
  sound: RenditionHistory[],
): string[] {
  const said: string[] = [];
  if (variant.averageBandwidth === undefined) said.push('no AVERAGE-BANDWIDTH');
  else if (variant.averageBandwidth > variant.bandwidth) said.push('AVERAGE-BANDWIDTH above BANDWIDTH');
  if (variant.codecs === undefined) said.push('no CODECS');
  if (rendition === undefined) return [...said, 'its playlist was never read'];

  const measured = (one: RenditionHistory): { facts: SegmentFacts; seconds: number }[] =>
    one.segments.flatMap(({ life, facts, durationSeconds }) =>
      life === lastLife(one) && facts !== undefined ? [{ facts, seconds: durationSeconds }] : [],
    );
  const own = measured(rendition);
  if (own.length === 0) return said;
  const peak = peakSegmentBitRate(rendition);
  const total = own.reduce((sum, { facts }) => sum + facts.bytes * 8, 0);
  const average = total / own.reduce((sum, { seconds }) => sum + seconds, 0);
  if (peak > peakMargin * variant.bandwidth)
    said.push(`the peak is ${peak.toFixed(0)} bit/s, over 125 % of BANDWIDTH ${variant.bandwidth}`);
  if (average > averageMargin * (variant.averageBandwidth ?? Infinity))
    said.push(`${average.toFixed(0)} bit/s on average, over 110 % of ${variant.averageBandwidth ?? 0}`);

  const all = [...own, ...sound.flatMap(measured)].map(({ facts }) => facts);
  return [...said, ...codecs(variant, all), ...picture(variant, all)];
}

/** The largest bit rate of a contiguous set that lasts 0.5 to 1.5 target durations (RFC 8216 §4.1); 0 without one. */
function peakSegmentBitRate(rendition: RenditionHistory): number {
  const segments = rendition.segments.filter(({ life }) => life === lastLife(rendition));
  const [shortest, longest] = [0.5, 1.5].map((share) => share * targetDuration(rendition)) as [
    number,
    number,
  ];
  let peak = 0;
  for (const first of segments.keys()) {
    let [bits, seconds] = [0, 0];
    for (const { facts, durationSeconds } of segments.slice(first)) {
      seconds += durationSeconds;
      if (facts === undefined || seconds > longest) break;
      bits += facts.bytes * 8;
      if (seconds >= shortest) peak = Math.max(peak, bits / seconds);
    }
  }
  return peak;
}

/** One codec, several names in use (RFC 6381, ISO/IEC 14496-3 Table 1.17). */
const otherNames: Record<string, string[]> = {
  'mp4a.40.33': ['mp4a.69', 'mp4a.6B'],
  'mp4a.40.34': ['mp4a.69', 'mp4a.6B'],
};

function codecs(variant: Variant, all: SegmentFacts[]): string[] {
  if (variant.codecs === undefined) return [];
  const present = new Set(
    all
      .flatMap(({ video, audio }) => [video?.codec, ...audio.map(({ frames }) => frames?.codec)])
      .filter(Boolean),
  ) as Set<string>;
  const said = new Set(variant.codecs);
  const names = (codec: string): string[] => [codec, ...(otherNames[codec] ?? [])];
  const missing = [...present].filter((codec) => !names(codec).some((one) => said.has(one)));
  // Tracks of codecs that are not looked into cannot be held against the list.
  const known = [...present].flatMap(names);
  const tooMany = [...said].filter((codec) => /^(avc1|mp4a)\./.test(codec) && !known.includes(codec));
  return [
    ...missing.map((codec) => `CODECS lacks ${codec}`),
    ...tooMany.map((codec) => `CODECS names ${codec}, which no segment has`),
  ];
}

function picture(variant: Variant, all: SegmentFacts[]): string[] {
  const videos = all.flatMap(({ video }) => video ?? []);
  if (videos.length === 0) return [];
  const said: string[] = [];
  const resolutions = new Set(videos.flatMap(({ resolution }) => resolution ?? []));
  if (variant.resolution === undefined) said.push('no RESOLUTION');
  else if (resolutions.size > 0 && !resolutions.has(variant.resolution))
    said.push(`RESOLUTION ${variant.resolution}, but pictures of ${[...resolutions].join(', ')}`);
  if (variant.frameRate === undefined) return [...said, 'no FRAME-RATE'];
  const longest = videos.reduce((best, video) => (video.pictures > best.pictures ? video : best));
  if (longest.meanTicks === undefined) return said;
  const rate = 90_000 / longest.meanTicks;
  if (Math.abs(variant.frameRate / rate - 1) > frameRateMargin)
    said.push(`FRAME-RATE ${variant.frameRate}, but ${rate.toFixed(3)} pictures a second`);
  return said;
}

/** Rule 16: in the multivariant playlist the tag speaks for every media playlist (RFC 8216 §4.3.5.1). */
function independent(playlist: MultivariantPlaylist, history: History, at: number): Violation[] {
  if (!playlist.independentSegments) return [];
  const dependent = history.renditions.find(({ segments }) =>
    segments.some(({ facts }) => facts?.video !== undefined && facts.video.randomAccess === undefined),
  );
  if (dependent === undefined) return [];
  const message = 'EXT-X-INDEPENDENT-SEGMENTS in the multivariant playlist, but not every segment is';
  return [{ rule: 16, rendition: dependent.name, message, at }];
}
