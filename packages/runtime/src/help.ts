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

/** The text of `--help`. yargs lays it out, and is loaded for nothing else: it costs 9 MB that daemons would keep. */
export async function helpText(text: HelpText, options: readonly Option[]): Promise<string> {
  const { default: yargs } = await import('yargs');
  const help = yargs([])
    .scriptName(text.name)
    .usage(`Usage: $0 ${text.usage}`)
    .exitProcess(false)
    .locale('en')
    .help(false)
    .version(false)
    .wrap(100);
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
  help.epilogue([...fileOnly(options), ...(text.epilogue ? [text.epilogue] : [])].join('\n\n'));
  return help.getHelp();
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
