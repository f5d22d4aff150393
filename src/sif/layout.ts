/**
 * Header and descriptor table of a SIF file.
 *
 * All integers are little endian and packed. Header, 128 bytes: launch script 32, magic 10, version
 * 3, arch 3, id 16, created 8, modified 8, free slots 8, slots 8, offset of the table 8, size of
 * the table 8, offset and size of the data 8 each. Descriptor, 585 bytes: data type 4, used 1, id
 * 4, group 4, link 4, offset 8, size 8, size with padding 8, created 8, modified 8, uid 8, gid 8,
 * name 128, extra 384.
 */
import {
  archOf,
  fileSystemOf,
  hashOf,
  isEncryptedFileSystem,
  messageFormatOf,
  messageKindOf,
  objectTypeOf,
  partitionRoleOf,
  type SifObjectType,
  sbomFormatOf,
} from './codes.js'

export const headerSize = 128
const descriptorSize = 585
/** Slots of a table that is read. Ordinary images have 48. */
const maxDescriptors = 4096
/** Of `extra` in a descriptor. */
const extraOffset = 201

const groupMask = 0x0fffffff
const groupMark = 0xf

export interface SifHeader {
  /** First line of the file, as `#!/usr/bin/env run-singularity`. */
  readonly launch: string
  /** Of the format: `01`. */
  readonly version: string
  /**
   * What the header claims, which no signature covers; the arch of the image stands in its primary
   * partition.
   */
  readonly arch: string | null
  /** UUID; zero in files that are made to be reproducible, so it is not unique. */
  readonly id: string
  /** RFC 3339; null for a time that is none. Reproducible files have the year 1. */
  readonly createdAt: string | null
  readonly modifiedAt: string | null
  /** Slots of the descriptor table, used or free. */
  readonly slots: number
}

/** What an object is linked to: a whole group, or one object. */
export type SifLink = { readonly group: number } | { readonly object: number }

export interface SifObject {
  readonly id: number
  readonly type: SifObjectType
  /** Data type as it stands in the file. */
  readonly code: number
  /** Any text, also with control characters. */
  readonly name: string
  /** null = in no group. */
  readonly group: number | null
  readonly link: SifLink | null
  /** Bytes from the start of the file. */
  readonly offset: number
  readonly size: number
  readonly createdAt: string | null
  readonly modifiedAt: string | null
  readonly partition?: {
    readonly fileSystem: string
    readonly role: string
    /** Go name; null = unknown. */
    readonly arch: string | null
    readonly encrypted: boolean
  }
  readonly signature?: {
    readonly hash: string
    /** Claimed by the descriptor: 40 upper-case hex digits; null = none, as for DSSE. */
    readonly fingerprint: string | null
  }
  readonly message?: { readonly format: string; readonly kind: string }
  readonly sbom?: { readonly format: string }
  /** Of an OCI object, as its descriptor claims: `sha256:…`. */
  readonly digest?: string
}

/**
 * A file that is refused: why, and whether it breaks the format or passes what this reader takes.
 */
export interface SifProblem {
  readonly state: 'not-a-sif' | 'damaged' | 'not-understood'
  readonly reason: string
}

export interface SifTable {
  readonly offset: number
  readonly size: number
}

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
const utf8 = new TextDecoder()

/** Text up to the first NUL, in UTF-8; what is none becomes U+FFFD. */
function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0)
  return utf8.decode(end < 0 ? bytes : bytes.subarray(0, end))
}

/** Seconds since 1970, which may be negative. */
function timeOf(seconds: bigint): string | null {
  const ms = Number(seconds) * 1000
  // the years that RFC 3339 can say
  return ms >= -62_135_596_800_000 && ms <= 253_402_300_799_000 ? new Date(ms).toISOString() : null
}

function uuidOf(bytes: Uint8Array): string {
  const hex = hexOf(bytes)
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

export function hexOf(bytes: Uint8Array): string {
  let hex = ''
  for (const byte of bytes) hex += byte.toString(16).padStart(2, '0')
  return hex
}

/**
 * A size or an offset that can be worked with; undefined for a negative one, or one of more than 53
 * bits.
 */
function countOf(value: bigint): number | undefined {
  return value >= 0n && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : undefined
}

const damaged = (reason: string): SifProblem => ({ state: 'damaged', reason })
const notUnderstood = (reason: string): SifProblem => ({ state: 'not-understood', reason })
export const notASif: SifProblem = { state: 'not-a-sif', reason: 'the file does not begin as a SIF file does' }

const magic = 'SIF_MAGIC\0'

/** From the first 128 bytes, or fewer where the file has fewer. */
export function parseHeader(bytes: Uint8Array, fileSize: number): SifProblem | { header: SifHeader; table: SifTable } {
  if (bytes.length < headerSize) return notASif
  for (let index = 0; index < magic.length; index++) if (bytes[32 + index] !== magic.charCodeAt(index)) return notASif
  const fields = view(bytes)
  const version = textOf(bytes.subarray(42, 45))
  if (version !== '01') return notUnderstood(`version ${JSON.stringify(version)} of the format is not known`)
  const slots = countOf(fields.getBigInt64(88, true))
  const offset = countOf(fields.getBigInt64(96, true))
  const size = countOf(fields.getBigInt64(104, true))
  if (slots === undefined && fields.getBigInt64(88, true) > 0n) return notUnderstood('it has too many descriptors')
  if (slots === undefined || offset === undefined || size === undefined)
    return damaged('a number of the header is negative or too large')
  if (slots > maxDescriptors)
    return notUnderstood(`it has ${slots} descriptors, and no more than ${maxDescriptors} are read`)
  if (offset < headerSize) return damaged('the descriptor table lies inside the header')
  if (size < slots * descriptorSize) return damaged('the descriptor table is smaller than its descriptors')
  if (offset + slots * descriptorSize > fileSize) return notUnderstood('the descriptor table is cut off')
  const header = {
    launch: textOf(bytes.subarray(0, 32)),
    version,
    arch: archOf(textOf(bytes.subarray(45, 48))),
    id: uuidOf(bytes.subarray(48, 64)),
    createdAt: timeOf(fields.getBigInt64(64, true)),
    modifiedAt: timeOf(fields.getBigInt64(72, true)),
    slots,
  }
  return { header, table: { offset, size: slots * descriptorSize } }
}

function linkOf(raw: number): SifLink | null {
  if (raw >>> 28 === groupMark) return (raw & groupMask) === 0 ? null : { group: raw & groupMask }
  return raw === 0 ? null : { object: raw }
}

/** What stands in `extra`, by data type. */
function extraOf(type: SifObjectType, extra: Uint8Array): Partial<SifObject> {
  const fields = view(extra)
  const first = fields.getInt32(0, true)
  if (type === 'partition')
    return {
      partition: {
        fileSystem: fileSystemOf(first),
        role: partitionRoleOf(fields.getInt32(4, true)),
        arch: archOf(textOf(extra.subarray(8, 11))),
        encrypted: isEncryptedFileSystem(first),
      },
    }
  if (type === 'signature') {
    const fingerprint = extra.subarray(4, 24)
    const isSet = fingerprint.some((byte) => byte !== 0)
    return { signature: { hash: hashOf(first), fingerprint: isSet ? hexOf(fingerprint).toUpperCase() : null } }
  }
  if (type === 'cryptographic-message')
    return { message: { format: messageFormatOf(first), kind: messageKindOf(fields.getInt32(4, true)) } }
  if (type === 'sbom') return { sbom: { format: sbomFormatOf(first) } }
  if (type === 'oci-root-index' || type === 'oci-blob') return { digest: textOf(extra) }
  return {}
}

function parseDescriptor(bytes: Uint8Array, fileSize: number): SifProblem | SifObject {
  const fields = view(bytes)
  const code = fields.getInt32(0, true)
  const type = objectTypeOf(code)
  const id = fields.getUint32(5, true)
  const rawGroup = fields.getUint32(9, true)
  const offset = countOf(fields.getBigInt64(17, true))
  const size = countOf(fields.getBigInt64(25, true))
  if (id === 0) return damaged('an object has the id 0')
  if (offset === undefined || size === undefined) return damaged(`object ${id} has a place or size that is none`)
  if (offset < headerSize) return damaged(`object ${id} lies inside the header`)
  if (offset + size > fileSize) return damaged(`object ${id} ends behind the end of the file`)
  const group = rawGroup & groupMask
  return {
    id,
    type,
    code,
    name: textOf(bytes.subarray(73, extraOffset)),
    group: group === 0 ? null : group,
    link: linkOf(fields.getUint32(13, true)),
    offset,
    size,
    createdAt: timeOf(fields.getBigInt64(41, true)),
    modifiedAt: timeOf(fields.getBigInt64(49, true)),
    ...extraOf(type, bytes.subarray(extraOffset)),
  }
}

export function isProblem(value: object): value is SifProblem {
  return 'reason' in value
}

/**
 * The objects of a table, in its order. One that breaks the format makes the whole file damaged.
 */
export function parseTable(bytes: Uint8Array, fileSize: number): SifProblem | readonly SifObject[] {
  const found: SifObject[] = []
  const ids = new Set<number>()
  for (let at = 0; at + descriptorSize <= bytes.length; at += descriptorSize) {
    // a bool of Go: every byte but 0 is true
    if (bytes[at + 4] === 0) continue
    const object = parseDescriptor(bytes.subarray(at, at + descriptorSize), fileSize)
    if (isProblem(object)) return object
    if (ids.has(object.id)) return damaged(`two objects have the id ${object.id}`)
    ids.add(object.id)
    found.push(object)
  }
  const primaries = found.filter(({ partition }) => partition?.role === 'primary-system')
  return primaries.length > 1 ? damaged('it has two primary partitions') : found
}
