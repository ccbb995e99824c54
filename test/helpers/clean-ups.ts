/** What a test took and gives back when it is over, passed or not: the last first. */
import { afterEach } from '@jest/globals';

export const cleanUps: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});
