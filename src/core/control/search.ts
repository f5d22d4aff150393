/** The search box: some of each kind that match. */
import type { ImageInContainer, SearchPage } from '../../storage/metadata/contract.js'
import { LibraryError } from '../http/errors.js'
import { searchVisible } from '../images/search.js'
import type { UseCase } from './context.js'
import { imageOf } from './images.js'
import { read, type Shape, text } from './input.js'
import { collectionOf, containersOf, entityOf } from './place-records.js'
import type { Found } from './records.js'

export const searchQuery: Shape<{ q: string }> = {
  q: text(256).min(1).describe('at least three characters of a path, a tag or a description'),
}

const shown = 8

const known = <R>(records: readonly (R | undefined)[]): readonly R[] =>
  records.filter((record): record is Awaited<R> & R => record !== undefined)

export async function searchAll(useCase: UseCase, given: { readonly q: string }): Promise<Found> {
  const { services, asker } = useCase
  const { q } = read<{ q: string }>(searchQuery, given)
  if (Buffer.byteLength(q) < 3)
    throw new LibraryError('invalid-request', 'q: search for at least 3 characters', { field: 'q' })
  const { metadata } = services
  const query = { value: q, limit: shown }
  const page: SearchPage = asker.isOperator
    ? await metadata.search({ ...query, visibility: 'all' })
    : await searchVisible({ services, principal: asker.principal, request: asker.request }, query)
  const first = <R>(records: readonly R[]): readonly R[] => records.slice(0, shown)
  const ids = <R extends { readonly id: string }>(records: readonly R[]) => first(records).map(({ id }) => id)
  const [entities, collections, containers, images] = await Promise.all([
    Promise.all(ids(page.entities).map((id) => metadata.entities.findSummary(id))),
    Promise.all(ids(page.collections).map((id) => metadata.collections.findSummary(id))),
    Promise.all(ids(page.containers).map((id) => metadata.containers.findSummary(id))),
    Promise.all(
      first(page.images as readonly ImageInContainer[]).map(async ({ image, container }) => {
        const summary = await metadata.images.findSummary(image.id)
        return summary && imageOf(useCase, { container, image: summary })
      }),
    ),
  ])
  return {
    entities: await Promise.all(known(entities).map((record) => entityOf(useCase, record))),
    collections: await Promise.all(known(collections).map((record) => collectionOf(useCase, record))),
    containers: await containersOf(useCase, known(containers)),
    images: known(images),
  }
}
