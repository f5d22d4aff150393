/**
 * Answers of the page: the document for paths of views, files of the manifest as they are, nothing
 * else.
 */
import { createHash } from 'node:crypto'
import { type ExtensionHost, LibraryError, type LibraryRequest, type LibraryResponse } from '../../core/extension.js'
import { basePath, isViewPath, renderDocument } from './document.js'
import { type PageFile, type PageFiles, readPageFiles } from './files.js'
import { documentHeaders, fileHeaders } from './headers.js'
import type { PageConfig, UiOptions } from './options.js'

export interface Page {
  /** Learns where the store is. */
  readonly ready: () => Promise<void>
  /** Path of the page on the host. */
  readonly base: (request: LibraryRequest) => string
  /** Throws LibraryError `not-found` for a path that is neither a view nor a file. */
  readonly answer: (request: LibraryRequest, segments: readonly string[]) => Promise<LibraryResponse>
}

const headerOf = ({ headers }: LibraryRequest, name: string): string => {
  const value = headers[name]
  return (typeof value === 'string' ? value : value?.[0]) ?? ''
}

/** Whether a person reads the answer: programs do not ask for HTML. */
export const asksForHtml = (request: LibraryRequest): boolean => headerOf(request, 'accept').includes('text/html')

/** Whether the client takes this coding; `;q=0` refuses it (RFC 9110 12.5.3). */
function takes(request: LibraryRequest, coding: string): boolean {
  return headerOf(request, 'accept-encoding')
    .split(',')
    .map((entry) => entry.trim().split(/\s*;\s*/))
    .some(([name, ...parameters]) => name === coding && !parameters.some((entry) => /^q=0(?:\.0*)?$/.test(entry)))
}

function bodyResponse(
  request: LibraryRequest,
  body: Uint8Array | string,
  headers: Readonly<Record<string, string>>,
  status = 200,
): LibraryResponse {
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 27)}"`
  const known = headerOf(request, 'if-none-match')
    .split(',')
    .some((entry) => entry.trim().replace(/^W\//, '') === etag)
  if (known && status === 200) return { status: 304, headers: { ...headers, etag }, body: null }
  return { status, headers: { ...headers, etag, 'content-length': String(Buffer.byteLength(body)) }, body }
}

function fileResponse(request: LibraryRequest, file: PageFile): LibraryResponse {
  const coding = file.br !== undefined && takes(request, 'br') ? 'br' : takes(request, 'gzip') ? 'gzip' : undefined
  const compressed = coding === undefined ? undefined : file[coding]
  return bodyResponse(request, compressed ?? file.plain, {
    ...fileHeaders(file.worker),
    'content-type': file.type,
    'cache-control': file.immutable ? 'public, max-age=31536000, immutable' : 'no-cache',
    vary: 'accept-encoding',
    ...(compressed !== undefined && coding !== undefined && { 'content-encoding': coding }),
  })
}

/**
 * Origin that the URLs of the store have, where the browser meets the store itself. Asks the store
 * nothing.
 */
async function originOfStore({ storage }: ExtensionHost): Promise<string | undefined> {
  const { presign } = storage
  if (presign === undefined) return undefined
  const { url } = await presign.get('origin', { expiresSeconds: 60 })
  return new URL(url).origin
}

export function createPage(host: ExtensionHost, options: UiOptions): Page {
  const { frameAncestors = ["'self'"], folder, home: _home, ...config } = options
  const pageConfig: PageConfig = config
  let files: Promise<PageFiles> | undefined
  let headers = documentHeaders({ storeOrigin: undefined, frameAncestors })

  // images are served without it; the next request tries again
  const load = (): Promise<PageFiles> =>
    (files ??= readPageFiles(folder).catch((err: unknown) => {
      files = undefined
      host.logger.error({ err, folder }, 'the page cannot be read: in a checkout, type npm run build')
      throw new LibraryError('not-found', 'the page of this registry is not installed')
    }))

  const documentResponse = (request: LibraryRequest, { document }: PageFiles, status: number): LibraryResponse =>
    bodyResponse(
      request,
      renderDocument(document, { publicUrl: host.publicUrl(request), config: pageConfig }),
      { ...headers, 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-cache' },
      status,
    )

  return {
    ready: async () => {
      headers = documentHeaders({ storeOrigin: await originOfStore(host), frameAncestors })
    },
    base: (request) => basePath(host.publicUrl(request)),
    answer: async (request, segments) => {
      const page = await load()
      const file = page.files.get(segments.join('/'))
      if (file !== undefined) return fileResponse(request, file)
      if (isViewPath(segments)) return documentResponse(request, page, 200)
      // a person reads the same page as for an image that is not there
      if (asksForHtml(request)) return documentResponse(request, page, 404)
      throw new LibraryError('not-found', 'there is no such page')
    },
  }
}
