/** Vitest's global set-up: builds the package once, before several test files want it at the same time. */
import { ensureBuilt } from './build.js'

export const setup: () => Promise<void> = ensureBuilt
