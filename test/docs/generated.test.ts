/** `docs/http.md` and `docs/errors.md` are made from the code; this fails when they are stale. Renew: `npm run docs`. */
import { expect, test } from 'vitest'
import { errorTable } from '../../src/core/http/errors.js'
import type { RouteRow } from '../../src/core/route.js'
import { routes } from '../../src/core/routes.js'

const who = ({ access }: RouteRow): string =>
  access === 'public'
    ? 'anybody'
    : access === 'filtered'
      ? 'anybody, sees what they may'
      : 'asks' in access
        ? access.asks
        : access.action

function answer({ success }: RouteRow): string {
  const body = typeof success.schema === 'string' ? success.schema : 'JSON'
  return `${[success.status, ...(success.also ?? [])].join(', ')} ${body}`
}

function bodyOf({ body }: RouteRow): string {
  return typeof body === 'object' ? 'JSON' : body === 'bytes' ? 'bytes' : ''
}

test('docs/http.md shows the route table', async () => {
  const rows = routes.map((row) => {
    const query = row.query === undefined ? '' : `?${row.query.join('&')}`
    return `| \`${row.name}\` | \`${row.method} ${row.path}${query}\` | ${who(row)} | ${bodyOf(row)} | ${answer(row)} | ${row.summary} |`
  })
  const text = `# HTTP routes

<!-- Made from src/core/routes.ts by \`npm run docs\`; a test fails when it is stale. -->

All paths are below the mount prefix. Empty path segments are ignored, \`HEAD\` works where \`GET\` does, and a path that is not here is left to the host.
Sections are those of the protocol that the clients speak. \`{ref...}\` is \`entity/collection/container:selector\` or a shorter form. The whole thing as OpenAPI 3.1: \`GET openapi.json\`.

| name | request | who may | body | answer | |
|---|---|---|---|---|---|
${rows.join('\n')}

- **who may**: the action that is asked of your \`authorize\` hook for the resource that the request names ([auth](auth.md)).
- JSON answers are \`{"data": …}\`; errors are \`{"error": {"code": 404, "message": "…"}}\` ([errors](errors.md)). JSON bodies are read whatever their Content-Type says, with keys in any case.
- Every answer carries \`x-request-id\`, taken over from the request where the host set one; it is in the log line too.
- Every answer says \`cache-control: no-store\`, but the bytes of an image: any cache may keep those under their URL for as long as it is valid
  ([caches](operations.md#a-cache-in-front)).
- A pull leads to the object store, or to a transfer URL where the client would send its token to the store ([storage](storage.md#where-a-pull-is-sent)).
- Transfer URLs are capabilities: whoever holds one may move these bytes until it expires. They ignore an Authorization header.
`
  await expect(text).toMatchFileSnapshot('../../docs/http.md')
})

test('docs/errors.md shows the error table', async () => {
  const rows = Object.entries(errorTable).map(([code, { status, text }]) => `| \`${code}\` | ${status} | ${text} |`)
  const text = `# Errors

<!-- Made from src/core/http/errors.ts by \`npm run docs\`; a test fails when it is stale. -->

On the wire an error is \`{"error": {"code": STATUS, "message": "…"}}\`. The command lines print \`request did not succeed: MESSAGE (STATUS …)\`; for 404 most print their own words.

| code | status | meaning |
|---|---|---|
${rows.join('\n')}

Throw them from hooks, and recognise them by their brand: \`instanceof\` fails where two copies of the class are loaded (CommonJS and ESM).

\`\`\`js
import { isLibraryError, LibraryError } from 'sif-library'

throw new LibraryError('refused', 'the reason, for the person at the command line')
if (isLibraryError(error, 'not-found')) {
  // …
}
\`\`\`

- **Hidden and absent are the same 404.** Denied but visible is 403; anonymous where a token would help is 401, except for pulls, which are 404.
- A **500** message holds only a request id (503 and 507 say what is wrong, and no more); the cause is in the log line with that id, and in the event \`request.failed\`. Every answer has the id as
  \`x-request-id\`.
- Storage and metadata have error types of their own, \`StorageError\` (\`sif-library/storage\`) and \`MetadataError\` (\`sif-library/metadata\`), without any HTTP status.
`
  await expect(text).toMatchFileSnapshot('../../docs/errors.md')
})
