/** The log: pino on stderr, with everything that gives access taken out. */
import { type Logger as PinoLogger, pino, stdSerializers } from 'pino'
import type { Settings } from '../options/table.js'
import { plainLine, plainText } from '../plain-text.js'

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

const levels: Readonly<Record<number, string>> = { 20: 'debug', 30: 'info', 40: 'warn', 50: 'error' }

/** `12:30:59 info request route=images.get status=200` */
export function prettyLine(line: string): string {
  const { level, time, msg, err, ...facts } = JSON.parse(line) as Record<string, unknown>
  const pairs = Object.entries(facts).map(
    ([name, value]) => `${name}=${typeof value === 'string' ? plainLine(value) : JSON.stringify(value)}`,
  )
  const stack = typeof err === 'object' && err !== null && 'stack' in err ? `\n${String(err.stack)}` : ''
  return `${String(time).slice(11, 19)} ${levels[Number(level)] ?? level} ${[msg, ...pairs].join(' ')}${stack}\n`
}

/** Writes to stderr, or to `write` in tests. */
export function createLogger(
  settings: Pick<Settings, 'logLevel' | 'logFormat'>,
  { isTerminal, write }: { readonly isTerminal: boolean; readonly write: (text: string) => void },
): PinoLogger {
  const pretty = settings.logFormat === 'pretty' || (settings.logFormat === undefined && isTerminal)
  return pino(
    {
      level: settings.logLevel,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      serializers: { err: stdSerializers.errWithCause },
      redact: {
        paths: ['authorization', 'token', 'secret', 'url', 'headers', 'err.$response', 'err.$metadata'].flatMap(
          (path) => [path, `*.${path}`],
        ),
        censor: '[redacted]',
      },
    },
    // the last line of defence works on the text: a message of a library may quote anything
    { write: (line) => write(plainText(redact(pretty ? prettyLine(line) : line))) },
  )
}
