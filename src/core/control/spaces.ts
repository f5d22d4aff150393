/** Entities that somebody may push to. */
import type { EntityRecord } from '../../storage/metadata/contract.js'
import { entityResource } from '../auth/resources.js'
import { LibraryError } from '../http/errors.js'
import type { UseCase } from './context.js'
import type { Space } from './records.js'

const maxSpaces = 200
/** Rows at once, and pages of them, where each entity must be asked about. */
const rowsAtOnce = 200
const maxRounds = 20

/** Names that are worth asking about; undefined: any entity may be one. */
async function candidates({ services, asker }: UseCase): Promise<readonly string[] | undefined> {
  const { principal } = asker
  if (asker.isOperator || principal === null) return asker.isOperator ? undefined : []
  const { filter } = await asker.visibility()
  if (filter === 'all') return undefined
  const named = filter === 'public' ? [] : filter.entities
  return services.auth.visible === undefined ? undefined : [...new Set([principal.name, ...named])]
}

async function* candidateRecords(useCase: UseCase): AsyncGenerator<EntityRecord | string> {
  const { entities } = useCase.services.metadata
  const names = await candidates(useCase)
  if (names !== undefined) {
    for (const name of names) yield (await entities.findByName(name)) ?? name
    return
  }
  let after: string | undefined
  for (let round = 0; round < maxRounds; round += 1) {
    const records = await entities.list({ limit: rowsAtOnce, ...(after !== undefined && { after }) })
    yield* records
    after = records.at(-1)?.name
    if (records.length < rowsAtOnce) return
  }
}

/** By name; an entity of one's own that nothing was pushed to yet is among them. */
export async function listSpaces(useCase: UseCase): Promise<readonly Space[]> {
  const { services, asker } = useCase
  if (asker.principal === null && !asker.isOperator) throw new LibraryError('unauthorized', 'log in to see your spaces')
  const { defaultPrivate, limits } = services.settings
  const spaces: Space[] = []
  for await (const found of candidateRecords(useCase)) {
    const record = typeof found === 'string' ? undefined : found
    const name = typeof found === 'string' ? found : found.name
    const resource = { ...entityResource(name, record), ...(record === undefined && { private: defaultPrivate }) }
    if (!(await asker.may('push', resource))) continue
    const quota = record?.quotaBytes ?? limits.maxEntityBytes
    spaces.push({
      name,
      usedBytes: record?.usedBytes ?? 0,
      reservedBytes: record?.reservedBytes ?? 0,
      quotaBytes: quota === 0 ? null : quota,
    })
    if (spaces.length === maxSpaces) break
  }
  return spaces.sort((a, b) => (a.name < b.name ? -1 : 1))
}
