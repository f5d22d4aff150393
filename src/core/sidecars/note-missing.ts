/**
 * Sidecars that are missing: of what came back with an old backup after it was deleted, or of
 * everything, where the storage was copied without them.
 */
import type { MetadataStore, RecordChange } from '../../storage/metadata/contract.js'

const pageSize = 500

type Target = Omit<RecordChange, 'seq'>

/** Pages of a list that goes on after a cursor. */
async function* pagesOf<R>(
  list: (page: { readonly limit: number; readonly after?: string }) => Promise<readonly R[]>,
  cursorOf: (record: R) => string,
) {
  for (let after: string | undefined; ; ) {
    const page = await list({ limit: pageSize, after })
    yield* page
    const last = page.at(-1)
    if (last === undefined || page.length < pageSize) return
    after = cursorOf(last)
  }
}

/** All records that should have a sidecar. */
async function* targets({ metadata }: { readonly metadata: MetadataStore }): AsyncGenerator<Target, void, undefined> {
  const { entities, collections, containers, images } = metadata
  for await (const entity of pagesOf(entities.list, ({ name }) => name)) {
    yield { kind: 'entity', id: entity.id, digest: null }
    for await (const collection of pagesOf(
      (page) => collections.listOf(entity.id, page),
      ({ name }) => name,
    )) {
      yield { kind: 'collection', id: collection.id, digest: null }
      for await (const container of pagesOf(
        (page) => containers.listOf(collection.id, page),
        ({ name }) => name,
      ))
        yield { kind: 'container', id: container.id, digest: null }
    }
  }
  for await (const { image } of pagesOf(
    (page) => images.list({ ...page, states: ['published', 'unproven', 'damaged'] }),
    (found) => found.image.id,
  ))
    yield { kind: 'image', id: image.id, digest: image.digest }
}

/** Notes the records whose ids are not among those of the sidecars, so that they get one. */
export async function noteMissing(
  services: { readonly metadata: MetadataStore },
  seen: ReadonlySet<string>,
  isOver: () => boolean,
): Promise<void> {
  for await (const target of targets(services)) {
    if (isOver()) return
    if (!seen.has(target.id)) await services.metadata.changes.note(target)
  }
}
