import { MediaError, type Demuxer, type Packetizer } from '@hls-uplink/mpegts';
import type { ListedProgram } from './program-remarks.js';

/** Why no segment came of an input that is over. */
export function nothingCame(
  { packets, skippedBytes }: Packetizer,
  { program, tables: { wanted, programs } }: Demuxer,
): MediaError {
  if (packets === 0 && skippedBytes === 0) return new MediaError('empty', 'the input is empty');
  if (packets === 0) return new MediaError('no-sync', 'the input is no transport stream: it has no packets');
  if (!program) return noProgram(wanted, programs);
  if (program.reference.units === 0)
    return new MediaError('no-media', 'the program names a track to cut by, but nothing of it arrived');
  return new MediaError(
    'no-key-picture',
    'no picture that a player could start at (IDR, recovery point, sequence header): encode with a keyframe interval',
  );
}

function noProgram(wanted: number | undefined, listed: readonly ListedProgram[]): MediaError {
  const numbers = listed.map(({ programNumber }) => programNumber);
  if (wanted === undefined || numbers.length === 0)
    return new MediaError('no-tables', 'the input has packets, but no PAT and PMT that lead to a program');
  return new MediaError(
    'no-program',
    numbers.includes(wanted)
      ? `program ${wanted} is in the PAT, but its PMT never came`
      : `the input has no program ${wanted}, its PAT lists ${numbers.join(', ')}`,
  );
}
