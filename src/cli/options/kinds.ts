/**
 * Kinds of option values: how each is read from text (flag, environment) or from a configuration
 * file, and its JSON Schema.
 */

export interface Kind<T> {
  /** Stands for the value in help texts; empty where the flag takes none. */
  readonly placeholder: string
  /** The flag may be given several times. */
  readonly repeatable: boolean
  /** JSON Schema of the value in a configuration file. */
  readonly schema: object
  /** Throws an Error that says what is expected, in words that go on after "NAME: ". */
  readonly read: (value: unknown) => T
}

function expected(what: string, value: unknown): Error {
  return new Error(`expected ${what}, not ${JSON.stringify(value)}`)
}

function readText(value: unknown, what: string): string {
  if (typeof value !== 'string' || value === '') throw expected(what, value)
  return value
}

export function text(placeholder: string): Kind<string> {
  return {
    placeholder,
    repeatable: false,
    schema: { type: 'string', minLength: 1 },
    read: (value) => readText(value, 'text'),
  }
}

export function choice<const T extends string>(values: readonly T[]): Kind<T> {
  const what = values.join(' or ')
  const read = (value: unknown): T => {
    const found = values.find((each) => each === value)
    if (found === undefined) throw expected(what, value)
    return found
  }
  return { placeholder: values.join('|'), repeatable: false, schema: { enum: values }, read }
}

const truths: ReadonlyMap<unknown, boolean> = new Map<unknown, boolean>([
  [true, true],
  [false, false],
  ['true', true],
  ['false', false],
  ['1', true],
  ['0', false],
])

export function flag(): Kind<boolean> {
  const read = (value: unknown): boolean => {
    const found = truths.get(value)
    if (found === undefined) throw expected('true or false', value)
    return found
  }
  return { placeholder: '', repeatable: false, schema: { type: 'boolean' }, read }
}

/** A list: the flag once per item, or the items with commas between. */
export function list(placeholder: string): Kind<readonly string[]> {
  const read = (value: unknown): readonly string[] => {
    const given = Array.isArray(value) ? value : [value]
    const items = given.flatMap((item) =>
      readText(item, 'text')
        .split(',')
        .map((each) => each.trim())
        .filter((each) => each !== ''),
    )
    // of variables that are not set, say: no scope at all would mean every scope
    if (given.length > 0 && items.length === 0) throw expected('one or more, with commas between', value)
    return items
  }
  return { placeholder, repeatable: true, schema: { type: 'array', items: { type: 'string', minLength: 1 } }, read }
}

/** An address or a host name; an IPv6 address may stand in brackets, as in a URL. */
export function address(): Kind<string> {
  const { schema, ...rest } = text('ADDRESS')
  const read = (value: unknown): string => rest.read(value).replace(/^\[([0-9A-Fa-f:.%a-z]+)\]$/, '$1')
  return { ...rest, schema, read }
}

/** `unix:/path` of a socket; the path alone is what is read. */
export function unixSocket(): Kind<string> {
  const what = 'unix: and the absolute path of a socket, such as unix:/run/sif-library/socket'
  const read = (value: unknown): string => {
    const path = /^unix:(\/.*)$/.exec(readText(value, what))?.[1]
    if (path === undefined || path.endsWith('/')) throw expected(what, value)
    // sun_path of unix(7) holds 108 bytes with the zero at the end
    if (Buffer.byteLength(path) > 107) throw new Error(`expected ${what}, of 107 bytes at the most`)
    return path
  }
  return { placeholder: 'unix:PATH', repeatable: false, schema: { type: 'string', pattern: '^unix:/' }, read }
}

export function port(): Kind<number> {
  const read = (value: unknown): number => {
    const number = typeof value === 'string' && /^\d{1,5}$/.test(value) ? Number(value) : value
    if (typeof number !== 'number' || !Number.isInteger(number) || number < 0 || number > 65_535)
      throw expected('a port from 0 to 65535', value)
    return number
  }
  return { placeholder: 'PORT', repeatable: false, schema: { type: 'integer', minimum: 0, maximum: 65_535 }, read }
}

/** A whole number from 1 to `largest`. */
export function count(largest = 999_999_999): Kind<number> {
  const read = (value: unknown): number => {
    const number = typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value
    if (typeof number !== 'number' || !Number.isInteger(number) || number < 1 || number > largest)
      throw expected(`a whole number from 1 to ${largest}`, value)
    return number
  }
  return { placeholder: 'N', repeatable: false, schema: { type: 'integer', minimum: 1, maximum: largest }, read }
}

/** An absolute http(s) URL; without its trailing slash, as it is published (protocol 3.1). */
export function url(): Kind<string> {
  const what = 'an http or https URL without query, such as https://library.example.org'
  const read = (value: unknown): string => {
    const given = readText(value, what)
    const parsed = URL.canParse(given) ? new URL(given) : undefined
    if (
      parsed === undefined ||
      !/^https?:\/\//i.test(given) ||
      /[?#\s]/.test(given) ||
      parsed.username !== '' ||
      parsed.password !== ''
    )
      throw new Error(`expected ${what}`)
    return given.replace(/\/+$/, '')
  }
  return { placeholder: 'URL', repeatable: false, schema: { type: 'string', pattern: '^https?://[^\\s?#]+$' }, read }
}

interface AmountOptions {
  /** Refuse 0. Default: false. */
  readonly positive?: boolean
}

interface UnitsOptions extends AmountOptions {
  readonly placeholder: string
  readonly what: string
  /** In the base unit. */
  readonly units: Readonly<Record<string, number>>
}

function units({ placeholder, what, units: known, positive = false }: UnitsOptions): Kind<number> {
  const pattern = `^\\d+(\\.\\d+)?(${Object.keys(known).join('|')})$`
  const read = (value: unknown): number => {
    const [, digits, unit] = typeof value === 'string' ? (/^(\d+(?:\.\d+)?)([A-Za-z]*)$/.exec(value) ?? []) : []
    const factor = unit === undefined || !Object.hasOwn(known, unit) ? undefined : known[unit]
    const amount = factor === undefined ? Number.NaN : Math.round(Number(digits) * factor)
    if (!Number.isSafeInteger(amount)) throw expected(what, value)
    if (positive && amount === 0) throw expected(`${what}, and more than 0`, value)
    return amount
  }
  const schema = { type: 'string', pattern, ...(positive && { not: { pattern: '^[0.]+[A-Za-z]' } }) }
  return { placeholder, repeatable: false, schema, read }
}

/** Seconds. The unit is always written: `90s`, `15m`, `24h`, `30d`, `2w`. */
export function duration(options: AmountOptions = {}): Kind<number> {
  return units({
    ...options,
    placeholder: 'TIME',
    what: 'a time such as 90s, 15m, 24h, 30d or 2w',
    units: { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 },
  })
}

/**
 * Bytes. The unit is always written: `10GB` is 10,000,000,000, `10GiB` is 10,737,418,240; `B` for
 * bytes.
 */
export function size(options: AmountOptions = {}): Kind<number> {
  const prefixes = ['k', 'M', 'G', 'T', 'P']
  const decimal = prefixes.map((prefix, power) => [`${prefix}B`, 1000 ** (power + 1)] as const)
  const binary = prefixes.map((prefix, power) => [`${prefix === 'k' ? 'K' : prefix}iB`, 1024 ** (power + 1)] as const)
  return units({
    ...options,
    placeholder: 'SIZE',
    what: 'a size such as 500MB, 10GiB or 1TiB',
    units: Object.fromEntries([['B', 1], ...decimal, ...binary]),
  })
}
