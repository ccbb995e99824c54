import type { World } from './world.js';

/** What befalls one segmenter, its link, the uploader or the store. */
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
    default:
      throw new Error(`nothing known happens by the name of ${what}`);
  }
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
