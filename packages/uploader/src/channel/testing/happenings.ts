import type { World } from './world.js';

/** What befalls one segmenter, its link, all of them, the encoder, the uploader or the store. */
export function happenTo(world: World, what: string, name: string): void {
  switch (what) {
    case 'kill':
      return world.killSegmenter(name);
    case 'leave':
      return world.stopSegmenter(name);
    case 'start':
      return world.startSegmenter(name);
    case 'link-cut':
      return world.cutLink(name);
    case 'link-mended':
      return world.mendLink(name);
    case 'uploader-killed':
      return world.killUploader();
    case 'uploader-emptied':
      world.killUploader();
      return world.startUploader('empty');
    case 'store-down':
      return world.setStore(false);
    case 'store-up':
      return world.setStore(true);
    case 'uploader-started':
      return world.startUploader();
    case 'encryption-switched':
      return world.switchEncryption();
    case 'spool-lost':
      world.loseSpool(name);
      return world.startSegmenter(name);
    case 'disk-full':
      return world.fillDisk(name);
    case 'all-killed':
      for (const one of world.segmenters.keys()) world.killSegmenter(one);
      return;
    case 'encoder-again':
    case 'end':
      world.stopEncoder(what === 'end' ? 'end' : 'leave');
      for (const one of world.segmenters.keys()) world.startSegmenter(one);
      return world.startEncoder();
    default:
      throw new Error(`nothing known happens by the name of ${what}`);
  }
}

/** What happens, to whom, and how long after it nothing else does. */
export interface Mishap {
  what: string;
  name: string;
  ms: number;
}

/** One after the other, of those whose segmenter is there; then all is well again for so long that everything is caught up with. */
export function suffer(world: World, mishaps: readonly Mishap[]): void {
  for (const { what, name, ms } of mishaps) {
    if (world.segmenters.has(name)) happenTo(world, what, name);
    // Clocks begun within one target duration of each other can't be told apart (DESIGN.md, "Clocks and epochs").
    world.run(['encoder-again', 'end'].includes(what) ? ms + 7_000 : ms);
  }
  heal(world);
  world.run(90_000);
}

/** All is well again. */
export function heal(world: World): void {
  world.setStore(true);
  world.startUploader();
  for (const name of world.segmenters.keys()) {
    world.mendLink(name);
    world.startSegmenter(name);
  }
}
