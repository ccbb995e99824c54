import type { RefusedCode, UploaderMessage } from '@hls-uplink/protocol';
import type { SourceFacts } from './channel/event.js';
import type { ChannelWorker } from './channel-worker.js';
import type { SourceLink } from './source-link.js';

/** One legacy stream as the source of a rendition; it can be told nothing. */
export class LegacyFeed implements SourceLink {
  cancelSilence: () => void = () => undefined;

  constructor(
    readonly facts: SourceFacts,
    readonly worker: ChannelWorker,
  ) {}

  tell(_message: UploaderMessage): void {}

  refuse(_code: RefusedCode, _reason: string): void {}
}
