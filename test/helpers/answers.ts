/** Exactly one final answer to every announcement (DESIGN.md), judged on a recording. */
import { idOf, isFinal, type Message, type Said } from './recording-proxy.js';

const ANNOUNCEMENTS = new Set(['segment', 'gap', 'leave', 'end']);

interface Announced {
  /** Connections on which it was accepted, on which `welcome` listed it, and on which its bytes were asked for. */
  accepted: Set<number>;
  welcomed: Set<number>;
  asked: Set<number>;
  /** Its bytes went over the wire, whole. */
  isThere: boolean;
  /** Kinds of all answers, also of those that were lost on the way. */
  kinds: Set<string>;
  /** A final answer got through since it was announced last. */
  isAnswered: boolean;
}

/** What was wrong, one line each; nothing when every announcement has its one final answer. */
export function judgeAnswers(record: readonly Said[]): string[] {
  const faults: string[] = [];
  const announced = new Map<string, Announced>();
  for (const said of record) {
    for (const path of said.missingFiles) faults.push(`${path} was gone before its answer`);
    if (said.from === 'segmenter') announce(announced, said, faults);
    else hear(announced, said, faults);
  }
  for (const [id, { isAnswered }] of announced) if (!isAnswered) faults.push(`${id} was never answered`);
  return faults;
}

function announce(announced: Map<string, Announced>, said: Said, faults: string[]): void {
  const { message, connection, bodyBytes } = said;
  const known = announced.get(idOf(message));
  if (message.type === 'body') {
    if (!known?.asked.has(connection))
      faults.push(`${idOf(message)}: bytes that were not asked for on that connection`);
    if (known && bodyBytes === message['bytes']) known.isThere = true;
  }
  if (!ANNOUNCEMENTS.has(message.type)) return;
  if (known?.welcomed.has(connection))
    faults.push(`${idOf(message)} was announced again, and welcome had listed it as accepted`);
  // A segment that became a gap has no bytes.
  if (known && message.type === 'gap') known.isThere = true;
  // Who announces again has not had the answer, whatever was on its way.
  if (known) known.isAnswered = false;
  else {
    announced.set(idOf(message), {
      accepted: new Set(),
      welcomed: new Set(),
      asked: new Set(),
      isThere: false,
      kinds: new Set(),
      isAnswered: false,
    });
  }
}

function hear(
  announced: Map<string, Announced>,
  { message, connection, delivered }: Said,
  faults: string[],
): void {
  const id = idOf(message);
  if (message.type === 'welcome' && delivered) {
    settle(announced, message);
    for (const index of (message['accepted'] ?? []) as number[])
      announced.get(`${message.session} ${index}`)?.welcomed.add(connection);
  }
  if (message.index === undefined) return;
  const about = announced.get(id);
  if (!about) {
    faults.push(`${id} is ${message.type}, and was never announced`);
    return;
  }
  if (message.type === 'send') once(about.asked, connection, `${id}: its bytes were asked for`, faults);
  if (message.type === 'accepted') {
    once(about.accepted, connection, `${id} was accepted`, faults);
    if (about.isAnswered) faults.push(`${id} was accepted after its final answer`);
    if (about.asked.has(connection) && !about.isThere)
      faults.push(`${id} was accepted before the bytes that were asked for had come`);
  }
  if (!isFinal(message)) return;
  about.kinds.add(message.type);
  if (about.kinds.size > 1) faults.push(`${id} had different answers: ${[...about.kinds].join(', ')}`);
  if (!delivered) return;
  if (about.isAnswered) faults.push(`${id} was answered twice`);
  about.isAnswered = true;
}

/** `welcome` answers everything up to `settled`. */
function settle(announced: Map<string, Announced>, { session, settled }: Message): void {
  for (let index = Number(settled ?? -1); index >= 0; index--) {
    const about = announced.get(`${session} ${index}`);
    if (about) about.isAnswered = true;
  }
}

function once(connections: Set<number>, connection: number, what: string, faults: string[]): void {
  if (connections.has(connection)) faults.push(`${what} twice on one connection`);
  connections.add(connection);
}
