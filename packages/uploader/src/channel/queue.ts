import type { SegmentId } from '@hls-uplink/protocol';
import type { Item } from './state.js';

/**
 * What is accepted and not listed yet, in the order of the timeline; never changed, replaced by another. A class, so that
 * immer takes it as one value: of an array it drafts every element when the first is taken out, and in an outage of the
 * store thousands wait here. Nothing of a draft may come in.
 */
export class Queue {
  static readonly empty = new Queue([]);

  private constructor(readonly items: readonly Item[]) {}

  get length(): number {
    return this.items.length;
  }

  get first(): Item | undefined {
    return this.items[0];
  }

  get last(): Item | undefined {
    return this.items.at(-1);
  }

  find(id: SegmentId): Item | undefined {
    return this.items[indexIn(this.items, id)];
  }

  /** With one more, after all that begin no later. */
  with(item: Item): Queue {
    const before = this.items.findLastIndex(
      (other) => other.epoch < item.epoch || (other.epoch === item.epoch && other.start <= item.start),
    );
    return new Queue(this.items.toSpliced(before + 1, 0, Object.freeze(item)));
  }

  /** The same when it is not there. */
  without(id: SegmentId): Queue {
    const at = indexIn(this.items, id);
    return at === -1 ? this : new Queue(this.items.toSpliced(at, 1));
  }

  /** With this one in place of that of the same id. @throws RangeError when there is none */
  replaced(item: Item): Queue {
    const at = indexIn(this.items, item.id);
    if (at === -1) throw new RangeError(`segment ${item.id.index} of ${item.id.session} is not queued`);
    return new Queue(this.items.with(at, Object.freeze(item)));
  }

  map(change: (item: Item) => Item): Queue {
    return new Queue(this.items.map((item) => Object.freeze(change(item))));
  }
}

function indexIn(items: readonly Item[], { session, index }: SegmentId): number {
  return items.findIndex(({ id }) => id.index === index && id.session === session);
}
