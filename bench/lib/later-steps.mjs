/** What `src/storage/metadata/sql/later-steps.ts` does to an old database: its names. */
export const fillSteps = [
  'containers: sizes, latest tags and archs',
  'collections: sizes',
  'entities: images',
  'totals',
]

export const listIndexes = [
  ...['name', 'change', 'pulls', 'size'].flatMap((by) => [`containers_by_${by}`, `containers_of_entity_by_${by}`]),
  ...['name', 'change', 'size'].flatMap((by) => [
    `collections_by_${by}`,
    `collections_of_entity_by_${by}`,
    `entities_by_${by}`,
  ]),
  ...['containers_of_owner', 'containers_deleting', 'images_of_container', 'tags_by_name', 'tags_by_change'],
  ...['uploads_of_entity', 'uploads_under_way'],
]
