import { afterEach, describe, expect, test } from '@jest/globals';
import { ManualClock } from '@hls-uplink/runtime';
import { channelLogic } from './channel-logic.js';
import type { SourceLink } from './source-link.js';
import { FakeStore } from './fake-store.test.helper.js';
import { segmentIn, session } from './peer.test.helper.js';
import { until } from './until.test.helper.js';
import { startUploader, type TestUploader } from './uploader.test.helper.js';

describe('a live channel whose source is gone when the uploader starts again', () => {
  let uploader: TestUploader;
  const store = new FakeStore();
  const clock = new ManualClock(1e12);
  const playlist = (): string => store.objects.get('live/main.m3u8')?.text ?? '';
  const settled = (what: string, condition: () => boolean) =>
    until(what, () => {
      clock.advance(100);
      return condition();
    });

  afterEach(async () => {
    await uploader.stop();
    await uploader.remove();
  });

  /** As a new process on the same disk. */
  async function startAgain(settings: { awayTimeoutMs?: number }): Promise<void> {
    const { folder } = uploader;
    await uploader.stop();
    uploader = await startUploader({ logic: channelLogic, clock, store, settings, folder });
  }

  test('is opened to end after the away timeout, and forgotten then; without one it stays closed', async () => {
    const settings = { awayTimeoutMs: 60_000 };
    uploader = await startUploader({ logic: channelLogic, clock, store, settings });
    const found = uploader.channels.find('live');
    if (!found.ok) throw new Error(found.reason);
    const link: SourceLink = {
      facts: { rendition: 'main', source: 'one', session, target: 6 },
      tell: () => undefined,
      refuse: () => undefined,
    };
    await found.worker.open();
    await found.worker.attach(link);
    await found.worker.accept(await segmentIn(uploader.spool, 0));
    await settled('it to be published', () => uploader.journal.waiting(session) === 0 && playlist() !== '');
    await found.worker.detach(link);
    await until('it to be remembered', () => uploader.journal.live.has('live'));
    expect(uploader.journal.channels).toEqual([]);

    await startAgain({});
    expect(uploader.channels.get('live')).toBeUndefined();

    await startAgain(settings);
    const openedMs = clock.now();
    expect(playlist()).not.toContain('#EXT-X-ENDLIST');
    await settled('its end', () => playlist().includes('#EXT-X-ENDLIST'));
    expect(clock.now() - openedMs).toBeGreaterThanOrEqual(60_000);
    await until('it to be forgotten', () => !uploader.journal.live.has('live'));

    await startAgain(settings);
    expect(uploader.channels.get('live')).toBeUndefined();
  });
});
