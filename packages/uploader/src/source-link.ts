import type { RefusedCode, UploaderMessage } from '@hls-uplink/protocol';
import type { SourceFacts } from './channel/event.js';

/** A connected source, as the worker sees it. */
export interface SourceLink {
  readonly facts: SourceFacts;
  tell(message: UploaderMessage): void;
  /** The connection ends; the source may come again. */
  refuse(code: RefusedCode, reason: string): void;
}
