/** Attribute lists of HLS tags (RFC 8216 §4.2), read strictly. */

export type AttributeValue =
  | { kind: 'quoted'; text: string }
  /** Decimal integers and floats, hexadecimal sequences, enumerated strings, resolutions: as written. */
  | { kind: 'plain'; text: string };

export type AttributeList = Map<string, AttributeValue>;

const attribute = /([A-Z0-9-]+)=(?:"([^"\r\n]*)"|([^",\s]+))(,|$)/y;

/** @throws SyntaxError for anything but a list by the grammar, and for a name that comes twice. */
export function parseAttributeList(text: string): AttributeList {
  const list: AttributeList = new Map();
  attribute.lastIndex = 0;
  let end = 0;
  let comma = ',';
  while (end < text.length) {
    attribute.lastIndex = end;
    const match = attribute.exec(text);
    const name = match?.[1];
    if (match === null || name === undefined) throw new SyntaxError(`no attribute list: ${text}`);
    if (list.has(name)) throw new SyntaxError(`attribute ${name} twice: ${text}`);
    const quoted = match[2];
    list.set(
      name,
      quoted === undefined ? { kind: 'plain', text: match[3] ?? '' } : { kind: 'quoted', text: quoted },
    );
    end = attribute.lastIndex;
    comma = match[4] ?? '';
  }
  if (comma === ',') throw new SyntaxError(`attribute list ends in a comma or is empty: ${text}`);
  return list;
}

export function quoted(list: AttributeList, name: string): string | undefined {
  const value = list.get(name);
  if (value?.kind === 'plain') throw new SyntaxError(`${name} must be quoted`);
  return value?.text;
}

export function plain(list: AttributeList, name: string, form: RegExp): string | undefined {
  const value = list.get(name);
  if (value === undefined) return undefined;
  if (value.kind === 'quoted' || !form.test(value.text))
    throw new SyntaxError(`${name} is not ${String(form)}`);
  return value.text;
}
