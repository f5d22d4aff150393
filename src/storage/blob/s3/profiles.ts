/**
 * What stores do differently, as data: `doctor` compares it with what it sees, and
 * `docs/s3-stores.md` is made from it. No code asks for a profile to decide anything: what a store
 * does is found by trying.
 */

/** `known` undefined: nobody tried it, and no documentation says it. */
export interface S3Fact<T = string> {
  readonly known: T | undefined
  /**
   * `tried`: measured on the real server, in the version that the tests run. Otherwise the title of
   * the vendor's page.
   */
  readonly source: string
}

export interface S3Profile {
  readonly name: string
  /** The `Server` header of its answers. */
  readonly server?: S3Fact<RegExp>
  /** Host of the vendor's own service. */
  readonly host?: S3Fact<RegExp>
  /** Takes presigned URLs that sign the SHA-256 of their bytes, and refuses other bytes. */
  readonly bindsPayload: S3Fact<boolean>
  /** Keeps a PUT with `If-None-Match: *` from writing over an object. */
  readonly conditionalPut: S3Fact<boolean>
  /** Parts of one upload at the most. */
  readonly maxParts: S3Fact<number>
  /** Takes a part for an upload that was completed. */
  readonly takesLateParts: S3Fact<boolean>
  /**
   * What a presigned URL gets that comes with an `Authorization` header: `ignored`, or status and
   * code of the refusal.
   */
  readonly authorization: S3Fact
  /** What a second CompleteMultipartUpload of the same upload gets. */
  readonly completeTwice: S3Fact
  /** ListMultipartUploads finds the uploads below a prefix. */
  readonly listsUploadsByPrefix: S3Fact<boolean>
  /** What it says to a region that is not its own. */
  readonly region: S3Fact
  readonly pathStyle: S3Fact
  /**
   * Lets an unsigned `x-amz-copy-source` copy another object, with the rights of whoever signed the
   * URL.
   */
  readonly copiesUnsigned: S3Fact<boolean>
  /** Bytes of one PUT at the most. */
  readonly maxPutBytes: S3Fact<number>
  readonly notes: readonly S3Fact[]
}

const GiB = 1024 ** 3
const unknown: S3Fact<never> = { known: undefined, source: 'not tried' }
const tried = <T>(known: T): S3Fact<T> => ({ known, source: 'tried' })
const told = <T>(source: string, known: T): S3Fact<T> => ({ known, source })

/** Tried once by hand; no test starts them. */
const SEAWEEDFS = 'tried by hand: SeaweedFS 4.53'
const RCLONE = 'tried by hand: rclone 1.76'

export const s3Profiles: readonly S3Profile[] = [
  {
    name: 'MinIO',
    server: tried(/^MinIO\b/),
    bindsPayload: tried(true),
    conditionalPut: tried(true),
    maxParts: tried(10_000),
    takesLateParts: tried(false),
    authorization: tried('400 InvalidRequest'),
    completeTwice: tried('404 NoSuchUpload'),
    listsUploadsByPrefix: tried(false),
    region: tried('any; with MINIO_SITE_REGION set: 400 AuthorizationHeaderMalformed (presigned: 400 MissingFields)'),
    pathStyle: tried('yes; virtual hosts with MINIO_DOMAIN'),
    copiesUnsigned: tried(true),
    maxPutBytes: told('MinIO: Thresholds and Limits', 5 * 1024 * GiB),
    notes: [
      tried('its list of unfinished uploads is in memory and empty after a restart; a prefix finds exact keys only'),
      tried('refuses a request with both a presigned query and a Bearer token: 400 InvalidRequest'),
      tried(
        'refuses unsigned headers only where the URL signs a header that is missing; else it acts on them. Upload URLs are signed by sessions that may only write (AssumeRole at its S3 port), to which it refuses the copy: 403',
      ),
    ],
  },
  {
    name: 'AWS S3',
    server: told('AWS: UploadPartCopy (sample response)', /^AmazonS3$/),
    host: told('AWS: Virtual hosting of general purpose buckets', /\.amazonaws\.com(\.cn)?$/),
    bindsPayload: unknown,
    conditionalPut: told('AWS: Conditional requests', true),
    maxParts: told('AWS: Amazon S3 multipart upload limits (size of a part)', 10_000),
    takesLateParts: unknown,
    authorization: unknown,
    completeTwice: unknown,
    listsUploadsByPrefix: told('AWS: ListMultipartUploads', true),
    region: told(
      'AWS: Error responses',
      'that of the bucket: 301 PermanentRedirect, 400 IllegalLocationConstraintException',
    ),
    pathStyle: told('AWS: Virtual hosting of general purpose buckets', 'virtual hosts'),
    copiesUnsigned: unknown,
    maxPutBytes: told('AWS: Amazon S3 multipart upload limits (size of a part)', 5 * GiB),
    notes: [
      told(
        'AWS: Authenticating Requests: Using Query Parameters',
        'describes presigned URLs with UNSIGNED-PAYLOAD; whether a signed hash counts is found by trying',
      ),
    ],
  },
  {
    name: 'Ceph RGW',
    server: told('answers of public gateways (squid, tentacle)', /^Ceph Object Gateway\b/),
    bindsPayload: tried(true),
    conditionalPut: tried(true),
    maxParts: tried(10_000),
    takesLateParts: tried(false),
    authorization: tried('400 InvalidArgument'),
    completeTwice: tried('200'),
    listsUploadsByPrefix: tried(true),
    region: tried('any; a bucket is made only in us-east-1 or the zonegroup: 400 InvalidLocationConstraint'),
    pathStyle: tried('yes; virtual hosts with rgw_dns_name'),
    copiesUnsigned: tried(true),
    maxPutBytes: told('Red Hat Ceph Storage: Ceph Object Gateway and the S3 API', 5 * GiB),
    notes: [
      tried('16.2 sends no Server header'),
      tried('the list of an upload that is over is 404 NoSuchKey'),
      tried('every part that came must be named when the upload is completed: 400 InvalidPart'),
      tried('of two completions at once one is 500 InternalError; a later one is 200'),
      tried('keeps no SHA-256 of a copy, so verify=store falls back to read'),
      tried(
        'a full quota is 403 QuotaExceeded, at the first part and not at the start; a suspended user 403 UserSuspended',
      ),
    ],
  },
  {
    name: 'Cloudflare R2',
    host: told('Cloudflare R2: S3 API compatibility', /\.r2\.cloudflarestorage\.com$/),
    bindsPayload: unknown,
    conditionalPut: unknown,
    maxParts: unknown,
    takesLateParts: unknown,
    authorization: unknown,
    completeTwice: unknown,
    listsUploadsByPrefix: unknown,
    region: told('Cloudflare R2: S3 API compatibility', '`auto`; empty and us-east-1 mean the same'),
    pathStyle: unknown,
    copiesUnsigned: unknown,
    maxPutBytes: told('Cloudflare R2: Limits', 5 * GiB - 5 * 1024 ** 2),
    notes: [
      told('Cloudflare R2: Multipart upload', 'all parts but the last must have the same size'),
      told('Cloudflare R2: Multipart upload', 'aborts unfinished uploads after 7 days by default'),
    ],
  },
  {
    name: 'versitygw',
    server: tried(/^VERSITYGW$/),
    bindsPayload: tried(false),
    conditionalPut: tried(true),
    maxParts: tried(10_000),
    takesLateParts: tried(false),
    authorization: tried('ignored'),
    completeTwice: tried('200'),
    listsUploadsByPrefix: tried(true),
    region: tried('its own: 400 AuthorizationHeaderMalformed (presigned: 400 AuthorizationQueryParametersError)'),
    pathStyle: tried('yes'),
    copiesUnsigned: tried(false),
    maxPutBytes: unknown,
    notes: [
      tried('refuses every presigned URL that signs the SHA-256 of its bytes: 403 SignatureDoesNotMatch'),
      tried('an unknown access key is 404 XAdminUserNotFound'),
      tried('joining the parts of 1 GiB took 8 s: finishSeconds must allow for it'),
    ],
  },
  {
    name: 's3proxy',
    bindsPayload: tried(true),
    conditionalPut: tried(true),
    maxParts: tried(10_000),
    takesLateParts: tried(true),
    authorization: tried('ignored'),
    completeTwice: tried('200'),
    listsUploadsByPrefix: tried(true),
    region: tried('any'),
    pathStyle: tried('yes'),
    copiesUnsigned: tried(true),
    maxPutBytes: unknown,
    notes: [
      tried('sends no Server header'),
      tried('takes parts for every upload id, finished and unknown ones too'),
      tried('keeps no SHA-256 of a copy, so verify=store falls back to read'),
      tried('opens no sessions: uploads go through the registry, unless a proxy drops the header'),
      tried('joining the parts of 1 GiB took 9 s: finishSeconds must allow for it'),
    ],
  },
  {
    name: 'Swift s3api',
    bindsPayload: tried(false),
    conditionalPut: tried(false),
    maxParts: tried(1000),
    takesLateParts: tried(true),
    authorization: tried('ignored'),
    completeTwice: tried('200'),
    listsUploadsByPrefix: tried(true),
    region: tried(
      'its `location`: 400 AuthorizationHeaderMalformed (presigned: 400 AuthorizationQueryParametersError)',
    ),
    pathStyle: tried('yes'),
    copiesUnsigned: unknown,
    maxPutBytes: told('OpenStack Swift: constraints (max_file_size)', 5 * GiB),
    notes: [
      tried('sends no Server header, but x-trans-id'),
      tried(
        'a part that is sent after its upload was completed takes the place of the joined one, and the object cannot be read any more: uploads come in at a staging key and are copied',
      ),
      tried('of two instances that write one sidecar at the same moment the later one wins'),
      tried('the access key has a colon: user t of account t is t:t; an unknown one is 403 SignatureDoesNotMatch'),
      tried('no bucket CORS by S3 (501): cors_allow_origin of the proxy, cors_preflight_allow_origin of s3api'),
      tried('copying 1 GiB takes 7 s: finishSeconds must allow for it'),
    ],
  },
  {
    name: 'SeaweedFS',
    server: told(SEAWEEDFS, /^SeaweedFS\b/),
    bindsPayload: told(SEAWEEDFS, false),
    conditionalPut: told(SEAWEEDFS, true),
    maxParts: told(SEAWEEDFS, 10_000),
    takesLateParts: told(SEAWEEDFS, false),
    authorization: told(SEAWEEDFS, 'ignored'),
    completeTwice: told(SEAWEEDFS, '200'),
    listsUploadsByPrefix: told(SEAWEEDFS, true),
    region: told(SEAWEEDFS, 'any'),
    pathStyle: told(SEAWEEDFS, 'yes'),
    copiesUnsigned: unknown,
    maxPutBytes: unknown,
    notes: [
      told(SEAWEEDFS, 'lists a part number once for each time that it was sent, and joins any of them'),
      told(SEAWEEDFS, 'keeps no SHA-256 of a copy, so verify=store falls back to read'),
    ],
  },
  {
    name: 'rclone serve s3',
    server: told(RCLONE, /^AmazonS3$/),
    bindsPayload: told(RCLONE, false),
    conditionalPut: told(RCLONE, true),
    maxParts: told(RCLONE, 10_000),
    takesLateParts: told(RCLONE, false),
    authorization: told(RCLONE, '400 UnsupportedAlgorithm'),
    completeTwice: told(RCLONE, '200'),
    listsUploadsByPrefix: told(RCLONE, true),
    region: told(RCLONE, 'any'),
    pathStyle: told(RCLONE, 'yes'),
    copiesUnsigned: unknown,
    maxPutBytes: unknown,
    notes: [
      told(RCLONE, 'takes no part twice (501) and forgets uploads when it ends: a push that it interrupts begins anew'),
      told(RCLONE, 'calls itself AmazonS3'),
    ],
  },
  {
    name: 'Garage',
    bindsPayload: unknown,
    conditionalPut: unknown,
    maxParts: unknown,
    takesLateParts: unknown,
    authorization: unknown,
    completeTwice: unknown,
    listsUploadsByPrefix: unknown,
    region: told(
      'Garage: Configuring S3 clients to interact with Garage',
      'the one in its configuration file, often `garage`',
    ),
    pathStyle: told('Garage: S3 Compatibility status', 'yes; virtual hosts too'),
    copiesUnsigned: unknown,
    maxPutBytes: unknown,
    notes: [],
  },
]

/** What was found by trying; undefined where it was not tried. */
export interface S3Traits {
  readonly bindsPayload?: boolean | undefined
  readonly conditionalPut?: boolean | undefined
  readonly maxParts?: number | undefined
  readonly takesLateParts?: boolean | undefined
}

/** What was seen of a store. */
export interface S3Sighting extends S3Traits {
  /** `Server` header of an answer, which a proxy in between may have replaced. */
  readonly server: string | undefined
  /** Host name of the store as clients reach it. */
  readonly host: string
  readonly bindsPayload: boolean
  /** See {@link S3Profile.authorization}. */
  readonly authorization?: string | undefined
}

export interface S3Fit {
  /**
   * At most one: by the host of its vendor, by the header of one that does so, or as the only one
   * that does so.
   */
  readonly named: S3Profile | undefined
  readonly by: 'host' | 'header' | 'doing' | undefined
  /** False when what was tried contradicts the profile, which then only the name tells. */
  readonly agrees: boolean
  /** All that were tried and behave like what was seen. */
  readonly alike: readonly S3Profile[]
}

const DOINGS = ['bindsPayload', 'conditionalPut', 'maxParts', 'takesLateParts', 'authorization'] as const

/** How many facts of a profile were seen; undefined where one contradicts. */
function countAgreeing(profile: S3Profile, seen: S3Sighting): number | undefined {
  let agreeing = 0
  for (const name of DOINGS) {
    const { known } = profile[name]
    if (known === undefined || seen[name] === undefined) continue
    if (known !== seen[name]) return undefined
    agreeing += 1
  }
  return agreeing
}

/** Which profile fits what was seen: what a store does counts more than what it calls itself. */
export function fitS3Profile(seen: S3Sighting, profiles: readonly S3Profile[] = s3Profiles): S3Fit {
  const { server, host } = seen
  const agreeing = new Map(profiles.map((profile) => [profile, countAgreeing(profile, seen)]))
  const isPossible = (profile: S3Profile): boolean => agreeing.get(profile) !== undefined
  const alike = profiles.filter((profile) => isPossible(profile) && profile.bindsPayload.known !== undefined)
  const conclude = (named: S3Profile | undefined, by: S3Fit['by']): S3Fit => ({
    named,
    by: named && by,
    agrees: named === undefined || isPossible(named),
    alike,
  })

  const ofHost = profiles.find((profile) => profile.host?.known?.test(host) === true)
  if (ofHost !== undefined) return conclude(ofHost, 'host')
  const ofHeader = profiles
    .filter((profile) => server !== undefined && profile.server?.known?.test(server) === true)
    .sort((a, b) => (agreeing.get(b) ?? -1) - (agreeing.get(a) ?? -1))[0]
  if (ofHeader !== undefined && isPossible(ofHeader)) return conclude(ofHeader, 'header')
  return alike.length === 1 ? conclude(alike[0], 'doing') : conclude(ofHeader, 'header')
}
