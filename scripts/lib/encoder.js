import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The input cannot be shown; one line for the operator. */
export class InputError extends Error {}

/** Small enough for real time on two cores beside a player. */
export const RENDITIONS = [
  { name: 'low', width: 320, height: 180, kbits: 250 },
  { name: 'mid', width: 480, height: 270, kbits: 600 },
  { name: 'high', width: 640, height: 360, kbits: 1200 },
];

const FRAME_RATE = 25;
const GOP_SECONDS = 2;
const PROBE_TIMEOUT_MS = 20_000;
/** A picture from sound, for inputs without one. */
const WAVES = `showwaves=s=640x360:r=${FRAME_RATE}:mode=cline:colors=white,format=yuv420p`;
const SILENCE = ['-f', 'lavfi', '-i', 'anullsrc=r=48000:cl=stereo'];

/** What ffmpeg is to read: the moving test picture with a tone. */
export const testPicture = {
  description: "ffmpeg's test picture",
  inputs: [
    '-re',
    '-f',
    'lavfi',
    '-i',
    `testsrc2=size=640x360:rate=${FRAME_RATE}[out0];sine=frequency=440:beep_factor=4:sample_rate=48000[out1]`,
  ],
  picture: '[0:v]',
  sound: '0:a',
  clock: true,
};

/**
 * What ffmpeg is to read: any file or address, asked first what it has. A file, or what else has a length, is read in
 * real time; what is live sets its own pace.
 * @throws InputError
 */
export async function describeInput(address) {
  const name = address.replace(/^file:/, '');
  let facts;
  try {
    const args = ['-v', 'error', '-print_format', 'json', '-show_format', '-show_streams', address];
    facts = JSON.parse(
      (await run('ffprobe', args, { timeout: PROBE_TIMEOUT_MS, maxBuffer: 2 ** 26 })).stdout,
    );
  } catch (error) {
    const said = String(error.stderr ?? '')
      .trim()
      .split('\n')
      .at(-1)
      .replace(`${address}: `, '');
    const why = error.killed ? `nothing came within ${PROBE_TIMEOUT_MS / 1000} s` : said || error.message;
    throw new InputError(`ffmpeg cannot read ${name}: ${why}`, { cause: error });
  }
  const streams = facts.streams ?? [];
  const hasPicture = streams.some((s) => s.codec_type === 'video' && !s.disposition?.attached_pic);
  const hasSound = streams.some((s) => s.codec_type === 'audio');
  if (!hasPicture && !hasSound) throw new InputError(`${name} has neither picture nor sound`);
  const pace = Number(facts.format?.duration) > 0 ? ['-re'] : [];
  return {
    description: name,
    inputs: [...pace, '-i', address, ...(hasSound ? [] : [...pace, ...SILENCE])],
    picture: hasPicture ? '[0:v:0]' : '[0:a:0]',
    fromSound: !hasPicture,
    sound: hasSound ? '0:a:0' : '1:a',
    clock: false,
  };
}

/** Whether this ffmpeg can write text into the picture: not each build has drawtext, and it wants a font. */
export async function canDrawText() {
  const source = 'color=size=64x64:rate=1,drawtext=text=x';
  return run('ffmpeg', [
    '-v',
    'error',
    '-f',
    'lavfi',
    '-i',
    source,
    '-frames:v',
    '1',
    '-f',
    'null',
    '-',
  ]).then(
    () => true,
    () => false,
  );
}

/**
 * One ffmpeg, one output for each rendition, with everything equal that decides where key pictures and sound frames
 * lie: so the segmenters, which do not know of each other, cut at the same instants.
 * @param outputs file name (a FIFO) of each rendition, by its name
 */
export function encoderArguments(input, { outputs, drawText }) {
  const labels = RENDITIONS.map(({ name }) => `[${name}-in]`).join('');
  const source = [
    input.fromSound ? WAVES : 'yadif=deint=interlaced',
    `fps=${FRAME_RATE}`,
    `split=${RENDITIONS.length}`,
  ];
  const graph = [
    `${input.picture}${source.join(',')}${labels}`,
    ...RENDITIONS.map(
      (rendition) => `[${rendition.name}-in]${filters(rendition, input, drawText)}[${rendition.name}]`,
    ),
  ];
  return [
    ...['-nostdin', '-hide_banner', '-loglevel', 'warning', '-nostats', '-progress', 'pipe:1', '-y'],
    ...input.inputs,
    ...['-filter_complex', graph.join(';')],
    ...RENDITIONS.flatMap(({ name, kbits }) => [
      ...['-map', `[${name}]`, '-map', input.sound, '-shortest'],
      ...['-c:v', 'libx264', '-preset', 'veryfast', '-profile:v', 'main', '-pix_fmt', 'yuv420p'],
      ...['-b:v', `${kbits}k`, '-maxrate', `${kbits}k`, '-bufsize', `${2 * kbits}k`],
      ...[
        '-r',
        `${FRAME_RATE}`,
        '-g',
        `${FRAME_RATE * GOP_SECONDS}`,
        '-keyint_min',
        `${FRAME_RATE * GOP_SECONDS}`,
      ],
      ...['-sc_threshold', '0', '-bf', '2'],
      ...['-c:a', 'aac', '-b:a', '96k', '-ar', '48000', '-ac', '2'],
      ...['-f', 'mpegts', '-muxdelay', '0.7', '-pes_payload_size', '0', '-flush_packets', '1'],
      outputs[name],
    ]),
  ];
}

function filters({ name, width, height }, input, drawText) {
  const fit = `scale=w=${width}:h=${height}:force_original_aspect_ratio=decrease:force_divisible_by=2,setsar=1`;
  if (!drawText) return fit;
  const look = 'fontcolor=white:box=1:boxcolor=black@0.6:boxborderw=4';
  const label = `drawtext=text='${name}':fontsize=h/12:x=w-tw-8:y=h-th-8:${look}`;
  const clock = `drawtext=text='%{localtime\\:%T}':fontsize=h/6:x=(w-tw)/2:y=(h-th)/2:${look}`;
  return [fit, label, ...(input.clock ? [clock] : [])].join(',');
}
