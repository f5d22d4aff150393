import { dataFolder, readServerRecord } from './data-folder.js'
import { WorkError } from './failure.js'
import type { Settings } from './options/table.js'

/**
 * Where clients reach the registry: as the settings say, else as `serve` on this data folder does.
 * Throws WorkError.
 */
export async function findRegistryUrl(settings: Pick<Settings, 'data' | 'url' | 'publicUrl'>): Promise<string> {
  const record = await readServerRecord(dataFolder(settings))
  const url = settings.url ?? settings.publicUrl ?? record?.publicUrl ?? record?.url
  if (url === undefined)
    throw new WorkError('serve does not run on this data folder: say where the registry is with --url')
  return url
}
