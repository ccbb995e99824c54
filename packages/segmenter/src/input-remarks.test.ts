import { expect, test } from '@jest/globals';
import { ManualClock, type LogFields, type Logger } from '@hls-uplink/runtime';
import { InputRemarks, type Damages } from './input-remarks.js';

const none: Damages = {
  skippedBytes: 0,
  resyncs: 0,
  transportErrors: 0,
  continuityErrors: 0,
  crcErrors: 0,
  badSections: 0,
  wildTimestamps: 0,
};

test('what is damaged is told when it comes, and then once a minute, as much as has come since', () => {
  const said: (LogFields | undefined)[] = [];
  const logger = { warn: (_: string, fields?: LogFields) => said.push(fields) } as unknown as Logger;
  const clock = new ManualClock();
  const remarks = new InputRemarks(logger, clock);
  remarks.damages(none);
  expect(said).toEqual([]);
  remarks.damages({ ...none, continuityErrors: 2, wildTimestamps: 1 });
  expect(said).toEqual([{ continuityErrors: 2, wildTimestamps: 1 }]);
  remarks.damages({ ...none, continuityErrors: 5, wildTimestamps: 1 });
  expect(said).toHaveLength(1);
  clock.advance(60_000);
  remarks.damages({ ...none, continuityErrors: 5, wildTimestamps: 1 });
  expect(said.slice(1)).toEqual([{ continuityErrors: 3 }]);
  clock.advance(60_000);
  remarks.damages({ ...none, continuityErrors: 5, wildTimestamps: 1 });
  expect(said).toHaveLength(2);
  // At the end what is new is told at once, so that what was told adds up.
  remarks.damages({ ...none, continuityErrors: 6, wildTimestamps: 1 });
  remarks.damages({ ...none, continuityErrors: 7, wildTimestamps: 1 });
  remarks.rest({ ...none, continuityErrors: 8, wildTimestamps: 1 });
  remarks.rest({ ...none, continuityErrors: 8, wildTimestamps: 1 });
  expect(said.slice(2)).toEqual([{ continuityErrors: 1 }, { continuityErrors: 2 }]);
});
