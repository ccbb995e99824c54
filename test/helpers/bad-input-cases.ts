/** Mistakes that end a command at once, with what it must say. The test makes the files that they name. */
export type Command = 'hls-segmenter' | 'live_upload' | 'hls-uploader';

export interface BadInput {
  what: string;
  command: Command;
  /** `PORT` is one that is taken, `/FOLDER` the working directory. */
  args: string;
  code: 1 | 2;
  /** The object, and the remedy. */
  says: [RegExp, RegExp];
}

export const BAD_INPUT: readonly BadInput[] = [
  {
    what: 'an empty file',
    command: 'hls-segmenter',
    args: 'empty.ts',
    code: 1,
    says: [/empty\.ts.* empty/, /see whether the encoder/],
  },
  {
    what: 'a text file',
    command: 'hls-segmenter',
    args: 'notes.txt',
    code: 1,
    says: [/notes\.txt.*no transport stream/, /give an MPEG transport stream/],
  },
  {
    what: 'a JPEG',
    command: 'hls-segmenter',
    args: 'picture.jpg',
    code: 1,
    says: [/picture\.jpg.*no transport stream/, /give an MPEG transport stream/],
  },
  {
    what: 'a directory',
    command: 'hls-segmenter',
    args: '.',
    code: 2,
    says: [/input \. is a directory/, /name an MPEG-TS file/],
  },
  {
    what: 'a missing file',
    command: 'hls-segmenter',
    args: 'missing.ts',
    code: 2,
    says: [/no input missing\.ts/, /check the path/],
  },
  {
    what: 'nothing on stdin',
    command: 'hls-segmenter',
    args: '-',
    code: 1,
    says: [/stdin.* empty/, /see whether the encoder/],
  },
  {
    what: 'a read-only spool',
    command: 'hls-segmenter',
    args: '--spool read-only clip.ts',
    code: 2,
    says: [/spool folder .*read-only\/live\/main.*read-only file system/, /give another folder with --spool/],
  },
  {
    what: 'a file in the place of the spool',
    command: 'hls-segmenter',
    args: '--spool notes.txt clip.ts',
    code: 2,
    says: [/spool folder .*notes\.txt/, /give another folder with --spool/],
  },
  {
    what: 'an unknown option of the segmenter',
    command: 'hls-segmenter',
    args: '--chanel news clip.ts',
    code: 2,
    says: [/--chanel/, /did you mean --channel\?/],
  },
  {
    what: 'an address that is none',
    command: 'hls-segmenter',
    args: '--uploader nowhere clip.ts',
    code: 2,
    says: [/--uploader "nowhere"/, /expected: HOST:/],
  },
  {
    what: 'a segment duration of the original that is no number',
    command: 'live_upload',
    args: '- soon ./spool sample index128.m3u8 http://cdn/ bucket stream',
    code: 2,
    says: [/segment duration "soon"/, /not a number/],
  },
  {
    what: 'too few of the original’s arguments',
    command: 'live_upload',
    args: '- 10 ./spool',
    code: 2,
    says: [/argument/, /--help shows the usage/],
  },
  {
    what: 'an unknown option of the uploader',
    command: 'hls-uploader',
    args: '--stores file:///srv/live',
    code: 2,
    says: [/--stores/, /did you mean --store\?/],
  },
  {
    what: 'an unknown name in the configuration file',
    command: 'hls-uploader',
    args: '--config unknown-name.yaml',
    code: 2,
    says: [/stroe in the file unknown-name\.yaml/, /--help lists the names|did you mean/],
  },
  {
    what: 'a configuration file that is no YAML',
    command: 'hls-uploader',
    args: '--config no-yaml.yaml',
    code: 2,
    says: [/configuration file no-yaml\.yaml/, /give --config a YAML file/],
  },
  {
    what: 'a configuration file that is missing',
    command: 'hls-uploader',
    args: '--config missing.yaml',
    code: 2,
    says: [/configuration file missing\.yaml.*no such file/, /give --config a YAML file/],
  },
  {
    what: 'a store that is no URL',
    command: 'hls-uploader',
    args: '--store /srv/live',
    code: 2,
    says: [/store/i, /must be a URL: file:\/\/\//],
  },
  {
    what: 'a kind of store that is not there',
    command: 'hls-uploader',
    args: '--store gopher://host/live',
    code: 2,
    says: [/gopher:\/\/host\/live/, /supported are file:/],
  },
  {
    what: 'credentials in the URL of a store',
    command: 'hls-uploader',
    args: '--store s3://someone:hush@bucket/live',
    code: 2,
    says: [/s3:\/\/bucket\/live/, /AWS_SECRET_ACCESS_KEY/],
  },
  {
    what: 'a journal on a read-only disk',
    command: 'hls-uploader',
    args: '--journal read-only/journal',
    code: 2,
    says: [/journal folder .*read-only\/journal.*read-only file system/, /give --journal a folder/],
  },
  {
    what: 'a file in the place of the journal',
    command: 'hls-uploader',
    args: '--journal notes.txt',
    code: 2,
    says: [/journal folder .*notes\.txt/, /give --journal a folder/],
  },
  {
    what: 'the segmenters’ port taken',
    command: 'hls-uploader',
    args: '--listen 127.0.0.1:PORT --http 127.0.0.1:0 --store file:///FOLDER/www --journal journal-1',
    code: 2,
    says: [/127\.0\.0\.1:PORT is taken/, /stop what listens there.* or give --listen another port/],
  },
  {
    what: 'the HTTP port taken',
    command: 'hls-uploader',
    args: '--listen 127.0.0.1:0 --http 127.0.0.1:PORT --store file:///FOLDER/www --journal journal-2',
    code: 2,
    says: [/127\.0\.0\.1:PORT is taken/, /stop what listens there.* or give --http another port/],
  },
  {
    what: 'an address of another machine',
    command: 'hls-uploader',
    args: '--listen 192.0.2.1:10234 --http 127.0.0.1:0 --store file:///FOLDER/www --journal journal-3',
    code: 2,
    says: [/192\.0\.2\.1:10234/, /give --listen an address of this machine/],
  },
  {
    what: 'the end of a channel asked of nobody',
    command: 'hls-uploader',
    args: 'end news --http 127.0.0.1:1',
    code: 2,
    says: [/127\.0\.0\.1:1/, /hls-uploader|--http/],
  },
];
