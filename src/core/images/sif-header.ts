/**
 * Reads what a SIF file says about itself: arch, whether it is signed and by whom, whether it is encrypted.
 *
 * Layout (little endian), from the SIF specification and github.com/sylabs/sif/v2: global header of 128 bytes: launch script 32, magic 10 (`SIF_MAGIC`, NUL), version 3,
 * arch 3 (two digits, NUL), id 16, created 8, modified 8, descriptors free 8, descriptors total 8, descriptors offset 8, descriptors size 8, data offset 8, data size 8.
 * A descriptor has 585 bytes: data type 4, used 1, id 4, group 4, link 4, offset 8, size 8, size with padding 8, created 8, modified 8, uid 8, gid 8, name 128, extra 384.
 */
import type { StorageBackend } from '../../storage/blob/contract.js'

export interface SifFacts {
  /** Go name; null when the header says `00` or nothing we know. */
  readonly arch: string | null
  readonly signed: boolean
  readonly encrypted: boolean
  /** Fingerprints of the signing keys: 40 upper-case hex digits each. */
  readonly fingerprints: readonly string[]
}

const headerSize = 128
const descriptorSize = 585
const maxDescriptors = 1024
/** Keys that are remembered of one file: anybody can claim any number of signers. */
const maxFingerprints = 64
const magicOffset = 32
const archOffset = 45
const totalOffset = 88
const tableOffset = 96
const archs: Readonly<Record<string, string>> = {
  '01': '386',
  '02': 'amd64',
  '03': 'arm',
  '04': 'arm64',
  '05': 'ppc64',
  '06': 'ppc64le',
  '07': 'mips',
  '08': 'mipsle',
  '09': 'mips64',
  '10': 'mips64le',
  '11': 's390x',
  '12': 'riscv64',
  '13': 'loong64',
}
const partitionType = 0x4004
const signatureType = 0x4005
const encryptedSquashfs = 5
/** Offset of `extra` in a descriptor. */
const extraOffset = 201

interface Header {
  readonly arch: string | null
  readonly descriptors: { readonly offset: number; readonly count: number }
}

function parseHeader(bytes: Buffer): Header | undefined {
  if (bytes.length < headerSize || bytes.toString('latin1', magicOffset, magicOffset + 10) !== 'SIF_MAGIC\0')
    return undefined
  const count = bytes.readBigInt64LE(totalOffset)
  const offset = bytes.readBigInt64LE(tableOffset)
  const sane =
    count > 0n &&
    count <= BigInt(maxDescriptors) &&
    offset >= BigInt(headerSize) &&
    offset <= BigInt(Number.MAX_SAFE_INTEGER)
  return {
    arch: archs[bytes.toString('latin1', archOffset, archOffset + 2)] ?? null,
    descriptors: sane ? { offset: Number(offset), count: Number(count) } : { offset: 0, count: 0 },
  }
}

function readDescriptors(bytes: Buffer): Omit<SifFacts, 'arch'> {
  const fingerprints = new Set<string>()
  let signed = false
  let encrypted = false
  for (let at = 0; at + descriptorSize <= bytes.length; at += descriptorSize) {
    if (bytes[at + 4] !== 1) continue
    const type = bytes.readInt32LE(at)
    if (type === signatureType) {
      signed = true
      // extra: hash type 4, then the entity: fingerprint of 20 bytes
      const fingerprint = bytes.subarray(at + extraOffset + 4, at + extraOffset + 24)
      if (fingerprints.size < maxFingerprints && fingerprint.some((byte) => byte !== 0))
        fingerprints.add(fingerprint.toString('hex').toUpperCase())
    } else if (type === partitionType && bytes.readInt32LE(at + extraOffset) === encryptedSquashfs) {
      // extra: file system type 4, partition type 4, arch 3
      encrypted = true
    }
  }
  return { signed, encrypted, fingerprints: [...fingerprints] }
}

async function readRange(
  storage: StorageBackend,
  key: string,
  range: { readonly start: number; readonly end: number },
): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  const { body } = await storage.get(key, { range })
  for await (const chunk of body) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Reads the facts from the front of a blob. undefined = the bytes are no SIF file. Damaged descriptors give no facts and no error: they are the user's. */
export async function readSifFacts(
  storage: StorageBackend,
  blob: { readonly key: string; readonly size: number },
): Promise<SifFacts | undefined> {
  if (blob.size < headerSize) return undefined
  const header = parseHeader(await readRange(storage, blob.key, { start: 0, end: headerSize - 1 }))
  if (header === undefined) return undefined
  const { offset, count } = header.descriptors
  const end = Math.min(offset + count * descriptorSize, blob.size) - 1
  const table =
    count === 0 || end < offset ? Buffer.alloc(0) : await readRange(storage, blob.key, { start: offset, end })
  return { arch: header.arch, ...readDescriptors(table) }
}
