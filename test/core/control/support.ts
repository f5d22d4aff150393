/** A registry with the API on, and images in it, for the tests of the use cases. */
import { libraryApi } from '../../../src/extensions/api/index.js'
import { type Pushed, push } from '../../support/push.js'
import { createTestRegistry, type TestRegistry, type TestRegistryOptions } from '../../support/registry.js'

export const bytesOf = (text: string): Buffer => Buffer.from(`the bytes of ${text}, more than a header has of them`)

export interface ControlWorld extends TestRegistry {
  /** Pushes an image as a client does. */
  push(path: string, text: string, tags?: readonly string[], token?: string): Promise<Pushed>
}

export async function createControlWorld(options: TestRegistryOptions = {}): Promise<ControlWorld> {
  const registry = await createTestRegistry({
    ...options,
    library: { extensions: [libraryApi()], ...options.library },
  })
  return {
    ...registry,
    push: (path, text, tags = ['latest'], token) =>
      push(registry, path, bytesOf(text), { tags, ...(token !== undefined && { token }) }),
  }
}
