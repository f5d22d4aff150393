/** After a crash: holds the registry to what it has acknowledged, repeats what was interrupted, and looks for leftovers. */
import type { RegistryClient } from './client.js'
import type { ImageMaker } from './images.js'
import type { Entry, Ledger } from './ledger.js'
import { loadCore } from './package.js'
import type { Stack } from './stack.js'

export interface SettleContext {
  readonly ledger: Ledger
  readonly images: ImageMaker
  readonly client: RegistryClient
  readonly violation: (text: string) => void
  readonly onRepeated: () => void
}

async function checkBytes({ client, images, violation }: SettleContext, entry: Entry, selector: string): Promise<void> {
  const bytes = await client.pull(`${entry.path}:${selector}`)
  if (bytes === undefined) violation(`${entry.path}:${selector} was acknowledged and cannot be pulled`)
  else if (!bytes.equals(images(entry.number, entry.size).bytes))
    violation(`${entry.path}:${selector} gives other bytes than were pushed (${bytes.length} of ${entry.size})`)
}

async function checkThere(context: SettleContext, entry: Entry): Promise<void> {
  const selector = `sha256.${entry.digest}`
  const seen = await context.client.look(`${entry.path}:${selector}`)
  if (seen !== 'uploaded') context.violation(`${entry.path}:${selector} was acknowledged and is ${seen}`)
  else for (const each of [selector, ...entry.tags]) await checkBytes(context, entry, each)
}

/** What was never acknowledged may be there or not; what is readable has the right bytes. */
async function checkUnknown(context: SettleContext, entry: Entry): Promise<'there' | 'absent'> {
  const selector = `sha256.${entry.digest}`
  const seen = await context.client.look(`${entry.path}:${selector}`)
  if (seen === 'uploaded') {
    await checkBytes(context, entry, selector)
    return 'there'
  }
  if ((await context.client.pull(`${entry.path}:${selector}`)) !== undefined)
    context.violation(`${entry.path}:${selector} is ${seen}, and can be pulled`)
  return 'absent'
}

async function settleDeleted(context: SettleContext, entry: Entry): Promise<void> {
  const { client, ledger, violation } = context
  const reference = `${entry.path}:sha256.${entry.digest}`
  if (entry.deleted === 'yes') {
    const seen = await client.look(reference)
    if (seen !== 'absent') violation(`${reference} was deleted and is ${seen}`)
  } else if ((await checkUnknown(context, entry)) === 'there') {
    await checkThere(context, entry)
    if (!(await client.remove(reference))) violation(`${reference} is there, and cannot be deleted`)
  }
  ledger.forget(entry)
}

/** Every interrupted push must succeed when it is repeated. Resolves with whether all did. */
async function repeat(context: SettleContext, entry: Entry): Promise<boolean> {
  const { client, images, violation } = context
  let all = true
  for (const { kind, tag, tagged } of entry.tries) {
    if (tagged) continue
    try {
      await client.push({ path: entry.path, tag, kind, image: images(entry.number, entry.size) })
      entry.tags.add(tag)
      context.onRepeated()
    } catch (error) {
      all = false
      violation(`a push that was interrupted fails when it is repeated: ${kind} ${entry.path}: ${String(error)}`)
    }
  }
  return all
}

async function settleEntry(context: SettleContext, entry: Entry): Promise<void> {
  if (entry.deleted !== 'no') return settleDeleted(context, entry)
  for (const { tag, tagged } of entry.tries) if (tagged) entry.tags.add(tag)
  if (entry.tags.size > 0 || entry.tries.some(({ completed }) => completed)) await checkThere(context, entry)
  else await checkUnknown(context, entry)
  // one that failed again was not acknowledged, and is told already
  if (entry.tries.some(({ tagged }) => !tagged) && (await repeat(context, entry))) await checkThere(context, entry)
  if (entry.tags.size > 0) context.ledger.settle(entry)
  else context.ledger.forget(entry)
}

/** Checks everything that was touched since the last time, some at once. */
export async function settle(context: SettleContext): Promise<void> {
  const waiting = [...context.ledger.open]
  const work = async (): Promise<void> => {
    for (let entry = waiting.shift(); entry !== undefined; entry = waiting.shift()) {
      try {
        await settleEntry(context, entry)
      } catch (error) {
        context.violation(`the check of ${entry.path}:sha256.${entry.digest} failed: ${String(error)}`)
        context.ledger.forget(entry)
      }
    }
  }
  await Promise.all([work(), work(), work()])
}

/** Checks again what was found whole earlier. */
export async function recheck(context: SettleContext, entries: readonly Entry[]): Promise<void> {
  for (const entry of entries) {
    try {
      await checkThere(context, entry)
    } catch (error) {
      context.violation(
        `the check of ${entry.path}:sha256.${entry.digest}, which was whole before, failed: ${String(error)}`,
      )
    }
  }
}

export type Swept = Readonly<Record<'uploads' | 'blobs' | 'orphans' | 'temporary', number>>

const month = 30 * 86_400_000

/**
 * Sweeps with a clock that is a month ahead, so that no time protects anything, while nobody pushes; then nothing may lie in the storage but the blobs of
 * images, and the counters must be their sums. `verify` reads all blobs back.
 */
export async function sweepAndAudit(
  root: string,
  options: {
    readonly stack: Stack
    readonly violation: (text: string) => void
    readonly verify: boolean
    /** The records are older than the storage, which was copied while it changed: sidecars may know more, and lie there twice. Default: false. */
    readonly restored?: boolean
  },
): Promise<Swept> {
  const { stack, violation, verify, restored = false } = options
  const { createLibrary } = await loadCore(root)
  const { storage, metadata } = await stack.open()
  const library = createLibrary({
    publicUrl: 'http://localhost',
    storage,
    metadata,
    clock: () => Date.now() + 2 * month,
  })
  try {
    const swept = await library.sweep()
    const expected = new Map<string, number>()
    const imagesWithBytes = new Set<string>()
    const used = new Map<string, number>()
    for (let after: string | undefined, more = true; more; ) {
      const page = await metadata.images.list({ limit: 500, ...(after === undefined ? {} : { after }) })
      for (const { image, container } of page) {
        if (image.state === 'damaged') violation(`${container.entityName}: image ${image.digest} is damaged`)
        if (image.blobKey === null) continue
        expected.set(image.blobKey, image.size)
        imagesWithBytes.add(image.id)
        used.set(container.entityName, (used.get(container.entityName) ?? 0) + image.size)
      }
      after = page.at(-1)?.image.id
      more = page.length === 500
    }
    const { blobs, sidecars, leftovers } = await stack.contents()
    const described = new Set<string>()
    for (const key of sidecars.filter((each) => each.startsWith('records/images/'))) {
      const id = key.split('/')[4] ?? ''
      if (!imagesWithBytes.has(id) && !restored)
        violation(`left over after the sweep: ${key}, the sidecar of an image that is not there`)
      if (described.has(id) && !restored) violation(`left over after the sweep: an older sidecar of the image ${id}`)
      described.add(id)
    }
    for (const id of imagesWithBytes)
      if (!described.has(id)) violation(`the image ${id} has no sidecar after the sweep`)
    for (const leftover of leftovers) violation(`left over after the sweep: ${leftover}`)
    for (const key of blobs.keys())
      if (!expected.has(key)) violation(`left over after the sweep: ${key}, which no image has`)
    for (const [key, size] of expected)
      if (blobs.get(key) !== size) violation(`the blob ${key} has ${blobs.get(key)} bytes instead of ${size}`)
    for (const { name, usedBytes, reservedBytes } of await metadata.entities.list({ limit: 100 })) {
      const sum = used.get(name) ?? 0
      if (usedBytes !== sum) violation(`${name} counts ${usedBytes} used bytes, its images have ${sum}`)
      if (reservedBytes !== 0) violation(`${name} reserves ${reservedBytes} bytes, and no upload is open`)
    }
    const future = Date.now() + 12 * month
    for (const { id, state } of await metadata.uploads.findStale({ now: future, stuckSince: future, limit: 100 }))
      violation(`upload ${id} is ${state} after the sweep`)
    for (const { key } of await metadata.blobs.findUnreferenced({ before: future, limit: 100 }))
      violation(`the record of the blob ${key} is left over`)
    if (verify) {
      const { damaged, unreadable } = await library.verify({ all: true })
      if (damaged + unreadable > 0) violation(`verify found ${damaged} damaged and ${unreadable} unreadable images`)
    }
    return swept
  } finally {
    await library.close()
  }
}
