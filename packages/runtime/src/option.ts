import type { z } from 'zod';

/** How the text of a flag or an environment variable becomes a value. */
export type OptionKind =
  | 'string'
  | 'number'
  | 'boolean'
  /** Repeated flags or one text with commas. */
  | 'list'
  /** `name=value`, repeated or with commas. */
  | 'map'
  /** Structured: can only stand in the configuration file. */
  | 'structure';

/** One key of an options schema, as the operator sees it. */
export interface Option {
  /** In the schema: `segmentDuration`. */
  key: string;
  /** As a flag (without `--`) and in the file: `segment-duration`. */
  flag: string;
  /** In the environment: `HLS_SEGMENTER_SEGMENT_DURATION`. */
  variable: string;
  kind: OptionKind;
  /** Kind of a list's items or a map's values. */
  item: OptionKind;
  description: string;
  default: unknown;
  schema: z.ZodType;
  /** No flag, since command lines can be read by everyone on the machine; its value is never shown. */
  secret: boolean;
}

/** What a schema node tells of itself; zod's own types name each class, which is of no use for walking down. */
interface SchemaDef {
  type: string;
  innerType?: z.ZodType;
  in?: z.ZodType;
  element?: z.ZodType;
  valueType?: z.ZodType;
  defaultValue?: unknown;
}
const defOf = (schema: z.ZodType): SchemaDef => schema.def;

export function optionsOf(schema: z.ZodObject, envPrefix: string, secrets: readonly string[]): Option[] {
  return Object.entries(schema.shape).map(([key, field]) => {
    const flag = key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    return {
      key,
      flag,
      variable: `${envPrefix}_${flag.toUpperCase().replaceAll('-', '_')}`,
      ...describe(field as z.ZodType),
      schema: field as z.ZodType,
      secret: secrets.includes(key),
    };
  });
}

/** Goes down through `.default()`, `.optional()`, pipes … to the type that is written by the operator. */
function describe(schema: z.ZodType): Pick<Option, 'kind' | 'item' | 'description' | 'default'> {
  let description: string | undefined;
  let value: unknown;
  let node: z.ZodType = schema;
  for (;;) {
    description ??= node.description;
    const def = defOf(node);
    if (def.type === 'default' || def.type === 'prefault') value ??= def.defaultValue;
    const inner = def.innerType ?? def.in;
    if (!inner) {
      const inside = def.element ?? def.valueType;
      const item = inside ? describe(inside).kind : 'string';
      const nested = item === 'list' || item === 'map' || item === 'structure';
      return {
        kind: nested ? 'structure' : kindOf(def.type),
        item,
        description: description ?? '',
        default: value,
      };
    }
    node = inner;
  }
}

function kindOf(type: string): OptionKind {
  switch (type) {
    case 'number':
    case 'int':
      return 'number';
    case 'boolean':
      return 'boolean';
    case 'array':
      return 'list';
    case 'record':
      return 'map';
    case 'object':
      return 'structure';
    default:
      return 'string';
  }
}

/** What is wrong with a text, without saying where it stood. */
export class BadText extends Error {}

const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;

/**
 * The value meant by the texts of a flag (one for each time it was given) or of an environment variable.
 * @throws BadText
 */
export function valueOf(option: Pick<Option, 'kind' | 'item'>, texts: readonly string[]): unknown {
  switch (option.kind) {
    case 'list':
      return pieces(texts).map((text) => scalar(option.item, text));
    case 'map':
      return Object.fromEntries(
        pieces(texts).map((text) => {
          const equals = text.indexOf('=');
          if (equals < 1) throw new BadText('not of the form name=value');
          return [text.slice(0, equals), scalar(option.item, text.slice(equals + 1))];
        }),
      );
    case 'structure':
      throw new BadText('can only be set in the configuration file');
    default:
      // As everywhere on a command line, the last one counts.
      return scalar(option.kind, texts.at(-1) ?? '');
  }
}

const pieces = (texts: readonly string[]): string[] =>
  texts.flatMap((text) => text.split(',').map((piece) => piece.trim()));

function scalar(kind: OptionKind, text: string): unknown {
  if (text.trim() === '') throw new BadText('is empty');
  if (kind === 'number') {
    const value = NUMBER.test(text.trim()) ? Number(text) : NaN;
    if (!Number.isFinite(value)) throw new BadText('not a number');
    return value;
  }
  if (kind === 'boolean') {
    if (/^(true|yes|on|1)$/i.test(text)) return true;
    if (/^(false|no|off|0)$/i.test(text)) return false;
    throw new BadText('neither true nor false');
  }
  return text;
}
