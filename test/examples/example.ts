import type { Library } from '../../src/core/index.js'

/** What `buildApp` of every example returns, beside the app of its framework. */
export interface Example {
  readonly library: Library
}
