/** Puts the use cases together as one `Control`. */
import type { Accounts } from '../auth/accounts.js'
import type { Services } from '../services.js'
import type { Asker } from './asker.js'
import * as changes from './change-places.js'
import type { UseCase } from './context.js'
import type { Control, Listing, ListingOf } from './control.js'
import { listEvents } from './events.js'
import * as images from './images.js'
import * as lists from './lists.js'
import * as makes from './make-places.js'
import { everyItem } from './pages.js'
import type { Page, PageQuery } from './records.js'
import { searchAll } from './search.js'
import { getSession } from './session.js'
import { listSpaces } from './spaces.js'
import * as tags from './tags.js'
import * as tokens from './tokens.js'
import * as uploads from './uploads.js'
import * as usage from './usage.js'

/** Runs one use case: once the stores are ready, and so that `close` waits for it. */
export type Run = <T>(work: () => Promise<T>) => Promise<T>

export interface ControlParts {
  readonly services: Services
  readonly accounts: Accounts
  readonly run: Run
}

export function createControl({ services, accounts, run }: ControlParts, asker: Asker): Control {
  const useCase: UseCase = { services, accounts, asker }
  /** A use case with the one who asks bound to it. */
  const bind =
    <A extends readonly unknown[], R>(work: (useCase: UseCase, ...args: A) => Promise<R>) =>
    (...args: A): Promise<R> =>
      run(() => work(useCase, ...args))
  const listing = <Q, T>(
    work: (useCase: UseCase, query?: Q & PageQuery) => Promise<Page<T>>,
  ): Pick<Listing<Q, T>, 'list' | 'all'> => {
    const list = bind(work)
    return { list, all: (query) => everyItem(list, query) }
  }
  const listingOf = <Q, T>(
    work: (useCase: UseCase, path: string, query?: Q & PageQuery) => Promise<Page<T>>,
  ): ListingOf<Q, T> => {
    const list = bind(work)
    return { list, all: (path, query) => everyItem((page: Q & PageQuery) => list(path, page), query) }
  }
  return {
    session: { get: bind(getSession) },
    spaces: { list: bind(listSpaces) },
    tokens: { list: bind(tokens.listTokens), create: bind(tokens.createToken), revoke: bind(tokens.revokeToken) },
    entities: {
      ...listing(lists.listEntities),
      get: bind(lists.getEntity),
      create: bind(makes.createEntity),
      update: bind(changes.updateEntity),
      delete: bind(changes.deleteEntity),
      preview: bind(changes.previewEntity),
    },
    collections: {
      ...listing(lists.listCollections),
      get: bind(lists.getCollection),
      create: bind(makes.createCollection),
      update: bind(changes.updateCollection),
      delete: bind(changes.deleteCollection),
      preview: bind(changes.previewCollection),
    },
    containers: {
      ...listing(lists.listContainers),
      get: bind(lists.getContainer),
      create: bind(makes.createContainer),
      update: bind(changes.updateContainer),
      delete: bind(changes.deleteContainer),
      preview: bind(changes.previewContainer),
    },
    tags: {
      ...listingOf(tags.listTags),
      get: bind(tags.getTag),
      set: bind(tags.putTag),
      delete: bind(tags.deleteTag),
    },
    history: listingOf(tags.listHistory),
    images: {
      ...listingOf(images.listImages),
      get: bind(images.getImage),
      update: bind(images.updateImage),
      delete: bind(images.deleteImage),
      preview: bind(images.previewImage),
      details: bind(images.inspectImage),
      pullUrl: bind(images.pullUrl),
    },
    uploads: {
      ...listing(uploads.listUploads),
      start: bind(uploads.startUploading),
      get: bind(uploads.getUpload),
      parts: bind(uploads.openParts),
      complete: bind(uploads.completeUpload),
      abort: bind(uploads.abortUploading),
    },
    search: (q) => run(() => searchAll(useCase, { q })),
    usage: { get: bind(usage.getUsage), history: bind(usage.usageHistory) },
    pulls: bind(usage.listPulls),
    stats: bind(usage.getStats),
    events: listing(listEvents),
  }
}
