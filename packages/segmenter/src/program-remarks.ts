import { pidText, streamKind, streamLanguage, type Pmt, type WaitReason } from '@hls-uplink/mpegts';
import type { Logger } from '@hls-uplink/runtime';

/** For the operator, where a PAT lists more programs than the one that is segmented. */
export const TAKE_ANOTHER = '--program NUMBER takes another';

/** What the PAT lists, as far as it is known. */
export type ListedProgram = Readonly<{ programNumber: number; pmt: Pmt | undefined }>;

/** Tells the operator which program is segmented and which are not, and when there is none to take. */
export class ProgramRemarks {
  #chosen: number | undefined;

  constructor(private readonly logger: Logger) {}

  /** Once for each program taken. */
  chosen(pmt: Pmt, listed: readonly ListedProgram[]): void {
    if (pmt.programNumber === this.#chosen) return;
    this.#chosen = pmt.programNumber;
    const others = listed.filter(({ programNumber }) => programNumber !== pmt.programNumber);
    this.logger.info(`program ${pmt.programNumber} is segmented`, {
      tracks: tracksText(pmt),
      ...(others.length > 0 && {
        others: others.map(programText).join('; '),
        remedy: TAKE_ANOTHER,
      }),
    });
  }

  changed(pmt: Pmt): void {
    this.logger.info('the tables of the program have changed', {
      program: pmt.programNumber,
      tracks: tracksText(pmt),
    });
  }

  waiting(reason: WaitReason, wanted: number | undefined, listed: readonly ListedProgram[]): void {
    if (reason === 'no-media') {
      const programs = listed.map(programText).join('; ');
      this.logger.warn('no program to take names video or audio; waiting for one that does', { programs });
    } else if (reason === 'unsupported-video') {
      this.logger.warn(
        `the video of program ${this.#chosen} is now of a kind that is not supported; waiting for it to change`,
        { programs: listed.map(programText).join('; '), remedy: 'encode the picture as H.264' },
      );
    } else {
      this.logger.warn(`program ${wanted ?? this.#chosen} is not in the PAT; waiting for it`, {
        programs: listed.map(({ programNumber }) => programNumber).join(', '),
        ...(wanted !== undefined && { remedy: '--program NUMBER with one of these, or without --program' }),
      });
    }
  }
}

function programText({ programNumber, pmt }: ListedProgram): string {
  return pmt ? `${programNumber} (${tracksText(pmt)})` : `${programNumber} (its PMT has not come)`;
}

function tracksText(pmt: Pmt): string {
  const tracks = pmt.streams.map((stream) => {
    const language = streamLanguage(stream);
    return `${streamKind(stream, pmt).name} ${pidText(stream.pid)}${language === undefined ? '' : ` ${language}`}`;
  });
  return tracks.join(', ') || 'no tracks';
}
