/**
 * `node:assert/strict`, with a `deepEqual` that asks what values hold and not which realm made
 * them: under Jest, the arrays of a driver are no `Array` of the tests.
 */
import strict from 'node:assert/strict'
import { isDate } from 'node:util/types'

function asOurs(value: unknown): unknown {
  if (Array.isArray(value)) return Array.from(value, asOurs)
  if (isDate(value)) return new Date(value.getTime())
  if (typeof value !== 'object' || value === null) return value
  const prototype: unknown = Object.getPrototypeOf(value)
  // that of no realm has one of its own
  const isRecord = prototype === null || Object.getPrototypeOf(prototype) === null
  return isRecord ? Object.fromEntries(Object.entries(value).map(([name, each]) => [name, asOurs(each)])) : value
}

export const assert: typeof strict = Object.assign(
  (value: unknown, message?: string) => strict(value, message),
  strict,
  {
    deepEqual: (actual: unknown, expected: unknown, message?: string) =>
      strict.deepEqual(asOurs(actual), asOurs(expected), message),
  },
) as typeof strict
