/** `?preview` of a deletion: says what goes, and deletes nothing. */
import { z } from 'zod'
import type { ShownQuery } from '../../core/control/schemas.js'
import { LibraryError } from '../../core/extension.js'
import type { Call } from './row.js'

export const previewQuery: ShownQuery = {
  preview: z.enum(['', 'true', 'false']).optional().describe('says what goes, and deletes nothing'),
}

/** The query without it. */
export function wantsPreview({ query }: Call): { readonly isPreview: boolean; readonly query: object } {
  const { preview, ...rest } = query
  if (preview !== undefined && !['', 'true', 'false'].includes(preview))
    throw new LibraryError('invalid-request', 'preview: true or false', { field: 'preview' })
  return { isPreview: preview === '' || preview === 'true', query: rest }
}
