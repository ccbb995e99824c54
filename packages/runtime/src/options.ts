import { readFile } from 'node:fs/promises';
import type { z } from 'zod';
import { COMMON_FLAGS, parseArgv } from './argv.js';
import { ConfigError, errorText } from './errors.js';
import { helpText, type HelpText } from './help.js';
import { nearest } from './nearest.js';
import { BadText, optionsOf, valueOf, type Option } from './option.js';

export interface OptionsSpec<Schema extends z.ZodObject> extends HelpText {
  version: string;
  /**
   * A strict object with camelCase keys; `.describe()` gives the texts of the help, `.default()` the defaults.
   * Lists can be given by repeated flags and by commas; records as `name=value`; nested objects only in the file.
   */
  schema: Schema;
  /** The command line after the command's name. */
  argv: readonly string[];
  env: NodeJS.ProcessEnv;
  /** `HLS_UPLOADER`: the environment has `HLS_UPLOADER_WINDOW` for `--window`. */
  envPrefix: string;
  /** How many arguments that are no options may be given; default none. */
  positionals?: { min: number; max: number };
  /** Keys that are no flags and whose values are never shown. */
  secrets?: readonly (keyof z.infer<Schema> & string)[];
}

export type LoadedOptions<Options> =
  | {
      kind: 'run';
      options: Options;
      positionals: string[];
      /** Where each option that is no default came from: `--window`, `HLS_UPLOADER_WINDOW`, `the file up.yaml`. */
      sources: Partial<Record<keyof Options & string, string>>;
      /** To be logged once there is a log: variables with the prefix that name no option. */
      warnings: string[];
    }
  /** `--help` or `--version`: to be printed, and nothing else to be done. */
  | { kind: 'print'; text: string };

interface Setting {
  value: unknown;
  /** The value as it was written, for messages. */
  text: string;
  source: string;
}

/**
 * Flags go before environment variables, these before the file of `--config`, this before the defaults.
 * @throws ConfigError for every mistake of the operator, naming option, source, what was wrong and what is expected:
 *   `unknown-option`, `bad-option`, `missing-option`, `bad-argument`, `bad-config-file`
 */
export async function loadOptions<Schema extends z.ZodObject>(
  spec: OptionsSpec<Schema>,
): Promise<LoadedOptions<z.infer<Schema>>> {
  const options = optionsOf(spec.schema, spec.envPrefix, spec.secrets ?? []);
  if (options.some((option) => COMMON_FLAGS.includes(option.flag))) {
    throw new Error(`${COMMON_FLAGS.join(', ')} are options of every command`);
  }
  // Whoever asks for help may have mistaken everything else.
  const words = spec.argv.includes('--') ? spec.argv.slice(0, spec.argv.indexOf('--')) : spec.argv;
  if (words.includes('--help') || words.includes('-h')) {
    return { kind: 'print', text: await helpText(spec, options) };
  }
  if (words.includes('--version')) return { kind: 'print', text: `${spec.name} ${spec.version}` };

  const { flags, positionals } = parseArgv(spec.argv, options);
  checkPositionals(positionals, spec.positionals ?? { min: 0, max: 0 });
  const configVariable = `${spec.envPrefix}_CONFIG`;
  const configFile = flags.get('config')?.at(-1) ?? spec.env[configVariable];
  const settings = new Map<string, Setting>([
    ...(configFile === undefined ? [] : await fileSettings(configFile, options)),
    ...envSettings(spec.env, options),
    ...flagSettings(flags, options),
  ]);
  return {
    kind: 'run',
    options: check(spec.schema, options, settings),
    positionals,
    sources: Object.fromEntries([...settings].map(([key, { source }]) => [key, source])) as Partial<
      Record<keyof z.infer<Schema> & string, string>
    >,
    warnings: unknownVariables(spec.env, spec.envPrefix, [
      configVariable,
      ...options.map((option) => option.variable),
    ]),
  };
}

function checkPositionals(positionals: readonly string[], { min, max }: { min: number; max: number }): void {
  if (positionals.length > max) {
    const extra = JSON.stringify(positionals[max]);
    throw new ConfigError('bad-argument', `unexpected argument ${extra}: --help shows the usage`);
  }
  if (positionals.length < min) {
    throw new ConfigError('bad-argument', 'an argument is missing: --help shows the usage');
  }
}

function* flagSettings(
  flags: ReadonlyMap<string, string[]>,
  options: readonly Option[],
): Iterable<[string, Setting]> {
  for (const option of options) {
    const texts = flags.get(option.flag);
    if (texts) yield [option.key, fromTexts(option, texts, `--${option.flag}`)];
  }
}

function* envSettings(env: NodeJS.ProcessEnv, options: readonly Option[]): Iterable<[string, Setting]> {
  for (const option of options) {
    const text = env[option.variable];
    if (text !== undefined) yield [option.key, fromTexts(option, [text], option.variable)];
  }
}

function fromTexts(option: Option, texts: readonly string[], source: string): Setting {
  const text = texts.join(',');
  try {
    return { value: valueOf(option, texts), text, source };
  } catch (error) {
    if (error instanceof BadText) throw badOption(option, { text, source }, error.message);
    throw error;
  }
}

const FILE_REMEDY = 'give --config a YAML file of "name: value" lines';

async function fileSettings(file: string, options: readonly Option[]): Promise<[string, Setting][]> {
  const source = `the file ${file}`;
  const bad = (message: string, cause?: unknown): ConfigError =>
    new ConfigError(
      'bad-config-file',
      `cannot use the configuration file ${file}: ${message}: ${FILE_REMEDY}`,
      { cause },
    );
  let content: unknown;
  try {
    const text = await readFile(file, 'utf8');
    const { parse } = await import('yaml');
    content = parse(text, { prettyErrors: false });
  } catch (error) {
    throw bad(errorText(error), error);
  }
  if (content === null) return [];
  if (typeof content !== 'object' || Array.isArray(content)) throw bad('it is no list of names and values');
  return Object.entries(content).map(([name, value]: [string, unknown]) => {
    const option = options.find(({ flag }) => flag === name);
    if (!option) {
      const similar = nearest(
        name,
        options.map(({ flag }) => flag),
      );
      const hint = similar ? `did you mean ${similar}?` : '--help lists the names, without their dashes';
      throw new ConfigError('unknown-option', `unknown name ${name} in ${source}: ${hint}`);
    }
    const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
    if (value === null || value === '') throw badOption(option, { text, source }, 'is empty');
    return [option.key, { value, text, source }];
  });
}

function check<Schema extends z.ZodObject>(
  schema: Schema,
  options: readonly Option[],
  settings: ReadonlyMap<string, Setting>,
): z.infer<Schema> {
  for (const option of options) {
    const setting = settings.get(option.key);
    if (!setting) continue;
    const result = option.schema.safeParse(setting.value);
    if (!result.success) throw badOption(option, setting, problem(result.error));
  }
  const result = schema.safeParse(
    Object.fromEntries([...settings].map(([key, setting]) => [key, setting.value])),
  );
  if (result.success) return result.data;
  const key = result.error.issues[0]?.path[0];
  const option = options.find((candidate) => candidate.key === key);
  if (!option) throw new ConfigError('bad-option', problem(result.error));
  const setting = settings.get(option.key);
  if (setting) throw badOption(option, setting, problem(result.error));
  const message = `${nameOf(option)} is not set: ${option.description || problem(result.error)}`;
  throw new ConfigError('missing-option', message);
}

function problem(error: z.ZodError): string {
  const [issue] = error.issues;
  if (!issue) return error.message;
  const inside = issue.path.map(String).join('.');
  return inside && issue.path.length > 0 && typeof issue.path[0] === 'number'
    ? `item ${inside}: ${issue.message}`
    : issue.message;
}

/** `--window "abc" (from HLS_UPLOADER_WINDOW): not a number; expected: segments in the live window (default 6)` */
function badOption(
  option: Option,
  { text, source }: Pick<Setting, 'text' | 'source'>,
  what: string,
): ConfigError {
  const value = option.secret ? '' : ` ${JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)}`;
  const from = source === `--${option.flag}` ? 'from the command line' : `from ${source}`;
  const standard = option.default === undefined ? '' : ` (default ${JSON.stringify(option.default)})`;
  const expected = option.description ? `; expected: ${option.description}${standard}` : '';
  return new ConfigError('bad-option', `${nameOf(option)}${value} (${from}): ${what}${expected}`);
}

const nameOf = (option: Option): string => (option.secret ? option.variable : `--${option.flag}`);

/** Not errors: container platforms set variables like HLS_UPLOADER_PORT for every service of that name. */
function unknownVariables(env: NodeJS.ProcessEnv, prefix: string, known: readonly string[]): string[] {
  return Object.keys(env)
    .filter((name) => name.startsWith(`${prefix}_`) && !known.includes(name))
    .map((name) => {
      // The prefix would make every name look like every other.
      const similar = nearest(
        name.slice(prefix.length),
        known.map((other) => other.slice(prefix.length)),
      );
      const hint = similar === undefined ? '' : `: did you mean ${prefix}${similar}?`;
      return `the environment variable ${name} names no option${hint}`;
    });
}
