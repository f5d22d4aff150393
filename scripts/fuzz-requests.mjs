/** Hostile raw HTTP requests out of a seed. */

/** Mulberry32: small, and the same everywhere. */
export function random(seed) {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let value = Math.imul(state ^ (state >>> 15), state | 1)
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61)
    return ((value ^ (value >>> 14)) >>> 0) / 4_294_967_296
  }
  const below = (limit) => Math.floor(next() * limit)
  return { next, below, pick: (list) => list[below(list.length)], chance: (probability) => next() < probability }
}

const methods = [
  'GET',
  'GET',
  'GET',
  'POST',
  'POST',
  'PUT',
  'PUT',
  'DELETE',
  'HEAD',
  'PATCH',
  'OPTIONS',
  'TRACE',
  'PROPFIND',
  'M-SEARCH',
  'get',
  'CONNECT',
  '',
  'G\0T',
  'constructor',
]
const odd = [
  ...[
    '',
    '.',
    '..',
    '%2e%2e',
    '%2f',
    '%5c',
    '%00',
    '%',
    '%zz',
    '%ff',
    '%c0%af',
    '%ud800',
    ':',
    '::',
    ':latest',
    ':v1,v2',
    'sha256.',
    '__proto__',
    'constructor',
    'toString',
  ],
  ...[
    'A',
    'ä',
    '\u202e',
    'a'.repeat(300),
    'a'.repeat(9000),
    '*',
    '?',
    '??',
    '#',
    ';',
    '|',
    '`id`',
    '$(id)',
    '{{7*7}}',
    '<script>',
    "' OR 1=1 --",
    '((',
    '[a-z]+',
    '\\',
    '\t',
    '1e308',
    '-1',
    '0x10',
    'null',
  ],
]
const fixedPaths = [
  ...[
    '/version',
    '/healthz',
    '/readyz',
    '/openapi.json',
    '/auth/tokens',
    '/v1/token-status',
    '/assets/config/config.prod.json',
    '/v1/oci-redirect?namespace=x',
  ],
  '/v1/rbac/users/current',
]
const values = [
  ...[
    null,
    true,
    false,
    0,
    -0,
    -1,
    1.5,
    1e308,
    -1e308,
    2 ** 53,
    2 ** 53 - 1,
    1e30,
    '',
    'x',
    'a\0b',
    '\ud800',
    '\u202e',
    '../x',
    '__proto__',
    'x'.repeat(300),
    'x'.repeat(20_000),
  ],
  ...[
    [],
    {},
    [[]],
    [null],
    { a: { b: { c: {} } } },
    { __proto__: 1 },
    Array(50).fill({ partNumber: 1, token: 'x' }),
    `sha256.${'a'.repeat(64)}`,
    'a'.repeat(64),
  ],
]
const fields = [
  ...[
    'name',
    'Name',
    'description',
    'entity',
    'collection',
    'container',
    'hash',
    'filesize',
    'md5sum',
    'sha256sum',
    'uploadID',
    'uploadid',
    'partSize',
    'partNumber',
  ],
  ...[
    'completedParts',
    'tag',
    'Tag',
    'ImageID',
    'Arch',
    'private',
    'quota',
    'uploaded',
    'uploadState',
    '__proto__',
    'constructor',
    'toString',
    '',
  ],
]
const headerLines = [
  ...[
    'Range: bytes=0-',
    'Range: bytes=-1',
    'Range: bytes=5-1',
    'Range: bytes=99999999999999999999-',
    'Range: bytes=0-1,2-3',
    'Range: \x01',
    'If-Range: "x"',
    'If-None-Match: *',
  ],
  ...[
    'Expect: 100-continue',
    'Expect: nonsense',
    'Upgrade: websocket\r\nConnection: Upgrade',
    'Connection: close',
    'Connection: keep-alive',
    'Transfer-Encoding: gzip',
    'TE: trailers',
  ],
  ...[
    'Content-Type: application/json',
    'Content-Type: \xff',
    'Content-Encoding: gzip',
    'X-Request-Id: ../../x',
    `X-Request-Id: ${'x'.repeat(70)}`,
    'X-Forwarded-Host: evil',
    'X-HTTP-Method-Override: DELETE',
  ],
  ...[
    'Authorization: Bearer',
    'Authorization: Bearer x',
    'Authorization: Basic eDp5',
    'Authorization: \x00',
    `Authorization: Bearer ${'x'.repeat(8000)}`,
    `X-Bomb: ${'y'.repeat(20_000)}`,
    'Bad Header',
    ': empty',
    'Cookie: a=b',
    'Host: other',
  ],
]

/** Method and path; the method is most often one that the path knows. */
function startOf(draw, target) {
  const part = () => {
    if (!draw.chance(0.25)) return draw.pick(target.parts)
    const text = draw.pick(odd)
    // raw, most of them end at the parser of Node
    return draw.chance(0.8) && !text.includes('%') ? encodeURIComponent(text) : text
  }
  const reference = () =>
    `${Array.from({ length: 1 + draw.below(4) }, part).join('/')}${draw.chance(0.5) ? `:${part()}` : ''}`
  const id = () => draw.pick(target.ids)
  const templates = [
    () => ['GET', `/v1/entities/${part()}`],
    () => ['POST', '/v1/entities'],
    () => ['GET', `/v1/collections/${part()}/${part()}`],
    () => ['POST', '/v1/collections'],
    () => ['GET', `/v1/containers/${part()}/${part()}/${part()}`],
    () => ['POST', '/v1/containers'],
    () => ['GET', `/v1/images/${reference()}?arch=${part()}`],
    () => ['DELETE', `/v1/images/${reference()}?arch=${part()}`],
    () => ['POST', '/v1/images'],
    () => ['GET', `/v1/imagefile/${reference()}`],
    () => ['POST', `/v1/imagefile/${id()}`],
    () => ['POST', `/v2/imagefile/${id()}`],
    () => ['POST', `/v2/imagefile/${id()}/_multipart`],
    () => [
      'PUT',
      `/v2/imagefile/${id()}/${draw.pick(['_complete', '_multipart', '_multipart_complete', '_multipart_abort', part()])}`,
    ],
    () => [draw.pick(['GET', 'POST']), `/v${1 + draw.below(2)}/tags/${id()}`],
    () => [
      'GET',
      `/v1/search?value=${part()}${part()}&arch=${part()}&pageSize=${part()}&page=${part()}&signed=${part()}`,
    ],
    () => [draw.pick(['GET', 'PUT']), `/transfers/${part()}.${part()}`],
    () => [draw.pick(['GET', 'PUT', 'PUT', 'HEAD']), draw.pick(target.urls)],
    () => ['GET', draw.pick(fixedPaths)],
    () => ['GET', `/${part()}/${part()}?${part()}`],
    () => [
      'GET',
      draw.pick([
        '*',
        'http://evil.example/version',
        '//evil.example/version',
        '',
        'version',
        '/version HTTP/1.0',
        '\xff\xfe',
      ]),
    ],
  ]
  const [method, path] = draw.pick(templates)()
  return `${draw.chance(0.9) ? method : draw.pick(methods)} ${draw.chance(0.05) ? mutate(draw, Buffer.from(path, 'latin1')).toString('latin1') : path}`
}

function jsonOf(draw, target) {
  const body = {}
  const count = 1 + draw.below(5)
  for (let index = 0; index < count; index += 1) {
    const value = draw.chance(0.5) ? draw.pick(values) : draw.pick([...target.ids, ...target.parts, 1000, 1, 2])
    Object.defineProperty(body, draw.pick(fields), { value, enumerable: true, configurable: true, writable: true })
  }
  return JSON.stringify(body)
}

function mutate(draw, bytes) {
  const copy = Buffer.from(bytes)
  const times = 1 + draw.below(4)
  for (let index = 0; index < times && copy.length > 0; index += 1) copy[draw.below(copy.length)] = draw.below(256)
  return draw.chance(0.2) ? copy.subarray(0, draw.below(copy.length + 1)) : copy
}

function bodyOf(draw, target) {
  const kind = draw.below(10)
  if (kind < 6) return Buffer.from(jsonOf(draw, target))
  if (kind === 6) return mutate(draw, Buffer.from(jsonOf(draw, target)))
  if (kind === 7) return Buffer.alloc(draw.below(3000), draw.below(256))
  if (kind === 8)
    return Buffer.from(
      draw.pick([
        '[',
        '{',
        '{}',
        '',
        'null',
        '[]',
        '"x"',
        '1',
        '\ufeff{}',
        '[1',
        `${'['.repeat(5000)}`,
        `${'{"a":'.repeat(5000)}1`,
      ]),
    )
  return target.bytes
}

/**
 * One request as bytes. `whole`: it is complete, so that the server owes an answer or the end of the connection; of others nothing is awaited.
 * @returns {{ bytes: Buffer, whole: boolean }}
 */
export function hostileRequest(draw, target) {
  if (draw.chance(0.03))
    return { bytes: Buffer.from(Array.from({ length: 1 + draw.below(200) }, () => draw.below(256))), whole: false }
  const lines = [`${startOf(draw, target)} HTTP/1.1`]
  if (draw.chance(0.97)) lines.push('Host: x')
  if (draw.chance(0.7)) lines.push(`Authorization: Bearer ${draw.pick(target.tokens)}`)
  for (let extra = draw.chance(0.3) ? 1 + draw.below(3) : 0; extra > 0; extra -= 1) lines.push(draw.pick(headerLines))
  const body = draw.chance(0.7) ? bodyOf(draw, target) : undefined
  let whole = true
  let tail = Buffer.alloc(0)
  if (body !== undefined) {
    tail = body
    if (draw.chance(0.85)) {
      const lie = draw.chance(0.08)
        ? draw.pick([
            -1,
            body.length + 1 + draw.below(100),
            Math.max(0, body.length - 1 - draw.below(20)),
            '1e3',
            '+5',
            '',
            'x',
            '18446744073709551616',
          ])
        : body.length
      whole = lie === body.length
      lines.push(`Content-Length: ${lie}`)
      if (draw.chance(0.02)) lines.push('Transfer-Encoding: chunked')
    } else {
      lines.push('Transfer-Encoding: chunked')
      const ends = draw.chance(0.9)
      whole = ends
      tail = Buffer.concat([
        Buffer.from(`${body.length.toString(16)}\r\n`),
        body,
        Buffer.from(ends ? '\r\n0\r\n\r\n' : '\r\n'),
      ])
      if (body.length === 0 && ends) tail = Buffer.from('0\r\n\r\n')
      if (draw.chance(0.1)) {
        tail = mutate(draw, tail)
        whole = false
      }
    }
  }
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
  const bytes = Buffer.concat([head, tail])
  if (draw.chance(0.03)) return { bytes: mutate(draw, bytes), whole: false }
  if (draw.chance(0.03)) return { bytes: bytes.subarray(0, draw.below(bytes.length)), whole: false }
  return { bytes, whole }
}
