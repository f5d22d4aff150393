/** What the rooms work with: the options of a host with every default filled in. */
import type { Logger } from './http/logger.js'
import type { LibraryRequest } from './http/messages.js'
import type { LibraryLimits } from './limits.js'

/** The options with every default filled in. */
export interface Settings {
  readonly publicUrl: (request: LibraryRequest) => string
  readonly transfer: 'auto' | 'proxy'
  readonly multipart: boolean
  readonly defaultPrivate: boolean
  readonly requireSif: boolean
  readonly acceptStorage: boolean
  readonly defaultEntity: string
  readonly defaultCollection: string
  readonly defaultArch: string
  readonly keyserver: string | undefined
  readonly tokenPage: string | undefined
  readonly containerUrl: (path: string) => string
  readonly limits: Required<LibraryLimits>
  readonly clock: () => number
  readonly generateId: () => string
  readonly logger: Logger
}
