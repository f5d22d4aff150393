/** `docs/s3-stores.md` is made from `src/storage/blob/s3/profiles.ts`; this fails when it is stale. Renew: `npm run docs`. */
import { expect, test } from 'vitest'
import { type S3Fact, s3Profiles } from '../../src/storage/blob/s3/profiles.js'

const sources = [
  ...new Set(
    s3Profiles.flatMap(({ name: _, notes, ...facts }) =>
      [...Object.values(facts), ...notes].map(({ source }) => source),
    ),
  ),
].filter((source) => source !== 'tried' && source !== 'not tried')

function cell<T>({ known, source }: S3Fact<T>, show: (value: T) => string = String): string {
  if (known === undefined) return 'not tried'
  return source === 'tried' ? `**${show(known)}**` : `${show(known)} [${sources.indexOf(source) + 1}]`
}

const yesNo = (value: boolean): string => (value ? 'yes' : 'no')

function size(bytes: number): string {
  const gib = bytes / 1024 ** 3
  return gib >= 1024 ? `${gib / 1024} TiB` : `${Number(gib.toFixed(3))} GiB`
}

test('docs/s3-stores.md shows the profiles', async () => {
  const rows = s3Profiles.map((store) => {
    const facts = [
      cell(store.bindsPayload, yesNo),
      cell(store.copiesUnsigned, yesNo),
      cell(store.conditionalPut, yesNo),
      cell(store.maxParts, (parts) => parts.toLocaleString('en-US')),
      cell(store.takesLateParts, yesNo),
      cell(store.authorization),
      cell(store.completeTwice),
      cell(store.listsUploadsByPrefix, yesNo),
      cell(store.region),
      cell(store.pathStyle),
      cell(store.maxPutBytes, size),
    ]
    return `| ${[store.name, ...facts].join(' | ')} |`
  })
  const notes = s3Profiles.flatMap(({ name, notes }) => notes.map((note) => `- ${name}: ${cell(note)}`))
  const named = s3Profiles.flatMap(({ name, server, host }) => [
    ...(server === undefined
      ? []
      : [`- ${name}: header \`Server\` like ${cell(server, ({ source }) => `\`${source}\``)}`]),
    ...(host === undefined ? [] : [`- ${name}: host like ${cell(host, ({ source }) => `\`${source}\``)}`]),
  ])
  const text = `# S3 stores

<!-- Made from src/storage/blob/s3/profiles.ts by \`npm run docs\`; a test fails when it is stale. -->

What stores that speak S3 do differently, as far as it matters here. **Bold** was measured on the real server, in the version that the tests run; a number names
the page that says so, below; the rest nobody tried. The registry never asks which store it has: it finds out by trying what it can do. \`sif-library doctor\` says which of
these fits.

Guides, with a policy, CORS, what to watch and what \`doctor\` prints: [MinIO](stores/minio.md), [Ceph](stores/ceph.md), [Swift](stores/swift.md), [AWS S3](stores/aws.md),
[SeaweedFS](stores/seaweedfs.md).

| store | holds a URL to its SHA-256 | copies by an unsigned header | keeps to \`If-None-Match: *\` | parts at most | part after complete | URL with a token | complete twice | finds uploads by prefix | region | bucket in the path | largest single PUT |
|---|---|---|---|---|---|---|---|---|---|---|---|
${rows.join('\n')}

Further:

${notes.join('\n')}

Recognised by:

${named.join('\n')}

Sources:

${sources.map((source, index) => `${index + 1}. ${source}`).join('\n')}
`
  await expect(text).toMatchFileSnapshot('../../docs/s3-stores.md')
})
