import { describe, expect, test } from '@jest/globals';
import { judgeAnswers } from './answers.js';
import type { Said } from './recording-proxy.js';

/**
 * `1 > segment 0`: connection 1, from the segmenter; `!` before it: lost on the way. `half` is a body of which half came,
 * `listing` a welcome that lists one as accepted.
 */
function recording(...lines: string[]): Said[] {
  return lines.map((line) => {
    const [, lost, connection, direction, type = '', index] =
      /^(!?)(\d) ([<>]) (\w+)(?: (\d+))?$/.exec(line) ?? [];
    return {
      connection: Number(connection),
      from: direction === '>' ? ('segmenter' as const) : ('uploader' as const),
      message: { session: 's', ...messageOf(type, index) },
      delivered: lost === '',
      bodyBytes: { body: BODY_BYTES, half: BODY_BYTES / 2 }[type] ?? 0,
      missingFiles: [],
    };
  });
}

const BODY_BYTES = 4;

function messageOf(type: string, index: string | undefined): Said['message'] {
  if (index === undefined) return { type };
  if (type === 'welcome') return { type, settled: +index };
  if (type === 'listing') return { type: 'welcome', accepted: [+index] };
  if (type === 'body' || type === 'half') return { type: 'body', index: +index, bytes: BODY_BYTES };
  return { type, index: +index };
}

const start = ['0 > hello', '0 < welcome', '0 > segment 0'];

describe('good', () => {
  test.each<[string, string[]]>([
    ['one answer', [...start, '0 < accepted 0', '0 < published 0', '0 > leave 1', '0 < published 1']],
    ['an answer that was lost, and repeated', [...start, '!0 < published 0', '1 > hello', '1 < published 0']],
    ['an answer that was lost, and settled', [...start, '!0 < published 0', '1 > hello', '1 < welcome 0']],
    [
      'announced again by who had not heard the answer',
      [...start, '0 < published 0', '1 > segment 0', '1 < published 0'],
    ],
    [
      'bytes asked for again on another connection',
      [...start, '0 < send 0', '0 > body 0', '1 > segment 0', '1 < send 0', '1 > body 0', '1 < dropped 0'],
    ],
    [
      'accepted when the bytes have come',
      [...start, '0 < send 0', '0 > body 0', '0 < accepted 0', '0 < published 0'],
    ],
    [
      'a segment that became a gap while its bytes were awaited',
      [...start, '0 < send 0', '0 > gap 0', '0 < accepted 0', '0 < published 0'],
    ],
    ['not announced again, as accepted before', [...start, '1 > hello', '1 < listing 0', '1 < published 0']],
  ])('%s', (_what, lines) => expect(judgeAnswers(recording(...lines))).toEqual([]));
});

describe('faults', () => {
  test.each<[string, string[], string]>([
    ['no answer', start, 's 0 was never answered'],
    ['only a lost one', [...start, '!0 < published 0'], 's 0 was never answered'],
    ['announced again, and no answer', [...start, '0 < published 0', '1 > segment 0'], 'never answered'],
    ['two answers', [...start, '0 < published 0', '0 < published 0'], 'answered twice'],
    ['one more on another connection', [...start, '0 < published 0', '1 < published 0'], 'answered twice'],
    [
      'another answer',
      [...start, '!0 < dropped 0', '1 < published 0'],
      'different answers: dropped, published',
    ],
    [
      'an answer to nothing',
      [...start, '0 < published 0', '0 < published 7'],
      's 7 is published, and was never',
    ],
    ['accepted late', [...start, '0 < published 0', '0 < accepted 0'], 'accepted after its final answer'],
    [
      'accepted twice',
      [...start, '0 < accepted 0', '0 < accepted 0', '0 < published 0'],
      'accepted twice on one connection',
    ],
    ['unasked bytes', [...start, '0 < send 0', '1 > body 0', '1 < published 0'], 'not asked for'],
    [
      'asked twice',
      [...start, '0 < send 0', '0 < send 0', '0 > body 0', '0 < published 0'],
      'asked for twice on one connection',
    ],
    [
      'accepted before the bytes',
      [...start, '0 < send 0', '0 > half 0', '0 < accepted 0', '0 < published 0'],
      'accepted before the bytes that were asked for had come',
    ],
    [
      'announced again in vain',
      [...start, '1 > hello', '1 < listing 0', '1 > segment 0', '1 < published 0'],
      'announced again, and welcome had listed it',
    ],
  ])('%s', (_what, lines, fault) => {
    expect(judgeAnswers(recording(...lines))).toEqual([expect.stringContaining(fault)]);
  });

  test('a file that went before its answer', () => {
    const record = recording(...start, '0 < published 0');
    record.at(-1)!.missingFiles = ['/spool/0.ts'];
    expect(judgeAnswers(record)).toEqual(['/spool/0.ts was gone before its answer']);
  });
});
