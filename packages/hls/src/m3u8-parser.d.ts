/** What the tests use of it; the package has no types of its own. */
declare module 'm3u8-parser' {
  export interface Segment {
    uri: string;
    duration: number;
    dateTimeString?: string;
    dateTimeObject?: Date;
    discontinuity?: boolean;
    key?: { method: string; uri: string; iv: Uint32Array };
  }

  export interface Playlist {
    uri: string;
    attributes: Record<string, unknown>;
  }

  export interface Manifest {
    version?: number;
    targetDuration?: number;
    mediaSequence?: number;
    discontinuitySequence?: number;
    playlistType?: string;
    independentSegments?: boolean;
    endList?: boolean;
    segments: Segment[];
    playlists?: Playlist[];
  }

  export class Parser {
    manifest: Manifest;
    on(event: 'warn' | 'info', listener: (event: { message: string }) => void): void;
    push(text: string): void;
    end(): void;
  }
}
