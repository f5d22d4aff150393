/** Days and steps of days, in UTC. A day is the number of days since 1970-01-01. */
import { z } from 'zod'
import { LibraryError } from '../http/errors.js'
import type { Services } from '../services.js'
import type { StepQuery } from './control.js'
import type { Shape } from './input.js'

const dayMs = 86_400_000
/** Days that one answer may cover. */
const maxDays = 3700

export const dayOf = (milliseconds: number): number => Math.floor(milliseconds / dayMs)
export const dayText = (day: number): string => new Date(day * dayMs).toISOString().slice(0, 10)

const dayText8601 = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}$/, 'must be a day such as 2026-01-31')
  .refine((text) => !Number.isNaN(Date.parse(text)), 'is no day of the calendar')

export const stepShape: Shape<StepQuery> = {
  from: dayText8601.optional().describe('first day; default: 30 days up to `to`'),
  to: dayText8601.optional().describe('last day; default: today'),
  step: z.enum(['day', 'week', 'month']).optional().describe('default: day'),
}

export interface Steps {
  readonly from: number
  readonly to: number
  /** First day of each step; the first one may begin before `from`. */
  readonly starts: readonly number[]
  /** Index of the step of a day. */
  readonly indexOf: (day: number) => number
}

/** 1970-01-01 was a Thursday. */
const mondayOf = (day: number): number => day - ((((day + 3) % 7) + 7) % 7)
const firstOfMonth = (day: number): number => dayOf(Date.parse(`${dayText(day).slice(0, 7)}-01`))
const startOf = { day: (day: number): number => day, week: mondayOf, month: firstOfMonth }

/** Throws `invalid-request` for days that end before they begin, and for more than ten years. */
export function stepsOf({ from, to, step = 'day' }: StepQuery, now: number): Steps {
  const last = to === undefined ? dayOf(now) : dayOf(Date.parse(to))
  const first = from === undefined ? last - 29 : dayOf(Date.parse(from))
  if (first > last) throw new LibraryError('invalid-request', 'from: is after to', { field: 'from' })
  if (last - first >= maxDays)
    throw new LibraryError('invalid-request', `from: ${maxDays} days at the most`, { field: 'from' })
  const starts: number[] = []
  const positions = new Map<number, number>()
  for (let day = first; day <= last; day += 1) {
    const start = startOf[step](day)
    if (starts.at(-1) !== start) starts.push(start)
    positions.set(day, starts.length - 1)
  }
  return { from: first, to: last, starts, indexOf: (day) => positions.get(day) ?? 0 }
}

/** How often containers were pulled on each of the last 30 days, oldest first. */
export async function pulledDays(
  { metadata, settings }: Pick<Services, 'metadata' | 'settings'>,
  ids: readonly string[],
): Promise<(id: string) => readonly number[]> {
  const to = dayOf(settings.clock())
  const from = to - 29
  const found = ids.length === 0 ? [] : await metadata.pulls.days({ scope: 'container', ids, from, to })
  const days = new Map<string, number[]>()
  for (const { id, day, pulls } of found) {
    const list = days.get(id) ?? new Array<number>(30).fill(0)
    list[day - from] = pulls
    days.set(id, list)
  }
  return (id) => days.get(id) ?? new Array<number>(30).fill(0)
}
