/**
 * What stores do differently, as data: `doctor` compares it with what it sees, and `docs/s3-stores.md` is made from it. No code asks for a profile to decide
 * anything: what a store does is found by trying.
 */

/** `known` undefined: nobody tried it, and no documentation says it. */
export interface S3Fact<T = string> {
  readonly known: T | undefined
  /** `tried`: measured on the real server, in the version that the tests run. Otherwise the title of the vendor's page. */
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
  /** What a second CompleteMultipartUpload of the same upload gets. */
  readonly completeTwice: S3Fact
  /** ListMultipartUploads finds the uploads below a prefix. */
  readonly listsUploadsByPrefix: S3Fact<boolean>
  /** What it says to a region that is not its own. */
  readonly region: S3Fact
  readonly pathStyle: S3Fact
  /** Lets an unsigned `x-amz-copy-source` copy another object, with the rights of whoever signed the URL. */
  readonly copiesUnsigned: S3Fact<boolean>
  /** Bytes of one PUT at the most. */
  readonly maxPutBytes: S3Fact<number>
  readonly notes: readonly S3Fact[]
}

const GiB = 1024 ** 3
const unknown: S3Fact<never> = { known: undefined, source: 'not tried' }
const tried = <T>(known: T): S3Fact<T> => ({ known, source: 'tried' })
const told = <T>(source: string, known: T): S3Fact<T> => ({ known, source })

export const s3Profiles: readonly S3Profile[] = [
  {
    name: 'MinIO',
    server: tried(/^MinIO\b/),
    bindsPayload: tried(true),
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
    bindsPayload: unknown,
    completeTwice: unknown,
    listsUploadsByPrefix: unknown,
    region: unknown,
    pathStyle: told('Ceph: Common Entities', 'yes; virtual hosts with rgw_dns_name'),
    copiesUnsigned: tried(true),
    maxPutBytes: told('Red Hat Ceph Storage: Ceph Object Gateway and the S3 API', 5 * GiB),
    notes: [],
  },
  {
    name: 'Cloudflare R2',
    host: told('Cloudflare R2: S3 API compatibility', /\.r2\.cloudflarestorage\.com$/),
    bindsPayload: unknown,
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
    name: 'SeaweedFS',
    server: told('SeaweedFS: source of older releases; newer ones send none', /^SeaweedFS S3\b/),
    bindsPayload: unknown,
    completeTwice: unknown,
    listsUploadsByPrefix: unknown,
    region: unknown,
    pathStyle: unknown,
    copiesUnsigned: unknown,
    maxPutBytes: unknown,
    notes: [],
  },
  {
    name: 'Garage',
    bindsPayload: unknown,
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

/** What was seen of a store. */
export interface S3Sighting {
  /** `Server` header of an answer, which a proxy in between may have replaced. */
  readonly server: string | undefined
  /** Host name of the store as clients reach it. */
  readonly host: string
  readonly bindsPayload: boolean
}

export interface S3Fit {
  /** Recognised by name: at most one. */
  readonly named: S3Profile | undefined
  /** False when what was tried contradicts the profile that was recognised by name. */
  readonly agrees: boolean
  /** All that were tried and behave like what was seen. */
  readonly alike: readonly S3Profile[]
}

/** Which profile fits what was seen. */
export function fitS3Profile(
  { server, host, bindsPayload }: S3Sighting,
  profiles: readonly S3Profile[] = s3Profiles,
): S3Fit {
  const named = profiles.find(
    (profile) =>
      profile.host?.known?.test(host) === true ||
      (server !== undefined && profile.server?.known?.test(server) === true),
  )
  return {
    named,
    agrees: named?.bindsPayload.known === undefined || named.bindsPayload.known === bindsPayload,
    alike: profiles.filter((profile) => profile.bindsPayload.known === bindsPayload),
  }
}
