import { ConfigError } from './errors.js';
import { nearest } from './nearest.js';
import type { Option } from './option.js';

export interface Argv {
  /** By flag, the texts in the order given; `--no-x` is the text `false` of `x`. */
  flags: Map<string, string[]>;
  positionals: string[];
}

/** Flags that every command has beside those of its schema. */
export const COMMON_FLAGS = ['config', 'help', 'version'];

/**
 * Splits a command line as getopt_long does: `--name value`, `--name=value`, booleans also `--no-name`, `--` ends
 * the flags, `-` is an argument. A value may start with a dash.
 * @throws ConfigError `unknown-option` with the nearest name, `bad-option` when a value is missing
 */
export function parseArgv(argv: readonly string[], options: readonly Option[]): Argv {
  const byFlag = new Map(options.map((option) => [option.flag, option]));
  const flags = new Map<string, string[]>();
  const positionals: string[] = [];
  const give = (flag: string, text: string): void => void flags.set(flag, [...(flags.get(flag) ?? []), text]);

  for (let at = 0; at < argv.length; at++) {
    const argument = argv[at] ?? '';
    if (argument === '--') {
      positionals.push(...argv.slice(at + 1));
      break;
    }
    if (argument === '-' || !argument.startsWith('-')) {
      positionals.push(argument);
      continue;
    }
    if (argument === '-h' || argument === '--help') give('help', 'true');
    else if (argument === '--version') give('version', 'true');
    else {
      const [, flag = '', text] = /^--([^=]+)(?:=(.*))?$/s.exec(argument) ?? [];
      const option = byFlag.get(flag);
      const negated = flag.startsWith('no-') ? byFlag.get(flag.slice(3)) : undefined;
      if (negated?.kind === 'boolean' && !option && text === undefined) give(negated.flag, 'false');
      else if ((!option && flag !== 'config') || option?.secret) throw unknown(argument, option, options);
      else if (text !== undefined) give(flag, text);
      else if (option?.kind === 'boolean') give(flag, 'true');
      else {
        const next = argv[++at];
        if (next === undefined) throw new ConfigError('bad-option', `--${flag} needs a value`);
        give(flag, next);
      }
    }
  }
  return { flags, positionals };
}

function unknown(argument: string, secret: Option | undefined, options: readonly Option[]): ConfigError {
  const shown = argument.replace(/=.*/s, '');
  if (secret) {
    const where = `set ${secret.variable} in the environment, or ${secret.flag} in the configuration file`;
    return new ConfigError('unknown-option', `${shown} is a secret and no option: ${where}`);
  }
  const flags = options.filter((option) => !option.secret).map((option) => option.flag);
  const similar = nearest(shown.replace(/^-+/, ''), [...flags, ...COMMON_FLAGS]);
  const hint = similar ? `did you mean --${similar}?` : '--help lists the options';
  return new ConfigError('unknown-option', `unknown option ${shown}: ${hint}`);
}
