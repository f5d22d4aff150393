/** SIF files that were changed at random: the reader never throws, never reads outside of the file, and never without end. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { inspectSif } from '../../src/sif/index.js'
import { SIF_LAYOUT } from '../fixtures/sif.js'
import { json, ociPart, partition, sifFile, signature, TYPES } from '../fixtures/sif-file.js'
import { settings, timeout } from './settings.js'

const layer = ociPart(TYPES.ociBlob, Buffer.alloc(100, 1))
const config = ociPart(TYPES.ociBlob, { architecture: 'amd64', config: { Labels: { a: 'b' }, Env: ['A=b'] } })
const manifest = ociPart(TYPES.ociBlob, { config: { digest: config.digest }, layers: [{ digest: layer.digest }] })
const attributes = { deffile: 'x', labels: { a: 'b' }, environment: { a: 'b' }, runscript: 'x', apps: { a: {} } }
const sbomExtra = Buffer.from([1, 0, 0, 0])
const image = [
  { type: TYPES.definition, bytes: Buffer.from('bootstrap: docker\n') },
  { type: TYPES.json, name: 'inspect-metadata.json', bytes: json({ data: { attributes } }) },
  { type: TYPES.json, name: 'oci-config.json', bytes: json({ Env: ['A=b'], Labels: { a: 'b' } }) },
  { type: TYPES.labels, bytes: json({ a: 'b' }) },
  { type: TYPES.sbom, bytes: json({ components: [1] }), extra: sbomExtra },
  partition(),
  signature(Buffer.from('-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{}\n'), { fingerprint: 'ab'.repeat(20) }),
  signature(json({ payloadType: 'application/vnd.sylabs.sif-metadata+json' })),
]
const oci = [layer, config, manifest, ociPart(TYPES.ociRootIndex, { manifests: [{ digest: manifest.digest }] })]
const files = [
  sifFile(image, { slots: 10, tableAt: 128 }),
  sifFile(oci, { slots: 6, tableAt: 128 }),
  sifFile([...image, ...oci], { slots: 14, tableAt: 300 }),
]

const { header, data, descriptor, descriptorSize } = SIF_LAYOUT
const numbers = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.constantFrom(0n, 1n, -1n, 127n, 128n, 4096n, 2n ** 31n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 62n, -(2n ** 63n)),
  fc.bigInt({ min: 0n, max: 20_000n }),
)
const headerFields = [...Object.values(header), ...Object.values(data)]
const change = fc.oneof(
  fc.record({ kind: fc.constant('byte' as const), at: fc.nat(20_000), value: fc.nat(255) }),
  fc.record({ kind: fc.constant('header' as const), at: fc.constantFrom(...headerFields), value: numbers }),
  fc.record({
    kind: fc.constant('descriptor' as const),
    slot: fc.nat(13),
    at: fc.constantFrom(...Object.values(descriptor), descriptor.extra + 4, descriptor.extra + 8),
    value: numbers,
  }),
  fc.record({ kind: fc.constant('cut' as const), at: fc.nat(20_000) }),
  fc.record({ kind: fc.constant('move' as const), from: fc.nat(20_000), to: fc.nat(20_000), length: fc.nat(2000) }),
)

function apply(
  original: Buffer,
  changes: readonly (typeof change extends fc.Arbitrary<infer T> ? T : never)[],
): Buffer {
  let bytes = Buffer.from(original)
  const tableAt = Number(original.readBigInt64LE(header.descriptorsOffset))
  const write = (at: number, value: bigint): void => {
    if (at + 8 <= bytes.length) bytes.writeBigInt64LE(value, at)
  }
  for (const each of changes) {
    if (each.kind === 'byte') bytes[each.at % Math.max(1, bytes.length)] = each.value
    else if (each.kind === 'header') write(each.at, each.value)
    else if (each.kind === 'descriptor') write(tableAt + each.slot * descriptorSize + each.at, each.value)
    else if (each.kind === 'cut') bytes = bytes.subarray(0, each.at)
    else bytes.copyWithin(each.to, each.from, each.from + each.length)
  }
  return bytes
}

const states = ['sif', 'not-a-sif', 'damaged', 'not-understood']

it(
  'reads changed files without a throw, inside of them, and to an end',
  async () => {
    const seen = new Set<string>()
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...files),
        fc.array(change, { minLength: 1, maxLength: 5 }),
        async (original, changes) => {
          const bytes = apply(original, changes)
          let [reads, read] = [0, 0]
          const startedAt = performance.now()
          const found = await inspectSif({
            size: bytes.length,
            read: async (offset, length) => {
              if (offset < 0 || offset + length > bytes.length) throw new Error(`read ${length} bytes at ${offset}`)
              reads += 1
              read += length
              return bytes.subarray(offset, offset + length)
            },
          })
          expect(states).toContain(found.state)
          seen.add(found.state)
          if (found.state !== 'sif') expect([found.encrypted, found.signed, found.arch]).toEqual([null, null, null])
          expect(reads).toBeLessThanOrEqual(8)
          expect(read).toBeLessThanOrEqual(16 * 1024 ** 2)
          expect(JSON.stringify(found).length).toBeLessThan(1024 ** 2)
          expect(performance.now() - startedAt).toBeLessThan(2000)
        },
      ),
      settings(1000),
    )
    expect([...seen].sort(), 'changes reach every state').toEqual([...states].sort())
  },
  timeout(30_000),
)
