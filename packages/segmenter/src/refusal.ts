import { MediaError, pidText, type Demuxer, type Packetizer } from '@hls-uplink/mpegts';

/** What came while no segment was open. */
export interface Came {
  packets: number;
  /** PES of the track that is to cut, and those of them whose time is known. */
  units: number;
  timed: number;
}

/** Why no segment came of an input that is over. */
export function nothingCame({ packets, skippedBytes }: Packetizer, demuxer: Demuxer, came: Came): MediaError {
  if (packets === 0 && skippedBytes === 0) return new MediaError('empty', 'the input is empty');
  return nothingStarts(demuxer, came);
}

/** Which condition for the start of a segment is missing: the first of them. */
export function nothingStarts(
  { program, isScrambled, tables: { wanted, programs } }: Demuxer,
  { packets, units, timed }: Came,
): MediaError {
  if (packets === 0) return new MediaError('no-sync', 'the input is no transport stream: it has no packets');
  if (!program) return noProgram(wanted, programs);
  const { reference } = program;
  const name = `${reference.kind} PID ${pidText(reference.pid)}`;
  if (isScrambled && reference.scrambledRow > 0)
    return new MediaError('scrambled', `${name} is scrambled: descramble the stream before`);
  if (units === 0)
    return new MediaError(
      'no-media',
      `program ${program.pmt.programNumber} names ${name} to cut by, but nothing of it arrives`,
    );
  if (timed === 0)
    return new MediaError('no-timestamps', `${name} comes without a PTS that could be believed`);
  return new MediaError(
    'no-key-picture',
    'no picture that a player could start at (IDR, recovery point, sequence header): encode with a keyframe interval',
  );
}

function noProgram(wanted: number | undefined, listed: Demuxer['tables']['programs']): MediaError {
  const numbers = listed.map(({ programNumber }) => programNumber);
  if (numbers.length === 0) return new MediaError('no-tables', 'the input has packets, but no PAT');
  if (wanted !== undefined)
    return new MediaError(
      'no-program',
      numbers.includes(wanted)
        ? `program ${wanted} is in the PAT, but its PMT never came`
        : `the input has no program ${wanted}, its PAT lists ${numbers.join(', ')}`,
    );
  return listed.some(({ pmt }) => pmt)
    ? new MediaError('no-media', 'no PMT names video or audio')
    : new MediaError('no-tables', `the PAT lists ${numbers.join(', ')}, but no PMT of them comes`);
}
