/**
 * Reading request bodies: JSON whatever the Content-Type says, and byte streams that may be slow
 * but not stand still.
 */
import { z } from 'zod'
import type { BodyBudget, BodySlot } from './body-budget.js'
import { isLibraryError, LibraryError } from './errors.js'
import type { LibraryRequest } from './messages.js'

/** Keys by their lower-case form, as one schema spells them. */
type KeySpellings = ReadonlyMap<string, string>

const spellings = new WeakMap<z.ZodType, KeySpellings>()

function addKeys(schema: unknown, found: Map<string, string>): void {
  if (schema === null || typeof schema !== 'object') return
  const { properties } = schema as { readonly properties?: object }
  for (const key of Object.keys(properties ?? {})) found.set(key.toLowerCase(), key)
  for (const part of Object.values(schema)) addKeys(part, found)
}

/** Every key that the schema names, at any depth; made once for each schema. */
function spellingsOf(schema: z.ZodType): KeySpellings {
  const known = spellings.get(schema)
  if (known !== undefined) return known
  const found = new Map<string, string>()
  addKeys(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }), found)
  spellings.set(schema, found)
  return found
}

/**
 * Renames keys to the spelling of the schema and drops the others; copies, so that `__proto__` in a
 * body is only text.
 */
function foldKeys(value: unknown, keys: KeySpellings, depth: number): unknown {
  if (value === null || typeof value !== 'object' || depth > 4) return value
  if (Array.isArray(value)) return value.map((item) => foldKeys(item, keys, depth + 1))
  const folded: Record<string, unknown> = {}
  for (const [key, item] of Object.entries(value)) {
    const canonical = keys.get(key.toLowerCase())
    // null means the zero value to a Go client
    if (canonical !== undefined && item !== null) folded[canonical] = foldKeys(item, keys, depth + 1)
  }
  return folded
}

/** How much longer than one silence a JSON body may take in all. */
const silences = 5
/**
 * A JSON body is small, and written at once: so many seconds without a byte, and it will not come
 * any more.
 */
const maxSilenceSeconds = 15

interface JsonLimits {
  /** Bytes. */
  readonly limit: number
  readonly idleSeconds: number
  /** Who sends it, and the room of all bodies that come at the same time. Default: no bound. */
  readonly budget?: { readonly of: BodyBudget; readonly sender: string }
}

/**
 * The whole of a body. Its pieces are copied together as they come: each holds the buffer of a
 * whole read of the socket, which would make a body that comes byte by byte a thousand times as
 * large.
 */
async function collect(
  stream: AsyncIterable<Uint8Array>,
  { limit, idleSeconds, slot }: JsonLimits & { readonly slot: BodySlot | undefined },
): Promise<Uint8Array> {
  const until = performance.now() + silences * idleSeconds * 1000
  let whole = Buffer.alloc(0)
  let length = 0
  for await (const chunk of withIdleTimeout(stream, Math.min(idleSeconds, maxSilenceSeconds))) {
    if (length + chunk.length > limit)
      throw new LibraryError('too-large', `the JSON body is larger than ${limit} bytes`)
    if (performance.now() > until)
      throw new LibraryError('timeout', `the JSON body did not come within ${silences * idleSeconds} seconds`)
    if (length + chunk.length > whole.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(2 * whole.length, length + chunk.length))
      slot?.grow(larger.length - whole.length)
      whole.copy(larger, 0, 0, length)
      whole = larger
    }
    whole.set(chunk, length)
    length += chunk.length
  }
  return whole.subarray(0, length)
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

function parseJson(text: string): unknown {
  if (text.trim() === '') return {}
  try {
    return JSON.parse(text)
  } catch {
    throw new LibraryError('invalid-request', 'the body is no valid JSON')
  }
}

function decodeJson(bytes: Uint8Array, limit: number): unknown {
  if (bytes.length > limit) throw new LibraryError('too-large', `the JSON body is larger than ${limit} bytes`)
  let text: string
  try {
    text = utf8.decode(bytes)
  } catch {
    throw new LibraryError('invalid-request', 'the body is no UTF-8 text')
  }
  return parseJson(text)
}

async function readJson(request: LibraryRequest, options: JsonLimits): Promise<unknown> {
  const { body } = request
  switch (body.kind) {
    case 'none':
      return {}
    case 'bytes':
      return decodeJson(body.bytes, options.limit)
    case 'parsed':
      if (typeof body.value === 'string') return parseJson(body.value)
      if (body.value === undefined)
        throw new LibraryError(
          'invalid-request',
          'the body was read before it reached the registry, and nothing is left of it',
        )
      return body.value
    case 'stream':
      if (body.length !== undefined && body.length > options.limit)
        throw new LibraryError('too-large', `the JSON body is larger than ${options.limit} bytes`)
      return decodeJson(await collectWithin(body.stream, options), options.limit)
  }
}

async function collectWithin(stream: AsyncIterable<Uint8Array>, options: JsonLimits): Promise<Uint8Array> {
  const { budget } = options
  const slot = budget?.of.enter(budget.sender)
  try {
    return await collect(stream, { ...options, slot })
  } finally {
    slot?.leave()
  }
}

/**
 * Reads and checks a JSON body. `any-case`: Go writes and reads keys in any case (protocol 3.4), so
 * `Tag`, `tag` and `TAG` are one field; keys that the schema does not name are dropped, and null is
 * the same as absent. Throws `invalid-request` that names the first wrong field, `too-large`,
 * `timeout`, `unavailable`.
 */
export async function readJsonBody<B>(
  request: LibraryRequest,
  options: JsonLimits & { readonly schema: z.ZodType<B>; readonly keys?: 'any-case' },
): Promise<B> {
  const value = await readJson(request, options)
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw new LibraryError('invalid-request', 'the body must be a JSON object')
  const { schema, keys } = options
  const result = schema.safeParse(keys === 'any-case' ? foldKeys(value, spellingsOf(schema), 0) : value)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const field = issue === undefined || issue.path.length === 0 ? 'the body' : z.core.toDotPath(issue.path)
  throw new LibraryError('invalid-request', `${field}: ${issue?.message ?? 'is not valid'}`, {
    ...(issue !== undefined && issue.path.length > 0 && { field }),
  })
}

/**
 * The bytes of an upload, with their announced length in bytes where one was given. Throws where
 * the host's parser has eaten them.
 */
export function readByteStream(
  request: LibraryRequest,
  idleSeconds: number,
): { readonly stream: AsyncIterable<Uint8Array>; readonly length: number | undefined } {
  const { body } = request
  switch (body.kind) {
    case 'none':
      return { stream: (async function* () {})(), length: 0 }
    case 'stream':
      return { stream: withIdleTimeout(body.stream, idleSeconds), length: body.length }
    case 'bytes':
      return {
        stream: (async function* () {
          yield body.bytes
        })(),
        length: body.bytes.length,
      }
    case 'parsed':
      throw new LibraryError(
        'invalid-request',
        'the bytes were read by a body parser of the host before they reached the registry: mount the registry before it, or exempt this path',
      )
  }
}

/** A stream of a socket fails when its client leaves; a host may have had a reason of its own. */
function brokenOff(cause: unknown): never {
  throw isLibraryError(cause) ? cause : new LibraryError('client-closed', undefined, { cause })
}

/**
 * Yields what the stream yields; throws `client-closed` when it breaks off, and `timeout` when
 * nothing comes for so many seconds. A slow stream that moves is never cut.
 */
export async function* withIdleTimeout(
  stream: AsyncIterable<Uint8Array>,
  idleSeconds: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const iterator = stream[Symbol.asyncIterator]()
  let timer: ReturnType<typeof setTimeout> | undefined
  let giveUp: (error: Error) => void = () => {}
  const arm = (): void => {
    timer = setTimeout(
      () => giveUp(new LibraryError('timeout', `no byte came for ${idleSeconds} seconds`)),
      idleSeconds * 1000,
    )
    timer.unref()
  }
  let finished = false
  try {
    for (;;) {
      const next = iterator.next().catch(brokenOff)
      const silence = new Promise<never>((_, reject) => {
        giveUp = reject
      })
      // one timer serves all chunks: refresh() is far cheaper than a new one
      if (timer === undefined) arm()
      else timer.refresh()
      const result = await Promise.race([next, silence])
      if (result.done === true) {
        finished = true
        return
      }
      yield result.value
    }
  } finally {
    clearTimeout(timer)
    // not awaited: an iterator that stands still would never return
    if (!finished) void Promise.resolve(iterator.return?.()).catch(() => {})
  }
}
