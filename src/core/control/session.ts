/** Who asks, and what registry this is. */
import { registryResource } from '../auth/resources.js'
import { packageVersion } from '../version.js'
import { canOf } from './asker.js'
import type { UseCase } from './context.js'
import type { Session } from './records.js'

export async function getSession({ services, asker }: UseCase): Promise<Session> {
  const { settings } = services
  const { principal, request } = asker
  const { can = [] } = await canOf(asker, { with: 'can' }, registryResource)
  return {
    principal: principal === null ? null : { id: principal.id, name: principal.name, admin: principal.admin === true },
    can,
    registry: {
      url: settings.publicUrl(request),
      version: packageVersion,
      defaults: {
        entity: settings.defaultEntity,
        collection: settings.defaultCollection,
        arch: settings.defaultArch,
      },
      limits: { maxImageBytes: settings.limits.maxImageBytes, partBytes: settings.limits.partBytes },
    },
  }
}
