/** Rows of the page: the mount itself, and everything below `ui/`. */
import { defineRoute, type ExtensionRoute, emptyResponse } from '../../core/extension.js'
import type { UiOptions } from './options.js'
import { asksForHtml, type Page } from './page.js'

/** Rows of the page; nobody is asked, since the files are the same for all. */
export function uiRoutes(page: Page, { home = true }: Pick<UiOptions, 'home'>): readonly ExtensionRoute[] {
  const document = {
    access: 'public',
    standalone: true,
    body: 'none',
    success: { status: 200, schema: 'text' },
  } as const
  const routes = [
    defineRoute({
      ...document,
      name: 'ui.document',
      method: 'GET',
      path: '/ui',
      summary: 'The page',
      handler: ({ request }) => page.answer(request, []),
    }),
    defineRoute({
      ...document,
      name: 'ui.file',
      method: 'GET',
      path: '/ui/{path...}',
      summary: 'A view or a file of the page; 404 for everything else',
      handler: ({ request, rest }) => page.answer(request, rest),
    }),
  ]
  if (!home) return routes
  return [
    defineRoute({
      name: 'ui.home',
      method: 'GET',
      path: '/',
      summary: 'Leads browsers to the page; for other clients there is nothing here',
      access: 'public',
      standalone: true,
      body: 'none',
      success: { status: 302, schema: 'empty' },
      when: asksForHtml,
      handler: ({ request }) => emptyResponse(302, { location: page.base(request), vary: 'accept' }),
    }),
    ...routes,
  ]
}
