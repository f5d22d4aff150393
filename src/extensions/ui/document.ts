/** The document of the page: where it lies, and what the host says about it. */
import { defaultTitle, type PageConfig } from './options.js'

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => escapes[character] as string)

/** Path of the page on the host, with a slash at its end. */
export const basePath = (publicUrl: string): string => `${new URL(publicUrl).pathname.replace(/\/+$/, '')}/ui/`

/**
 * Fills in the places of `template`. `publicUrl` is that of the mount: every other address of the
 * page is relative to the base, so that it works below any prefix.
 */
export function renderDocument(
  template: string,
  { publicUrl, config }: { readonly publicUrl: string; readonly config: PageConfig },
): string {
  const places: Readonly<Record<string, string>> = {
    base: basePath(publicUrl),
    title: config.title ?? defaultTitle,
    config: JSON.stringify(config),
  }
  return template.replace(/%sif-library\.(\w+)%/g, (place, name: string) => {
    const value = places[name]
    return value === undefined ? place : escapeHtml(value)
  })
}

/** A name of the registry, a tag or a hash of an image: what a path of a view may be made of. */
const segmentPattern = /^[A-Za-z0-9_][A-Za-z0-9._+:-]*$/

const plainViews = ['search', 'upload', 'usage', 'tokens', 'activity', 'admin', 'sign-in']

/** Whether the page has a view of this path below `ui/`. */
export function isViewPath(segments: readonly string[]): boolean {
  const [first, ...rest] = segments
  if (first === undefined) return true
  if (first === 'images')
    return rest.length >= 1 && rest.length <= 4 && rest.every((segment) => segmentPattern.test(segment))
  if (first === 'admin') return rest.length <= 1 && rest.every((segment) => /^[a-z]+$/.test(segment))
  return rest.length === 0 && plainViews.includes(first)
}
