/**
 * Transcripts: requests in order, with what a client needs of the answers, as YAML files.
 *
 *     title: 9.1 …
 *     as: alice                              who asks where a step does not say; `nobody` = no Authorization
 *     files: { image: { size: 100000 } }     SIF files by name: `${image.size}`, `${image.sha256}`, `${image.md5}`, `${image.hash}`
 *     registry: { limits: … }                options of the library
 *     before: [{ push: alice/tools/bwa, file: image, tags: [latest] }, { private: alice/tools }]
 *     steps:
 *       - GET /v1/entities/alice             method and path; `${name}` is what was kept before
 *         as, headers, json, text, file (with from, to)
 *         status: 404
 *         reply: { data: { id: /^[0-9a-f]{24}$/ } }   members that must be equal; `/…/` is a pattern
 *         exactly: {}                        the whole JSON body
 *         empty: true                        no body at all
 *         replyHeaders: { location: /^https/ }
 *         bytes: { file: image, from: 0, to: 9 }      the body
 *         keep: { entity: data.id, url: header.location }
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect } from 'vitest'
import { parse } from 'yaml'
import { createRouter } from '../../src/core/http/router.js'
import type { LibraryLimits } from '../../src/core/index.js'
import { routes } from '../../src/core/routes.js'
import { makeSif, type SifOptions } from '../fixtures/sif.js'
import { decodeAs } from './go-decode.js'
import { push } from './push.js'
import type { Answer, CallOptions, TestRegistry } from './registry.js'

export interface Step {
  readonly request: string
  readonly as?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly json?: unknown
  readonly text?: string
  readonly file?: string
  readonly from?: number
  readonly to?: number
  readonly status: number
  readonly reply?: unknown
  readonly exactly?: unknown
  readonly empty?: boolean
  readonly replyHeaders?: Readonly<Record<string, string>>
  readonly bytes?: { readonly file: string; readonly from?: number; readonly to?: number }
  readonly keep?: Readonly<Record<string, string>>
}

type Before =
  | {
      readonly push: string
      readonly file: string
      readonly as?: string
      readonly tags?: readonly string[]
      readonly arch?: string
    }
  | { readonly private: string }

export interface Transcript {
  readonly name: string
  readonly title: string
  readonly as: string
  readonly files: Readonly<Record<string, SifOptions>>
  readonly registry: { readonly limits?: LibraryLimits; readonly multipart?: boolean; readonly tokenPage?: string }
  readonly before: readonly Before[]
  readonly steps: readonly Step[]
}

const known = [
  'as',
  'headers',
  'json',
  'text',
  'file',
  'from',
  'to',
  'status',
  'reply',
  'exactly',
  'empty',
  'replyHeaders',
  'bytes',
  'keep',
  'request',
]

/** Reads the transcripts of a folder; a member that nothing reads is a mistake. */
export function readTranscripts(folder: string): Transcript[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.yaml'))
    .sort()
    .map((file) => {
      const document = parse(readFileSync(join(folder, file), 'utf8'))
      for (const step of document.steps)
        for (const key of Object.keys(step)) if (!known.includes(key)) throw new Error(`${file}: what is ${key}?`)
      return { as: 'alice', files: {}, registry: {}, before: [], ...document, name: basename(file, '.yaml') }
    })
}

const router = createRouter(routes)

/** The row that a step hits; undefined when no row is for it. */
export function rowOf(method: string, path: string): string | undefined {
  try {
    return router(method, path.split('?')[0] ?? '')?.row.name
  } catch {
    return undefined
  }
}

export type Send = (method: string, path: string, options: CallOptions) => Promise<Answer>

interface Player {
  readonly transcript: Transcript
  readonly files: ReadonlyMap<string, Buffer>
  readonly kept: Map<string, unknown>
}

function lookUp(player: Player, name: string): unknown {
  const [file, fact] = name.split('.')
  const bytes = player.files.get(file ?? '')
  if (bytes !== undefined && fact !== undefined) {
    const digest = (algorithm: string): string => createHash(algorithm).update(bytes).digest('hex')
    const facts: Record<string, () => unknown> = {
      size: () => bytes.length,
      sha256: () => digest('sha256'),
      md5: () => digest('md5'),
      hash: () => `sha256.${digest('sha256')}`,
    }
    const [from, to] = fact.split('-')
    if (to !== undefined)
      return createHash('sha256')
        .update(bytes.subarray(Number(from), Number(to)))
        .digest('hex')
    const known = facts[fact]
    if (known !== undefined) return known()
  }
  if (!player.kept.has(name)) throw new Error(`nothing was kept as ${name}`)
  return player.kept.get(name)
}

/** Fills `${…}` in every text; a text that is nothing else becomes the value itself. */
function fill(player: Player, value: unknown): unknown {
  if (typeof value === 'string') {
    const whole = /^\$\{([^}]+)\}$/.exec(value)
    if (whole?.[1] !== undefined) return lookUp(player, whole[1])
    return value.replace(/\$\{([^}]+)\}/g, (_, name: string) => String(lookUp(player, name)))
  }
  if (Array.isArray(value)) return value.map((item) => fill(player, item))
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fill(player, item)]))
  return value
}

/** `/…/` becomes a matcher. */
function asPattern(value: unknown): unknown {
  if (typeof value === 'string' && /^\/.*\/$/.test(value)) return expect.stringMatching(new RegExp(value.slice(1, -1)))
  if (Array.isArray(value)) return value.map(asPattern)
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, asPattern(item)]))
  return value
}

function valueAt(answer: Answer, path: string): unknown {
  if (path.startsWith('header.')) return answer.headers[path.slice('header.'.length)]
  return path
    .split('.')
    .reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], answer.json)
}

function pieceOf(
  player: Player,
  piece: { readonly file?: string; readonly from?: number; readonly to?: number },
): Buffer {
  const bytes = player.files.get(piece.file ?? '')
  if (bytes === undefined) throw new Error(`no file ${piece.file}`)
  return bytes.subarray(piece.from ?? 0, piece.to === undefined ? bytes.length : piece.to + 1)
}

function optionsOf(player: Player, step: Step): CallOptions {
  const who = step.as ?? player.transcript.as
  const body =
    step.file !== undefined
      ? pieceOf(player, step)
      : step.json !== undefined
        ? (fill(player, step.json) as object)
        : step.text
  return {
    ...(who === 'nobody' ? {} : { token: who }),
    ...(step.headers && { headers: fill(player, step.headers) as Record<string, string> }),
    ...(body !== undefined && { body }),
  }
}

function check(player: Player, step: Step, answer: Answer): void {
  const where = `${step.request}: ${answer.text.slice(0, 300)}`
  expect(answer.status, where).toBe(step.status)
  if (step.reply !== undefined) expect(answer.json, where).toMatchObject(asPattern(fill(player, step.reply)) as object)
  if (step.exactly !== undefined) expect(answer.json, where).toEqual(asPattern(fill(player, step.exactly)))
  if (step.empty === true) expect(answer.bytes.length, where).toBe(0)
  if (step.replyHeaders !== undefined)
    expect(answer.headers, where).toMatchObject(asPattern(fill(player, step.replyHeaders)) as object)
  if (step.bytes !== undefined)
    expect(answer.bytes.equals(pieceOf(player, step.bytes)), `${step.request}: other bytes`).toBe(true)
}

/** Plays a transcript; returns the rows that it hit. Every JSON answer must be one that clients decode. */
export async function playTranscript(
  transcript: Transcript,
  { registry, send }: { readonly registry: TestRegistry; readonly send: Send },
): Promise<Set<string>> {
  const files = new Map(Object.entries(transcript.files).map(([name, options]) => [name, makeSif(options)]))
  const player: Player = { transcript, files, kept: new Map() }
  for (const before of transcript.before) {
    if ('private' in before) await registry.library.visibility(before.private, 'private')
    else
      await push(registry, before.push, pieceOf(player, before), {
        ...(before.as && { token: before.as }),
        ...(before.tags && { tags: before.tags }),
        ...(before.arch && { arch: before.arch }),
      })
  }
  const hit = new Set<string>()
  for (const step of transcript.steps) {
    const [method = '', raw = ''] = String(fill(player, step.request)).split(' ')
    const path = raw.startsWith(registry.publicUrl) ? raw.slice(registry.publicUrl.length) : raw
    const row = rowOf(method, path)
    if (row !== undefined) hit.add(row)
    const answer = await send(method, path, optionsOf(player, step))
    check(player, step, answer)
    if (row !== undefined && method !== 'HEAD' && answer.headers['content-type']?.startsWith('application/json')) {
      expect(() => decodeAs(row, { status: answer.status, body: answer.text }), step.request).not.toThrow()
    }
    for (const [name, from] of Object.entries(step.keep ?? {})) {
      const value = valueAt(answer, from)
      expect(value, `${step.request}: nothing at ${from}`).toBeDefined()
      player.kept.set(name, value)
    }
  }
  return hit
}
