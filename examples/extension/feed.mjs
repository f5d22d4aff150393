// An extension: what was published lately, as Atom (RFC 4287) and as JSON Feed 1.1, for whoever may pull it.
import { createHash } from 'node:crypto'
import { defineRoute, textResponse } from 'sif-library/extension'

/** `shown`: entries of a feed. `kept`: entries that are remembered; more than `shown`, as not everybody sees every image. */
export function feed({ title = 'Recently published', shown = 20, kept = 200 } = {}) {
  return {
    name: 'feed',
    setup: (host) => {
      const { documents, metadata } = host

      async function forget(imageId) {
        for (const { id } of await documents.list('entry', { index: imageId, limit: 10 }))
          await documents.delete('entry', id)
      }
      // ids in the order of time, so that a list is in that order too; the image is the index, to find it again
      async function remember({ at, imageId }) {
        await forget(imageId)
        await documents.put('entry', `${String(at).padStart(15, '0')}-${imageId}`, {
          value: { imageId },
          index: imageId,
        })
      }
      async function trim() {
        const last = (await documents.list('entry', { newestFirst: true, limit: kept }))[kept - 1]
        if (last === undefined) return
        const old = await documents.list('entry', { newestFirst: true, after: last.id, limit: 1000 })
        for (const { id } of old) await documents.delete('entry', id)
      }

      /** The newest images that may be shown. A document says that there was one; its record says how it is now. */
      async function entriesFor({ principal, request }) {
        const entries = []
        for (const { value } of await documents.list('entry', { newestFirst: true, limit: kept })) {
          const found = await metadata.images.find(value.imageId)
          if (found === undefined || !['published', 'unproven'].includes(found.image.state)) continue
          const { image, container } = found
          const { entityName: entity, collectionName: collection, name, owner } = container
          const path = `${entity}/${collection}/${name}`
          const isPrivate = container.private || container.collectionPrivate
          const resource = { kind: 'image', path, entity, collection, container: name, private: isPrivate, owner }
          if (!(await host.may({ principal, request, action: 'pull', resource }))) continue
          const url = `${host.publicUrl(request)}/v1/images/${path}:sha256.${image.digest}`
          const updated = new Date(image.publishedAt ?? image.updatedAt).toISOString()
          const reference = `library://${path}:sha256.${image.digest}`
          entries.push({ url, title: path, author: entity, updated, text: image.description || reference })
          if (entries.length === shown) break
        }
        return entries
      }

      const row = (name, type, write) =>
        defineRoute({
          name: `feed.${name}`,
          method: 'GET',
          path: `/feed.${name}`,
          summary: `${title}, as ${type}`,
          access: 'filtered',
          body: 'none',
          success: { status: 200, also: [304], schema: 'text' },
          handler: async (context) => {
            const self = `${host.publicUrl(context.request)}/feed.${name}`
            const text = write({ title, self, entries: await entriesFor(context) })
            const etag = `"${createHash('sha256').update(text).digest('base64url')}"`
            // each reader sees their own feed: it is kept by nobody else, and asked for again every time
            const headers = { etag, 'cache-control': 'private, no-cache', vary: 'authorization' }
            const known = context.request.headers['if-none-match']
            if (known?.includes(etag)) return { status: 304, headers, body: null }
            const answer = textResponse(text, type)
            return { ...answer, headers: { ...answer.headers, ...headers } }
          },
        })

      return {
        routes: [row('atom', 'application/atom+xml; charset=utf-8', atom), row('json', 'application/feed+json', json)],
        on: {
          'image.published': (event) => host.inBackground(() => remember(event)),
          'image.deleted': ({ imageId }) => host.inBackground(() => forget(imageId)),
        },
        jobs: [{ name: 'trim', everySeconds: 3600, run: trim }],
      }
    },
  }
}

/** Text for XML 1.0: marks as entities, and no character that a document may not have. */
const xml = (text) =>
  text
    .replace(/[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, '')
    .replace(/[&<>"']/g, (mark) => `&#${mark.codePointAt(0)};`)

const atom = ({ title, self, entries }) => `<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom">
  <id>${xml(self)}</id>
  <title>${xml(title)}</title>
  <updated>${entries[0]?.updated ?? new Date(0).toISOString()}</updated>
  <link rel="self" href="${xml(self)}"/>
${entries.map(atomEntry).join('')}</feed>
`

const atomEntry = ({ url, title, author, updated, text }) => `  <entry>
    <id>${xml(url)}</id>
    <title>${xml(title)}</title>
    <updated>${updated}</updated>
    <author><name>${xml(author)}</name></author>
    <link href="${xml(url)}"/>
    <summary>${xml(text)}</summary>
  </entry>
`

const json = ({ title, self, entries }) =>
  JSON.stringify({
    version: 'https://jsonfeed.org/version/1.1',
    title,
    feed_url: self,
    items: entries.map(({ url, title, author, updated, text }) => ({
      ...{ id: url, url, title, content_text: text, date_published: updated, authors: [{ name: author }] },
    })),
  })
