/** Numbers, sizes and dates as people write them. */
import { locale } from './messages/messages.js'

const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']

/** In units of 1000, with two or three digits: `4.2 GB`, `412 MB`. */
export function size(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000
    unit += 1
  }
  const digits = unit > 0 && value < 10 ? 1 : 0
  return `${value.toLocaleString(locale, { maximumFractionDigits: digits })} ${units[unit]}`
}

/** The exact bytes, for a title. */
export const exactly = (bytes: number): string => `${bytes.toLocaleString(locale)} bytes`

export const count = (value: number): string => value.toLocaleString(locale)

const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto', style: 'short' })
const day = new Intl.DateTimeFormat(locale, { day: 'numeric', month: 'short', year: 'numeric' })
const moment = new Intl.DateTimeFormat(locale, {
  ...{ day: 'numeric', month: 'short', year: 'numeric' },
  ...{ hour: '2-digit', minute: '2-digit' },
})

/** `2 hr. ago`, `yesterday`; a date where it is older than two weeks. */
export function when(date: string, now: number = Date.now()): string {
  const seconds = (Date.parse(date) - now) / 1000
  const age = Math.abs(seconds)
  if (age < 45) return relative.format(0, 'second')
  if (age < 3600) return relative.format(Math.round(seconds / 60), 'minute')
  if (age < 86_400) return relative.format(Math.round(seconds / 3600), 'hour')
  if (age < 14 * 86_400) return relative.format(Math.round(seconds / 86_400), 'day')
  return day.format(new Date(date))
}

/** Day and minute, in the reader's time zone. */
export const dateTime = (date: string): string => moment.format(new Date(date))

export const dayOf = (date: string): string => day.format(new Date(date))

/** Text of strangers: characters that are invisible or turn a line around become `<U+202E>`. */
export const visible = (text: string): string =>
  text.replace(
    /(?![\n\r\t])[\p{Cc}\p{Bidi_Control}]/gu,
    (character) => `<U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}>`,
  )

/** `8c1f04ab` of a digest, as people compare them. */
export const shortHash = (digest: string): string => digest.slice(0, 8)

/** `40 s`, `3 min`, `2 h`. */
export function duration(seconds: number): string {
  const in_ = (value: number, unit: 'second' | 'minute' | 'hour'): string =>
    value.toLocaleString(locale, { style: 'unit', unit, unitDisplay: 'short', maximumFractionDigits: 0 })
  if (seconds < 90) return in_(Math.max(1, Math.round(seconds)), 'second')
  if (seconds < 5400) return in_(Math.round(seconds / 60), 'minute')
  return in_(Math.round(seconds / 3600), 'hour')
}
