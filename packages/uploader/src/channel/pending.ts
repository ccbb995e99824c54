import type { IndexRun } from './event.js';
import { isOvertaken, isSettled } from './source.js';
import type { ChannelState, Item, RenditionState, SourceState } from './state.js';

/** Its final answer has gone out, be it still in the queue. */
export function isAnswered(source: SourceState, rendition: RenditionState, index: number): boolean {
  const { session } = source.facts;
  return isSettled(source, index) || rendition.queue.find({ session, index })?.answered === true;
}

/** It is known, and its final answer is yet to come. */
export function isPending(source: SourceState, rendition: RenditionState, index: number): boolean {
  const { session } = source.facts;
  return (
    source.farewells.some((farewell) => farewell.index === index) ||
    rendition.spares.some(({ announcement: one }) => one.index === index && one.session === session) ||
    rendition.queue.find({ session, index }) !== undefined ||
    rendition.arrears.find({ session, index }) !== undefined ||
    rendition.entries.some(({ id }) => id?.index === index && id.session === session)
  );
}

/**
 * All before it have had their final answer, as far as it must wait for that: what was overtaken and is not known of had it from an
 * uploader that could not note it any more, or is announced again and has it then.
 */
export function isFirstOpen(source: SourceState, rendition: RenditionState, index: number): boolean {
  for (let before = source.settled + 1; before < index; before++) {
    if (!isSettled(source, before) && !comesAgain(source, rendition, before)) return false;
  }
  return true;
}

/** Before this its source has announced what was overtaken by it, and will announce it again. */
export function hasOvertaken(state: ChannelState, rendition: RenditionState, { id }: Item): boolean {
  const source = state.sources[id.session];
  const isOpen = ([from, to]: IndexRun): boolean => {
    for (let index = from; index <= Math.min(to, id.index - 1); index++)
      if (comesAgain(source!, rendition, index)) return true;
    return false;
  };
  return source?.overtaken?.some(isOpen) === true;
}

/** It was overtaken, and this uploader has not heard it yet. */
const comesAgain = (source: SourceState, rendition: RenditionState, index: number): boolean =>
  isOvertaken(source, index) && !isPending(source, rendition, index);
