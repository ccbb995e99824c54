import type { FinalAnswer } from '@hls-uplink/protocol';
import { Audience, type StoredObjects } from './audience.js';
import { Encoder } from './encoder.js';
import type { Scene, WorldOptions } from './scene.js';
import { Segmenter } from './segmenter.js';
import { random, Timetable } from './timetable.js';
import { Uploader } from './uploader.js';

/** One encoder or one for each rendition, a segmenter for each rendition, an uploader and a store, in simulated time. */
export class World implements Scene {
  readonly targetSeconds: number;
  readonly time = new Timetable();
  readonly random: () => number;
  private readonly encoders: ReadonlyMap<string, Encoder>;
  readonly segmenters: ReadonlyMap<string, Segmenter>;
  readonly uploader: Uploader = new Uploader(this);
  readonly store: StoredObjects = { segments: new Map(), keys: new Set(), texts: new Map() };
  readonly audience: Audience;
  readonly answers = new Map<string, FinalAnswer['type'][]>();
  readonly vanished = new Set<string>();
  readonly happened = {
    events: 0,
    wraps: 0,
    restarts: 0,
    outages: 0,
    sessions: 0,
    unwritten: 0,
    vanished: 0,
    encryptionSwitches: 0,
    bodies: 0,
    unasked: 0,
  };

  constructor(readonly options: WorldOptions) {
    this.random = random(options.seed);
    this.targetSeconds = options.targetSeconds ?? 6;
    const { spare, ownEncoders } = options;
    this.audience = new Audience(
      options.renditions,
      this.targetSeconds,
      this.store,
      () => this.now,
      ownEncoders !== undefined,
      spare,
    );
    const all = new Encoder(this);
    this.encoders = new Map(
      options.renditions.map((name) => [
        name,
        ownEncoders ? new Encoder(this, (one) => one === name, ownEncoders[name]) : all,
      ]),
    );
    const segmenters = options.renditions.map((rendition, i): [string, Segmenter] => [
      rendition,
      new Segmenter(this, rendition, (i + 1).toString(16).padStart(32, '0')),
    ]);
    if (spare) {
      const session = 'b'.padEnd(32, '0');
      segmenters.push([
        `${spare.of}~b`,
        new Segmenter(this, spare.of, session, 'spare', spare.encode === 'same' ? 0 : 1),
      ]);
    }
    this.segmenters = new Map(segmenters);
  }

  /** All of it running. */
  static live(renditions: string[], seed = 1, options: Partial<WorldOptions> = {}): World {
    const world = new World({ seed, renditions, declared: true, ...options });
    world.startUploader();
    for (const who of world.segmenters.keys()) world.startSegmenter(who);
    if (!options.ownEncoders) world.startEncoder();
    return world;
  }

  get now(): number {
    return this.time.now;
  }

  run(ms: number): void {
    this.time.run(ms);
  }

  /** Starts (again), on a new clock unless told to go on with the old one. */
  startEncoder(firstPts = this.options.firstPts ?? 133_200): void {
    for (const encoder of new Set(this.encoders.values())) encoder.start(firstPts);
  }

  encoderOf = (rendition: string): Encoder => this.encoders.get(rendition)!;

  /** The encoder of one rendition begins (again), on a new clock; its segmenters see the timestamps jump. */
  restartEncoder(rendition: string): void {
    for (const segmenter of this.segmenters.values()) if (segmenter.rendition === rendition) segmenter.jump();
    this.encoderOf(rendition).start(this.options.firstPts ?? 133_200);
  }

  /** A host's clock is set. */
  stepClock(rendition: string, ms: number): void {
    this.segmenter(rendition).wallOffMs += ms;
  }

  /** Its pictures stop; the segmenters' pipes end. */
  stopEncoder(end: 'leave' | 'end' = 'leave'): void {
    for (const encoder of this.encoders.values()) encoder.stop();
    for (const segmenter of this.segmenters.values()) segmenter.stop(end);
  }

  startSegmenter(rendition: string): void {
    this.segmenter(rendition).start();
  }

  killSegmenter(rendition: string): void {
    this.segmenter(rendition).kill();
  }

  loseSpool(rendition: string): void {
    this.segmenter(rendition).loseSpool();
  }

  fillDisk(rendition: string): void {
    this.segmenter(rendition).fillDisk();
  }

  stopSegmenter(rendition: string, how: 'leave' | 'end' = 'leave'): void {
    this.segmenter(rendition).stop(how);
  }

  cutLink(rendition: string): void {
    this.segmenter(rendition).cutLink();
  }

  mendLink(rendition: string): void {
    this.segmenter(rendition).mendLink();
  }

  startUploader(journal: 'kept' | 'empty' = 'kept'): void {
    this.uploader.start(journal);
  }

  switchEncryption(): void {
    this.uploader.switchEncryption();
  }

  killUploader(): void {
    this.uploader.kill();
  }

  setStore(up: boolean): void {
    this.uploader.setStore(up);
  }

  private segmenter(rendition: string): Segmenter {
    return this.segmenters.get(rendition)!;
  }
}
