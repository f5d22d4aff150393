/**
 * What a SIF file says of itself, from as few bytes as possible. Anybody may have made the file.
 */
import { claimedSignatures, maxSignatures, readableSignatures, type SifSignature } from './claimed-signatures.js'
import {
  headerSize,
  isProblem,
  notASif,
  parseHeader,
  parseTable,
  type SifHeader,
  type SifObject,
  type SifProblem,
} from './layout.js'
import { type OciFacts, readOci } from './oci.js'
import { createPieces, type Pieces, type SifSource } from './source.js'
import {
  decodeText,
  listOf,
  membersOf,
  parseJson,
  type SifText,
  type SifTexts,
  textOf as textOfValue,
  textsOf,
} from './texts.js'

export interface SifSbom {
  readonly object: number
  readonly format: string
  /** Bytes. */
  readonly size: number
  /**
   * Components that it lists; null where the format is not counted, or the document is too large or
   * broken.
   */
  readonly components: number | null
}

/**
 * What a file is. `not-a-sif`: it does not begin as one. `damaged`: it breaks the format.
 * `not-understood`: it passes what this reader takes, or is cut off. Of the last two nothing is
 * known: not that it is plain, and not that it is unsigned, so whoever judges refuses them.
 */
export type SifState = 'sif' | SifProblem['state']

export interface SifInspection {
  readonly state: SifState
  /** Why the state is not `sif`; for people. */
  readonly reason: string | null
  /**
   * `image`: has a primary partition. `oci`: an OCI-SIF. `data`: neither. null where the state is
   * not `sif`.
   */
  readonly kind: 'image' | 'oci' | 'data' | null
  readonly header: SifHeader | null
  /** Go name, of the primary partition or of the configuration of an OCI-SIF; null = not known. */
  readonly arch: string | null
  /**
   * Whether a partition is; null = not known. Definition file, labels and scripts of an encrypted
   * image can be read.
   */
  readonly encrypted: boolean | null
  /** Whether there are signatures, whatever they are worth; null = not known. */
  readonly signed: boolean | null
  readonly objects: readonly SifObject[]
  readonly definition: SifText | null
  readonly labels: SifTexts | null
  /**
   * Text of each script that sets the environment, by its path in the image; of an OCI image `Env`
   * by name.
   */
  readonly environment: SifTexts | null
  readonly runscript: SifText | null
  readonly startscript: SifText | null
  readonly test: SifText | null
  readonly help: SifText | null
  /** Names of SCIF apps. */
  readonly apps: readonly string[]
  readonly signatures: readonly SifSignature[]
  readonly sboms: readonly SifSbom[]
  readonly oci: OciFacts | null
  /** What was left out or could not be read; for people. */
  readonly notes: readonly string[]
}

/** One read that holds header, table and small objects of an ordinary image, in bytes. */
const frontSize = 64 * 1024
/** Bytes that are read of one file at the most. */
const readBudget = 16 * 1024 * 1024
const maxDefinition = 1024 * 1024
const maxJson = 4 * 1024 * 1024
const maxSboms = 16
const maxApps = 100

const nothing: Omit<SifInspection, 'state' | 'reason'> = {
  ...{ kind: null, header: null, arch: null, encrypted: null, signed: null, objects: [], definition: null },
  ...{ labels: null, environment: null, runscript: null, startscript: null, test: null, help: null, apps: [] },
  ...{ signatures: [], sboms: [], oci: null, notes: [] },
}

const metadataName = 'inspect-metadata.json'
const ociConfigName = 'oci-config.json'

function jsonObject(objects: readonly SifObject[], name: string): SifObject | undefined {
  return objects.find((object) => object.type === 'json' && object.name === name)
}

interface Contents {
  readonly definition: SifObject | undefined
  readonly metadata: SifObject | undefined
  readonly labels: SifObject | undefined
  readonly ociConfig: SifObject | undefined
  readonly sboms: readonly SifObject[]
}

function contentsOf(objects: readonly SifObject[]): Contents {
  const first = (type: SifObject['type']) => objects.find((object) => object.type === type)
  return {
    definition: first('definition'),
    metadata: jsonObject(objects, metadataName),
    labels: first('labels'),
    ociConfig: jsonObject(objects, ociConfigName),
    sboms: objects.filter(({ type }) => type === 'sbom'),
  }
}

const countedMembers: Readonly<Record<string, string>> = {
  'cyclonedx-json': 'components',
  'spdx-json': 'packages',
  'syft-json': 'artifacts',
}

function sbomOf(pieces: Pieces, object: SifObject): SifSbom {
  const format = object.sbom?.format ?? 'unknown'
  const member = countedMembers[format]
  const list = member === undefined ? undefined : membersOf(parseJson(pieces.get(object)))[member]
  return { object: object.id, format, size: object.size, components: Array.isArray(list) ? list.length : null }
}

/** `Env` of an OCI configuration, `NAME=value` each, by name. */
function envOf(config: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const entries = listOf(config.Env).flatMap((each) => {
    const [, name, value] = typeof each === 'string' ? (/^([^=]+)=(.*)$/s.exec(each) ?? []) : []
    return name === undefined || value === undefined ? [] : [[name, value] as const]
  })
  return Object.fromEntries(entries)
}

/** Texts of the file by what they are, with notes on what was cut. */
function textsOfFile(
  pieces: Pieces,
  contents: Contents,
  oci: OciFacts | undefined,
): Pick<
  SifInspection,
  'definition' | 'labels' | 'environment' | 'runscript' | 'startscript' | 'test' | 'help' | 'apps' | 'notes'
> {
  const notes: string[] = []
  const json = (object: SifObject | undefined): unknown => {
    const value = object && parseJson(pieces.get(object))
    if (object !== undefined && value === undefined) notes.push(`object ${object.id} is no JSON, or too large`)
    return value
  }
  const attributes = membersOf(membersOf(membersOf(json(contents.metadata)).data).attributes)
  const labelObject = json(contents.labels)
  const ociConfig = membersOf(json(contents.ociConfig))
  const labels = textsOf(attributes.labels) ?? textsOf(labelObject) ?? textsOf(ociConfig.Labels)
  const environment =
    textsOf(attributes.environment) ?? (ociConfig.Env === undefined ? null : textsOf(envOf(ociConfig)))
  if (labels?.cut === true) notes.push('labels were left out or cut')
  if (environment?.cut === true) notes.push('environment was left out or cut')
  const { definition } = contents
  const bytes = definition && pieces.get(definition)
  if (definition !== undefined && bytes === undefined) notes.push('the definition file is too large to be read')
  return {
    definition: bytes === undefined ? textOfValue(attributes.deffile) : decodeText(bytes),
    labels: labels?.texts ?? oci?.manifests.find((manifest) => manifest.labels !== null)?.labels ?? null,
    environment: environment?.texts ?? null,
    runscript: textOfValue(attributes.runscript),
    startscript: textOfValue(attributes.startscript),
    test: textOfValue(attributes.test),
    help: textOfValue(attributes.helpfile),
    apps: Object.keys(membersOf(attributes.apps))
      .slice(0, maxApps)
      .map((name) => name.slice(0, 128)),
    notes,
  }
}

/** Of an OCI-SIF: what all of its images agree on. */
function ociArch(oci: OciFacts): string | null {
  const archs = new Set(oci.manifests.map(({ arch }) => arch))
  return archs.size === 1 ? ([...archs][0] ?? null) : null
}

const refused = ({ state, reason }: SifProblem, header: SifHeader | null = null): SifInspection => ({
  ...nothing,
  ...{ state, reason, header },
})

/**
 * Inspects a SIF file: one read of 64 KiB for most images, 16 MiB in all at the most. Never throws
 * for what the file holds; what `source.read` throws is thrown on.
 */
export async function inspectSif(source: SifSource): Promise<SifInspection> {
  if (source.size < headerSize) return refused(notASif)
  const pieces = createPieces(source, readBudget)
  await pieces.fetch([{ offset: 0, size: Math.min(frontSize, source.size) }])
  const parsed = parseHeader(pieces.get({ offset: 0, size: headerSize }) ?? new Uint8Array(0), source.size)
  if (isProblem(parsed)) return refused(parsed)
  const { header, table } = parsed
  await pieces.fetch([table])
  const objects = parseTable(pieces.get(table) ?? new Uint8Array(0), source.size)
  if (isProblem(objects)) return refused(objects, header)

  const contents = contentsOf(objects)
  const { definition, metadata, labels, ociConfig, sboms } = contents
  const counted = sboms.slice(0, maxSboms).filter(({ sbom }) => countedMembers[sbom?.format ?? ''] !== undefined)
  const upTo = (limit: number, ...some: readonly (SifObject | undefined)[]): readonly SifObject[] =>
    some.filter((object) => object !== undefined && object.size <= limit) as readonly SifObject[]
  await pieces.fetch([
    ...upTo(maxDefinition, definition),
    ...upTo(maxJson, metadata, labels, ociConfig, ...counted),
    ...readableSignatures(objects),
  ])
  const oci = await readOci(pieces, objects)
  const partitions = objects.flatMap(({ partition }) => partition ?? [])
  const primary = partitions.find(({ role }) => role === 'primary-system')
  const signatureCount = objects.filter(({ type }) => type === 'signature').length
  const texts = textsOfFile(pieces, contents, oci)
  return {
    ...texts,
    state: 'sif',
    reason: null,
    kind: primary !== undefined ? 'image' : oci !== undefined ? 'oci' : 'data',
    header,
    arch: primary?.arch ?? (oci === undefined ? null : ociArch(oci)),
    encrypted: partitions.some((partition) => partition.encrypted),
    signed: signatureCount > 0,
    objects,
    signatures: claimedSignatures(pieces, objects),
    sboms: sboms.slice(0, maxSboms).map((object) => sbomOf(pieces, object)),
    oci: oci ?? null,
    notes: [
      ...texts.notes,
      ...(sboms.length > maxSboms ? [`${sboms.length} SBOMs, of which ${maxSboms} are shown`] : []),
      ...(signatureCount > maxSignatures ? [`${signatureCount} signatures, of which ${maxSignatures} are read`] : []),
    ],
  }
}
