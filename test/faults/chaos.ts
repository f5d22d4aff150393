/** Clients that push, pull and delete until something is killed below them. */
import type { PushKind, RegistryClient } from './client.js'
import { Interrupted } from './http.js'
import type { ImageMaker } from './images.js'
import type { Entry, Ledger, PushTry } from './ledger.js'
import type { Random } from './random.js'
import type { Stack } from './stack.js'

export interface ChaosContext {
  readonly ledger: Ledger
  readonly random: Random
  readonly images: ImageMaker
  readonly sizes: Stack['sizes']
  readonly client: RegistryClient
  /** Numbers images and tags. */
  readonly nextNumber: () => number
  /** Something was broken, so that a failure proves nothing. */
  readonly broken: () => boolean
  readonly stopped: () => boolean
  readonly violation: (text: string) => void
  readonly count: (what: 'pushes' | 'acknowledged' | 'interrupted' | 'deletes' | 'pulls') => void
}

const entities = ['ada', 'bob']
const containers = ['one', 'two', 'three', 'four', 'five']

const reason = (error: unknown): string => (error instanceof Error ? `${error.name}: ${error.message}` : String(error))

async function push(context: ChaosContext, entry: Entry, kind: PushKind): Promise<void> {
  const { client, images, count } = context
  const attempt: PushTry = {
    kind,
    tag: `t${context.nextNumber()}`,
    completed: false,
    tagged: false,
    failure: undefined,
  }
  entry.tries.push(attempt)
  entry.busy += 1
  count('pushes')
  try {
    const image = images(entry.number, entry.size)
    await client.push({
      path: entry.path,
      tag: attempt.tag,
      image,
      kind,
      onCompleted: () => (attempt.completed = true),
    })
    attempt.tagged = true
    count('acknowledged')
  } catch (error) {
    attempt.failure = reason(error)
    count('interrupted')
    if (!context.broken())
      context.violation(`a push failed though nothing was broken: ${kind} ${entry.path}: ${attempt.failure}`)
  } finally {
    entry.busy -= 1
  }
}

function newEntry(context: ChaosContext, kind: PushKind): Entry {
  const { random, sizes, ledger, images } = context
  const { min, max } = sizes[kind === 'multipart' ? 'multipart' : 'single']
  const number = context.nextNumber()
  const size = random.between(min, max)
  const path = `${random.pick(entities)}/crash/${random.pick(containers)}`
  return ledger.entry({ path, number, size, digest: images(number, size).digest })
}

/** The bytes of an image that is there, in another container: the server may share the blob. */
function sharedEntry(context: ChaosContext): Entry | undefined {
  const { random, ledger } = context
  if (ledger.settled.length === 0) return undefined
  const { number, size, digest, path } = random.pick(ledger.settled)
  const other = `${random.pick(entities)}/shared/${random.pick(containers)}`
  return other === path ? undefined : ledger.entry({ path: other, number, size, digest })
}

async function remove({ ledger, random, client, ...context }: ChaosContext): Promise<void> {
  const idle = ledger.settled.filter(({ busy, deleted }) => busy === 0 && deleted === 'no')
  if (idle.length < 5) return
  const entry = random.pick(idle)
  ledger.touch(entry)
  entry.busy += 1
  entry.deleted = 'maybe'
  context.count('deletes')
  const [tag] = entry.tags
  try {
    const gone = await client.remove(
      entry.tags.size === 1 && tag !== undefined && random.chance(0.5)
        ? `${entry.path}:${tag}`
        : `${entry.path}:sha256.${entry.digest}`,
    )
    if (gone) entry.deleted = 'yes'
    else context.violation(`${entry.path}:sha256.${entry.digest} was not there to be deleted`)
  } catch (error) {
    if (!context.broken()) context.violation(`a delete failed though nothing was broken: ${reason(error)}`)
  } finally {
    entry.busy -= 1
  }
}

async function pull({ ledger, random, client, images, ...context }: ChaosContext): Promise<void> {
  const idle = ledger.settled.filter(({ deleted }) => deleted === 'no')
  if (idle.length === 0) return
  const entry = random.pick(idle)
  context.count('pulls')
  try {
    const bytes = await client.pull(`${entry.path}:sha256.${entry.digest}`)
    // it may have been deleted after it was picked
    if (entry.deleted !== 'no') return
    if (bytes?.equals(images(entry.number, entry.size).bytes) !== true)
      context.violation(`a pull of ${entry.path} gave other bytes, or none`)
  } catch (error) {
    if (entry.deleted === 'no' && !context.broken())
      context.violation(`a pull failed though nothing was broken: ${reason(error)}`)
    if (!(error instanceof Interrupted) && !context.broken() && entry.deleted === 'no') throw error
  }
}

async function act(context: ChaosContext): Promise<void> {
  const { random, ledger } = context
  const dice = random.next()
  if (dice < 0.12) return remove(context)
  if (dice < 0.2) return pull(context)
  const kind = random.pick<PushKind>(['single', 'multipart', 'multipart', 'single', 'direct'])
  if (dice < 0.3) {
    const shared = sharedEntry(context)
    // a deletion and a push of one image at once end in either order: what is true then cannot be told
    if (shared !== undefined && shared.deleted === 'no') return push(context, shared, 'single')
  }
  if (dice < 0.4) {
    const raced = [...ledger.open].filter(({ busy, deleted }) => busy > 0 && deleted === 'no')
    if (raced.length > 0) return push(context, random.pick(raced), kind)
  }
  return push(context, newEntry(context, kind), kind)
}

/** One client: acts until it is stopped. */
export async function runClient(context: ChaosContext): Promise<void> {
  while (!context.stopped()) await act(context)
}
