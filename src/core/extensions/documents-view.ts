/** The documents of one extension. */
import type { MetadataStore } from '../../storage/metadata/contract.js'
import type { ExtensionDocuments } from '../extension.js'

const maxTextLength = 512
const maxValueBytes = 4 * 1024 ** 2

function checkText(what: string, text: string | null | undefined): void {
  if (text !== null && text !== undefined && text.length > maxTextLength)
    throw new TypeError(`the ${what} of a document has ${text.length} characters: ${maxTextLength} at the most`)
}

export function documentsOf(
  { metadata, clock }: { readonly metadata: MetadataStore; readonly clock: () => number },
  extension: string,
): ExtensionDocuments {
  const { documents } = metadata
  return {
    get: (kind, id) => documents.get(extension, kind, id),
    put: async (kind, id, { value, index, expected }) => {
      checkText('kind', kind)
      checkText('id', id)
      checkText('index', index)
      const json = JSON.stringify(value)
      if (json === undefined) throw new TypeError('the value of a document is no JSON')
      const bytes = Buffer.byteLength(json)
      if (bytes > maxValueBytes)
        throw new TypeError(`the value of a document has ${bytes} bytes: ${maxValueBytes} at the most`)
      return documents.put(extension, kind, id, {
        value,
        now: clock(),
        index,
        expected,
      })
    },
    delete: (kind, id, expected) => documents.delete(extension, kind, id, expected),
    list: (kind, page) => documents.list(extension, kind, page),
  }
}
