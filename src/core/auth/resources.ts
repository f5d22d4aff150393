/** Records as the resources that rights are asked for. */
import type { CollectionRecord, ContainerRecord, EntityRecord } from '../../storage/metadata/contract.js'
import type { Resource } from './policy.js'

/** Of rows that name no place: whoever may not is told so, since there is nothing to hide. */
export const registryResource: Resource = {
  kind: 'registry',
  path: '',
  entity: '',
  private: true,
  owner: null,
}

export function entityResource(name: string, record: EntityRecord | undefined): Resource {
  return {
    kind: 'entity',
    path: name,
    entity: name,
    private: record?.defaultPrivate ?? false,
    owner: record?.owner ?? null,
  }
}

/** `isPrivate` counts where there is no record yet: what the collection would become. */
export function collectionResource(
  path: { readonly entity: string; readonly collection: string },
  record: CollectionRecord | undefined,
  isPrivate = false,
): Resource {
  const { entity, collection } = path
  return {
    kind: 'collection',
    path: `${entity}/${collection}`,
    entity,
    collection,
    private: record?.private ?? isPrivate,
    owner: record?.owner ?? null,
  }
}

export function containerResource(
  path: { readonly entity: string; readonly collection: string; readonly container: string },
  record: ContainerRecord | undefined,
  isPrivate = false,
): Resource {
  const { entity, collection, container } = path
  return {
    kind: 'container',
    path: `${entity}/${collection}/${container}`,
    entity,
    collection,
    container,
    private: record === undefined ? isPrivate : record.private || record.collectionPrivate,
    owner: record?.owner ?? null,
  }
}

/** Rights hang on the container; the selector is told for hooks that want it. */
export function imageResource(container: ContainerRecord, selector?: string): Resource {
  // without spreading: this is made for each GetImage
  const { entityName: entity, collectionName: collection, name } = container
  return {
    kind: 'image',
    path: `${entity}/${collection}/${name}`,
    entity,
    collection,
    container: name,
    private: container.private || container.collectionPrivate,
    owner: container.owner,
    selector,
  }
}
