/** The log: pino on stderr, with everything that gives access taken out. */
import { pino, stdSerializers } from 'pino'
import type { Logger } from 'sif-library'
import type { Settings } from '../options/table.js'
import { plainLine, plainText } from '../plain-text.js'
import { createLineBuffer } from './line-buffer.js'

const secrets: readonly (readonly [RegExp, string])[] = [
  // tokens of ours, and whatever stands behind a scheme
  [/\bsif_[A-Za-z0-9_-]{16,}/g, 'sif_[redacted]'],
  [/\b(bearer|basic)\s+[A-Za-z0-9+/=._~-]+/gi, '$1 [redacted]'],
  [/\/transfers\/[A-Za-z0-9_.-]+/g, '/transfers/[redacted]'],
  // signed queries, and passwords in URLs
  // (what gives access in them: date, expiry and names of signed headers are what one looks for)
  [
    /([?&](?:X-Amz-(?:Signature|Credential|Security-Token)|Signature|AWSAccessKeyId)=)(?!\[redacted\])[^&\s"'<]+/gi,
    '$1[redacted]',
  ],
  // (begins at the slashes: a scheme in front of them would be tried at each letter of a long word)
  [/(:\/\/[^\s:/@]+:)[^\s/@]+@/g, '$1[redacted]@'],
]

/** Takes tokens, capabilities, signatures and passwords out of a text. */
export function redact(text: string): string {
  return secrets.reduce((rest, [pattern, replacement]) => rest.replace(pattern, replacement), text)
}

/**
 * Letters, digits and the signs of a reference: no token, signature or password that `redact` knows
 * is made of them alone.
 */
const harmless = /^[A-Za-z0-9/.:+-]*$/

const jsonOf = (value: unknown): string | undefined => {
  if (typeof value === 'string') return harmless.test(value) ? `"${value}"` : plainText(JSON.stringify(redact(value)))
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return String(value)
  if (value === undefined) return undefined
  return plainText(redact(JSON.stringify(value)))
}

/**
 * The line that pino would make of flat facts, in a third of its time: requests are most of a log.
 */
function infoLine(facts: object, { time, message }: { readonly time: string; readonly message: string }): string {
  let line = `{"level":30${time}`
  for (const name in facts) {
    const value = jsonOf(facts[name as never])
    if (value !== undefined) line += `,"${name}":${value}`
  }
  return `${line},"msg":"${message}"}\n`
}

const levels: Readonly<Record<number, string>> = { 20: 'debug', 30: 'info', 40: 'warn', 50: 'error' }

const prettyValue = (value: unknown): string =>
  plainLine(typeof value === 'string' && /^[^\s"]+$/.test(value) ? value : JSON.stringify(value))

/** `12:30:59 info request route=images.get status=200` */
export function prettyLine(line: string): string {
  const { level, time, msg, err, ...facts } = JSON.parse(line) as Record<string, unknown>
  const pairs = Object.entries(facts).map(([name, value]) => `${name}=${prettyValue(value)}`)
  const stack = typeof err === 'object' && err !== null && 'stack' in err ? `\n${String(err.stack)}` : ''
  const text = `${String(time).slice(11, 19)} ${levels[Number(level)] ?? level} ${[msg, ...pairs].join(' ')}${stack}`
  return `${plainText(text)}\n`
}

/** Milliseconds are enough, and many lines share one. */
function createTimestamp(): () => string {
  let last = 0
  let text = ''
  return () => {
    const now = Date.now()
    if (now !== last) {
      last = now
      text = `,"time":"${new Date(now).toISOString()}"`
    }
    return text
  }
}

export interface ServerLogger extends Logger {
  isLevelEnabled(level: string): boolean
  /** `info` for flat facts of our own naming. */
  event(facts: object, message: string): void
  /** Writes what is buffered. */
  flush(): void
}

/**
 * Writes to stderr, or to `write` in tests: on a terminal each line at once, otherwise warnings and
 * errors at once and the rest within 100 ms.
 */
export function createLogger(
  settings: Pick<Settings, 'logLevel' | 'logFormat'>,
  { isTerminal, write }: { readonly isTerminal: boolean; readonly write: (text: string) => void },
): ServerLogger {
  const isPretty = settings.logFormat === 'pretty' || (settings.logFormat === undefined && isTerminal)
  const format = isPretty ? prettyLine : (line: string): string => line
  const buffer = isTerminal ? { write, flush: () => {} } : createLineBuffer(write)
  const timestamp = createTimestamp()
  const careful = pino(
    {
      level: settings.logLevel,
      base: null,
      timestamp,
      serializers: { err: stdSerializers.errWithCause },
      redact: {
        paths: ['authorization', 'token', 'secret', 'url', 'headers', 'err.$response', 'err.$metadata'].flatMap(
          (path) => [path, `*.${path}`],
        ),
        censor: '[redacted]',
      },
    },
    // the last line of defence works on the text: a message of a library may quote anything
    { write: (line) => buffer.write(plainText(redact(format(line)))) },
  )
  const readsInfo = careful.isLevelEnabled('info')
  const event: ServerLogger['event'] = (facts, message) => {
    if (readsInfo) buffer.write(format(infoLine(facts, { time: timestamp(), message })))
  }
  return {
    isLevelEnabled: (level) => careful.isLevelEnabled(level),
    event,
    debug: (facts, message) => careful.debug(facts, message),
    // one for each request: its facts are those that the pipeline names
    info: (facts, message) => (message === 'request' ? event(facts, message) : careful.info(facts, message)),
    warn: (facts, message) => {
      careful.warn(facts, message)
      buffer.flush()
    },
    error: (facts, message) => {
      careful.error(facts, message)
      buffer.flush()
    },
    flush: buffer.flush,
  }
}
