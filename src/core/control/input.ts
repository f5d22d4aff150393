/**
 * Reading what a use case is given: the same schemas for calls in this process and over HTTP, where
 * everything is text.
 */
import { z } from 'zod'
import { LibraryError } from '../http/errors.js'
import { checkName } from '../model/references.js'
import { nearestWord } from './nearest.js'

/** Members of a query or a body, each with its schema. */
export type Shape<T> = { readonly [Key in keyof Required<T>]: z.ZodType }

/** A whole number, also as text. */
export const count = (least: number, most: number): z.ZodType<number> =>
  z
    .union([z.int(), z.string().regex(/^\d{1,15}$/, 'must be a whole number')])
    .transform(Number)
    .pipe(z.int().min(least).max(most)) as unknown as z.ZodType<number>

/** true or false, also as text. */
export const flag: z.ZodType<boolean> = z
  .union([z.boolean(), z.enum(['true', 'false'])])
  .transform((value) => value === true || value === 'true') as unknown as z.ZodType<boolean>

export const text = (most: number): z.ZodString =>
  z
    .string()
    .max(most)
    .regex(/^[^\0]*$/, 'must not hold NUL')

/** A digest as one may write it: the 64 hex digits alone, or behind `sha256.` or `sha256:`. */
export const digest: z.ZodType<string> = z
  .string()
  .regex(/^(?:sha256[.:])?[0-9a-f]{64}$/, 'must be 64 lower-case hex digits, or sha256: in front of them')
  .transform((value) => value.slice(-64)) as unknown as z.ZodType<string>

export const pageShape: Shape<{ limit?: number; cursor?: string }> = {
  limit: count(1, 200).optional().describe('1 to 200; default 50'),
  cursor: z
    .string()
    .max(6144)
    .regex(/^[A-Za-z0-9_.-]+$/, 'must be next of the page before')
    .optional()
    .describe('next of the page before'),
}

export const canShape: Shape<{ with?: 'can' }> = {
  with: z.enum(['can']).optional().describe('adds what may be done to each object'),
}

export const ifMatchShape: Shape<{ ifMatch?: string }> = {
  ifMatch: text(128).optional().describe('version that was seen'),
}

export const description: z.ZodString = text(16_384)

/**
 * Reads the members of `value` that `shape` names. Throws `invalid-request` for a wrong one, and
 * for one that there is not.
 */
export function read<T>(shape: Shape<T>, value: unknown): T {
  if (value === undefined) return read(shape, {})
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw new LibraryError('invalid-request', 'expected an object')
  const result: Record<string, unknown> = {}
  for (const [key, given] of Object.entries(value)) {
    if (given === undefined) continue
    if (!Object.hasOwn(shape, key)) throw unknownMember(key, Object.keys(shape))
    const schema = shape[key as keyof typeof shape]
    const parsed = schema.safeParse(given)
    if (!parsed.success) {
      const [issue] = parsed.error.issues
      const field = [key, ...(issue?.path ?? [])].join('.')
      throw new LibraryError('invalid-request', `${field}: ${issue?.message ?? 'is not valid'}`, { field })
    }
    result[key] = parsed.data
  }
  for (const [key, schema] of Object.entries<z.ZodType>(shape))
    if (!(key in result) && !schema.safeParse(undefined).success)
      throw new LibraryError('invalid-request', `${key}: is missing`, { field: key })
  return result as T
}

function unknownMember(key: string, known: readonly string[]): LibraryError {
  const shown = JSON.stringify(key.slice(0, 80))
  const words = known.length === 0 ? 'there are none here' : `do you mean ${nearestWord(key.slice(0, 80), known)}?`
  return new LibraryError('invalid-request', `${shown} is no parameter: ${words}`, { field: key.slice(0, 80) })
}

export interface EntityPlace {
  readonly entity: string
}

export interface CollectionPlace extends EntityPlace {
  readonly collection: string
}

export interface ContainerPlace extends CollectionPlace {
  readonly container: string
}

function parts(path: unknown, names: readonly string[]): string[] {
  const found = typeof path === 'string' ? path.split('/') : []
  if (found.length !== names.length)
    throw new LibraryError('invalid-name', `path: expected ${names.join('/')}`, { field: 'path' })
  return found.map((part, index) => checkName(names[index] as string, part))
}

export function collectionPlace(path: string): CollectionPlace {
  const [entity = '', collection = ''] = parts(path, ['entity', 'collection'])
  return { entity, collection }
}

export function containerPlace(path: string): ContainerPlace {
  const [entity = '', collection = '', container = ''] = parts(path, ['entity', 'collection', 'container'])
  return { entity, collection, container }
}
