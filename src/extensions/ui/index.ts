/**
 * `sif-library/ui`: the web page of a registry, as static files below `ui/`. It talks to `/api/v1`
 * only.
 *
 *     createLibrary({ …, extensions: [libraryApi(), libraryUi({ title: 'Genome Centre images' })] })
 * @module
 */
import type { LibraryExtension } from '../../core/extension.js'
import { checkUiOptions, type UiOptions } from './options.js'
import { createPage } from './page.js'
import { uiRoutes } from './routes.js'

export type { UiLink, UiOptions } from './options.js'

/** Adds the page. Throws TypeError for an option that cannot work. */
export function libraryUi(options: UiOptions = {}): LibraryExtension {
  checkUiOptions(options)
  return {
    name: 'ui',
    setup: (host) => {
      const page = createPage(host, options)
      return {
        routes: uiRoutes(page, options),
        pages: { tokens: 'ui/tokens', container: (path) => `ui/images/${path}` },
        ready: page.ready,
      }
    },
  }
}
