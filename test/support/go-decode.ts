/**
 * Whether a client would decode a JSON answer: the rules of Go's encoding/json (protocol 3.4) over the types of protocol 4, and the ids as Singularity 3.0-3.2 wants them (2.4).
 * `decodeAs` throws with the path of the first wrong field.
 */
type Check = (value: unknown, at: string) => void

function fail(at: string, what: string, value: unknown): never {
  throw new Error(`${at}: ${what}, not ${JSON.stringify(value)?.slice(0, 100)}`)
}

/** null keeps the zero value of every Go type. */
const nullable =
  (check: Check): Check =>
  (value, at) => {
    if (value !== null) check(value, at)
  }

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const text: Check = nullable((value, at) => {
  if (typeof value !== 'string') fail(at, 'a string', value)
})
export const bool: Check = nullable((value, at) => {
  if (typeof value !== 'boolean') fail(at, 'true or false', value)
})
export const int: Check = nullable((value, at) => {
  if (!Number.isSafeInteger(value)) fail(at, 'an integer', value)
})
const rfc3339 =
  /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/
export const time: Check = nullable((value, at) => {
  if (typeof value !== 'string' || !rfc3339.test(value)) fail(at, 'an RFC 3339 time', value)
})
/** A Mongo ObjectId: the 3.0 clients panic on an empty one. */
export const id: Check = (value, at) => {
  if (typeof value !== 'string' || !/^[0-9a-f]{24}$/.test(value)) fail(at, 'an id of 24 hex digits', value)
}
export const list = (check: Check): Check =>
  nullable((value, at) => {
    if (!Array.isArray(value)) fail(at, 'a list', value)
    value.forEach((item, index) => {
      check(item, `${at}[${index}]`)
    })
  })
export const map = (check: Check): Check =>
  nullable((value, at) => {
    if (!isObject(value)) fail(at, 'an object (a list fails the push)', value)
    for (const [key, item] of Object.entries(value)) check(item, `${at}.${key}`)
  })

/** Keys match in any case, unknown ones are ignored, `needed` ones must be there (protocol 4: "What push needs back"). */
export const struct = (fields: Readonly<Record<string, Check>>, needed: readonly string[] = []): Check => {
  const folded = new Map(Object.entries(fields).map(([key, check]) => [key.toLowerCase(), check]))
  return nullable((value, at) => {
    if (!isObject(value)) fail(at, 'an object', value)
    for (const [key, item] of Object.entries(value)) folded.get(key.toLowerCase())?.(item, `${at}.${key}`)
    for (const key of needed)
      if (value[key] === undefined || value[key] === null || value[key] === '')
        fail(`${at}.${key}`, 'needed', value[key])
  })
}

const common = {
  deleted: bool,
  createdBy: text,
  createdAt: time,
  updatedBy: text,
  updatedAt: time,
  deletedBy: text,
  deletedAt: time,
  owner: text,
}

export const entity: Check = struct(
  {
    ...common,
    id,
    name: text,
    description: text,
    collections: list(id),
    size: int,
    quota: int,
    defaultPrivate: bool,
    customData: text,
  },
  ['id', 'name'],
)
export const collection: Check = struct(
  {
    ...common,
    id,
    name: text,
    description: text,
    entity: id,
    containers: list(id),
    size: int,
    private: bool,
    customData: text,
    entityName: text,
  },
  ['id', 'name'],
)
export const container: Check = struct(
  {
    ...common,
    id,
    name: text,
    description: text,
    fullDescription: text,
    collection: id,
    images: list(id),
    imageTags: map(id),
    archTags: map(map(id)),
    size: int,
    downloadCount: int,
    stars: int,
    private: bool,
    readOnly: bool,
    customData: text,
    entity: id,
    entityName: text,
    collectionName: text,
  },
  ['id', 'name'],
)
export const image: Check = struct(
  {
    ...common,
    id,
    hash: text,
    description: text,
    container: id,
    blob: text,
    size: int,
    uploaded: bool,
    signed: bool,
    arch: text,
    fingerprints: list(text),
    encrypted: bool,
    customData: text,
    entity: id,
    entityName: text,
    collection: id,
    collectionName: text,
    containerName: text,
    tags: list(text),
    containerDescription: text,
    containerStars: int,
    containerDownloads: int,
  },
  ['id', 'hash', 'uploaded'],
)
const uploadComplete = struct({ quota: struct({ quotaTotal: int, quotaUsage: int }), containerUrl: text }, [
  'quota',
  'containerUrl',
])
const search = struct({
  entity: list(entity),
  collection: list(collection),
  container: list(container),
  image: list(image),
})

const enveloped = (data: Check): Check =>
  struct(
    { data, error: struct({ code: int, message: text }), page: struct({ prev: text, next: text, totalSize: int }) },
    ['data'],
  )
const errorEnvelope = struct({ error: struct({ code: int, message: text }, ['code', 'message']) }, ['error'])

/** What each row answers with on success; `undefined` for rows whose body no client decodes as JSON. */
const answers: Readonly<Record<string, Check | undefined>> = {
  version: enveloped(struct({ version: text, apiVersion: text }, ['version', 'apiVersion'])),
  discovery: map(map(() => {})),
  'token.status': struct({}),
  'token.page': undefined,
  'oci.redirect': undefined,
  'rbac.user': undefined,
  health: struct({ status: text }),
  readiness: struct({ status: text, metadata: bool, storage: bool }),
  openapi: struct({ openapi: text }),
  'entities.get': enveloped(entity),
  'entities.create': enveloped(entity),
  'collections.get': enveloped(collection),
  'collections.create': enveloped(collection),
  'containers.get': enveloped(container),
  'containers.create': enveloped(container),
  'images.get': enveloped(image),
  'images.create': enveloped(image),
  'images.delete': enveloped(image),
  'images.pull': undefined,
  search: enveloped(search),
  'uploads.direct': undefined,
  'uploads.startSingle': enveloped(struct({ uploadURL: text }, ['uploadURL'])),
  'uploads.completeSingle': enveloped(uploadComplete),
  'uploads.startMultipart': enveloped(
    struct({ uploadID: text, totalParts: int, partSize: int, options: map(text) }, [
      'uploadID',
      'totalParts',
      'partSize',
    ]),
  ),
  'uploads.presignPart': enveloped(struct({ presignedURL: text }, ['presignedURL'])),
  'uploads.completeMultipart': enveloped(uploadComplete),
  'uploads.abort': enveloped(struct({})),
  'transfers.get': undefined,
  'transfers.put': undefined,
  'tags.getV1': enveloped(map(id)),
  'tags.setV1': enveloped(map(id)),
  'tags.getV2': enveloped(map(map(id))),
  'tags.setV2': enveloped(map(map(id))),
}

/** One value and nothing behind it; numbers as plain integers: Go refuses `1.0` and `1e3` where it wants an int. */
function parse(body: string): unknown {
  const value: unknown = JSON.parse(body)
  const withoutText = body.replace(/"(?:[^"\\]|\\.)*"/g, '""')
  for (const [number] of withoutText.matchAll(/-?\d[\d.eE+-]*/g))
    if (!/^-?\d+$/.test(number)) throw new Error(`the number ${number} is no plain integer`)
  return value
}

/** Throws unless a client of any generation decodes this body of a row; `status` decides between answer and error envelope. */
export function decodeAs(row: string, { status, body }: { readonly status: number; readonly body: string }): void {
  if (!(row in answers)) throw new Error(`no type is known for the row ${row}`)
  if (status >= 400 && row !== 'readiness') {
    errorEnvelope(parse(body), 'body')
    return
  }
  const check = answers[row]
  if (check !== undefined) check(parse(body), 'body')
}

/** Rows that a type is known for. */
export const decodedRows: readonly string[] = Object.keys(answers)
