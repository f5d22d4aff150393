import type { Layout } from './layout.js'

/**
 * `full`: a write that resolved survives a power failure. `none`: it survives the end of the
 * process, and the operating system decides about the rest.
 */
export type Durability = 'full' | 'none'

export interface PublishOptions {
  readonly key: string
  /**
   * The finished file, outside of `keys`. What is left of it, the caller removes; where publishing
   * failed, it is there as it was.
   */
  readonly source: string
  readonly target: string
  readonly layout: Layout
  readonly durability: Durability
}
