/** What the harness was told by the server, and so what must be true after a crash. */
import type { PushKind } from './client.js'

export interface PushTry {
  readonly kind: PushKind
  readonly tag: string
  /** The server answered that the bytes are published. */
  completed: boolean
  /** The server answered that the tag is set: the push was acknowledged. */
  tagged: boolean
  /** Why it ended before. */
  failure: string | undefined
}

/** One image in one container. */
export interface Entry {
  readonly path: string
  readonly digest: string
  /** Names the bytes: see `ImageMaker`. */
  readonly number: number
  readonly size: number
  readonly tries: PushTry[]
  /** Tags that were acknowledged. */
  readonly tags: Set<string>
  /** `maybe`: the answer to the deletion never came. */
  deleted: 'no' | 'maybe' | 'yes'
  /** Somebody works on it. */
  busy: number
}

export class Ledger {
  /** Proven to be there, quiet. */
  readonly settled: Entry[] = []
  /** Touched since the last check. */
  readonly open = new Set<Entry>()
  readonly #byName = new Map<string, Entry>()

  entry(image: Pick<Entry, 'path' | 'digest' | 'number' | 'size'>): Entry {
    const name = `${image.path}:${image.digest}`
    const known = this.#byName.get(name)
    if (known !== undefined) {
      this.touch(known)
      return known
    }
    const entry: Entry = { ...image, tries: [], tags: new Set(), deleted: 'no', busy: 0 }
    this.#byName.set(name, entry)
    this.open.add(entry)
    return entry
  }

  touch(entry: Entry): void {
    const index = this.settled.indexOf(entry)
    if (index >= 0) this.settled.splice(index, 1)
    this.open.add(entry)
  }

  settle(entry: Entry): void {
    this.open.delete(entry)
    entry.tries.length = 0
    entry.deleted = 'no'
    this.settled.push(entry)
  }

  forget(entry: Entry): void {
    this.open.delete(entry)
    const index = this.settled.indexOf(entry)
    if (index >= 0) this.settled.splice(index, 1)
    this.#byName.delete(`${entry.path}:${entry.digest}`)
  }
}
