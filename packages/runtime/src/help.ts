import { createRequire } from 'node:module';
import type Yargs from 'yargs';
import type { Option } from './option.js';

export interface HelpText {
  /** The command's name. */
  name: string;
  /** What follows the name, and what the command does: `[options] INPUT\n\nCuts …`. */
  usage: string;
  /** Command lines without the command's name, each with what it does. */
  examples?: readonly (readonly [string, string])[];
  epilogue?: string;
}

/** Narrower, the names of variables would not fit beside the flags; wider, nobody likes to read. */
const LEAST_COLUMNS = 72;
const MOST_COLUMNS = 110;
const COLUMNS_OFF_A_TERMINAL = 80;

/** How wide a text may be where it is printed. */
function columnsOf({ columns = COLUMNS_OFF_A_TERMINAL }: { columns?: number }): number {
  return Math.min(Math.max(columns, LEAST_COLUMNS), MOST_COLUMNS);
}

/**
 * The text of `--help`, for a terminal of so many columns. yargs lays it out, and is loaded for nothing else: it costs
 * 9 MB that daemons would keep.
 */
export async function helpText(
  text: HelpText,
  options: readonly Option[],
  columns = columnsOf(process.stdout),
): Promise<string> {
  // Its ES module breaks lines in the middle of words.
  const yargs = createRequire(import.meta.url)('yargs') as typeof Yargs;
  const help = yargs([])
    .scriptName(text.name)
    .exitProcess(false)
    .locale('en')
    .help(false)
    .version(false)
    .wrap(columns);
  for (const option of options) {
    if (option.secret || option.kind === 'structure') continue;
    help.option(option.flag, {
      description: `${option.description} [${option.variable}]`,
      ...(option.kind === 'list' || option.kind === 'map'
        ? { array: true }
        : { type: option.kind === 'string' ? 'string' : option.kind }),
      ...(option.default === undefined ? {} : { default: option.default }),
    });
  }
  help.option('config', { type: 'string', description: 'YAML file with the same names as the options' });
  help.option('help', { alias: 'h', type: 'boolean', description: 'Show this text' });
  help.option('version', { type: 'boolean', description: 'Show the version' });
  for (const [command, does] of text.examples ?? []) help.example(`$0 ${command}`, does);
  return [
    wrapped(`Usage: ${text.name} ${text.usage}`, columns),
    (await help.getHelp()).trim(),
    ...[...fileOnly(options), ...(text.epilogue ? [text.epilogue] : [])].map((part) =>
      wrapped(part, columns),
    ),
  ].join('\n\n');
}

/** Breaks the lines that are too long between words; what goes over begins where the last column of its line does. */
function wrapped(text: string, columns: number): string {
  return text
    .split('\n')
    .flatMap((line) => wrappedLine(line, columns))
    .join('\n');
}

function wrappedLine(line: string, columns: number): string[] {
  const column = /^\s*(?:\S.*?\s{2,}(?=\S))?/.exec(line)?.[0].length ?? 0;
  const indent = ' '.repeat(Math.min(column, columns >> 1));
  const lines: string[] = [];
  let rest = line;
  while (rest.length > columns) {
    const last = rest.lastIndexOf(' ', columns);
    // A word that fits into no line stands in one of its own.
    const space = last > column ? last : rest.indexOf(' ', columns);
    if (space < 0) break;
    lines.push(rest.slice(0, space).trimEnd());
    rest = indent + rest.slice(space).trimStart();
  }
  return [...lines, rest];
}

function fileOnly(options: readonly Option[]): string[] {
  const secrets = options.filter((option) => option.secret);
  const structures = options.filter((option) => option.kind === 'structure' && !option.secret);
  const list = (title: string, lines: string[]): string[] =>
    lines.length === 0 ? [] : [[title, ...lines.map((line) => `  ${line}`)].join('\n')];
  return [
    ...list(
      'Secrets, from the environment or the configuration file only:',
      secrets.map(({ flag, variable, description }) => `${flag} [${variable}]  ${description}`),
    ),
    ...list(
      'In the configuration file only:',
      structures.map(({ flag, description }) => `${flag}  ${description}`),
    ),
  ];
}
