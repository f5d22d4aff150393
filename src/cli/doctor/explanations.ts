/** The likely cause behind the code of a network or an S3 error, and the option to change. */
import type { Explanation } from './finding.js'

const untrusted: Explanation = {
  cause: 'the certificate is signed by an authority that this machine does not know',
  fix: 'storage URL: ca=FILE with the PEM of that authority; the machines of the clients must trust it as well',
}
const region: Explanation = {
  cause: 'the bucket lies in another region, or the store has another one configured',
  fix: 'storage URL: region=NAME',
}
const keys: Explanation = {
  cause: 'the store does not know the access key',
  fix: 'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or AWS_PROFILE), in the environment of this command and of serve',
}

const explanations: Readonly<Record<string, Explanation>> = {
  ECONNREFUSED: {
    cause: 'nothing listens there, or only on another address',
    fix: 'start the store, or correct endpoint (publicEndpoint for clients) in the storage URL',
  },
  ENOTFOUND: {
    cause: 'no such host; a store that does not serve buckets as host names needs them in the path',
    fix: 'storage URL: endpoint or publicEndpoint; pathStyle=true puts the bucket into the path',
  },
  EAI_AGAIN: { cause: 'the name server does not answer', fix: 'storage URL: endpoint' },
  ETIMEDOUT: { cause: 'no answer: a firewall, or a wrong address', fix: 'storage URL: endpoint' },
  TimeoutError: {
    cause: 'no answer: a firewall, a wrong address, or a store that waits for its own disks or is stopped',
    fix: 'storage URL: endpoint; or look at the state of the store (Ceph: ceph -s)',
  },
  EPROTO: {
    cause: 'https was spoken to a port that speaks http',
    fix: 'storage URL: http:// in endpoint or publicEndpoint',
  },
  ECONNRESET: {
    cause: 'the other side hung up: a proxy, or http spoken to a port that speaks https',
    fix: 'storage URL: https:// in endpoint or publicEndpoint',
  },
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted,
  ERR_TLS_CERT_ALTNAME_INVALID: {
    cause: 'the certificate is for another name',
    fix: 'storage URL: endpoint with the name in the certificate, or pathStyle=true where the bucket is put in front of it',
  },
  CERT_HAS_EXPIRED: { cause: 'the certificate has expired', fix: 'renew the certificate of the store' },
  SignatureDoesNotMatch: {
    cause: 'the secret key is wrong, or a proxy in front of the store changes the Host that was signed',
    fix: 'AWS_SECRET_ACCESS_KEY; or publicEndpoint in the storage URL, exactly as clients reach the store',
  },
  InvalidAccessKeyId: keys,
  XAdminUserNotFound: keys,
  CredentialsProviderError: { ...keys, cause: 'no credentials were found' },
  ExpiredToken: { ...keys, cause: 'the credentials have expired' },
  AuthorizationHeaderMalformed: region,
  AuthorizationQueryParametersError: region,
  PermanentRedirect: region,
  IllegalLocationConstraintException: region,
  NoSuchBucket: {
    cause: 'there is no such bucket and it may not be created from here, or (clients’ side) another store answers',
    fix: 'create the bucket, or allow s3:CreateBucket, or correct the bucket in --storage',
  },
  NoSuchKey: { cause: 'another store, or another bucket, answers', fix: 'storage URL: publicEndpoint' },
  MalformedXML: { cause: 'the store does not serve buckets as host names', fix: 'storage URL: pathStyle=true' },
  AccessDenied: {
    cause: 'a policy of the store forbids it',
    fix: 'allow s3:ListBucket, s3:ListBucketMultipartUploads, s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload and s3:ListMultipartUploadParts',
  },
  InvalidLocationConstraint: {
    cause:
      'the store makes buckets only in its own region, whatever it takes for signatures (Ceph: the name of the zonegroup, or us-east-1)',
    fix: 'storage URL: region=us-east-1 or the name of the zonegroup; or create the bucket with the tools of the store',
  },
  QuotaExceeded: {
    cause: 'the quota of the user or of the bucket is used up',
    fix: 'raise it (Ceph: radosgw-admin quota set --quota-scope=user --uid=USER --max-size=SIZE), or delete images and run sif-library sweep',
  },
  UserSuspended: {
    cause: 'the user of the access key is suspended',
    fix: 'Ceph: radosgw-admin user enable --uid=USER',
  },
  RequestTimeTooSkewed: {
    cause: 'the clocks of this machine and of the store are too far apart',
    fix: 'let both keep their time by NTP',
  },
}

export function explain(code: string | undefined): Explanation {
  return code !== undefined && Object.hasOwn(explanations, code) ? (explanations[code] ?? {}) : {}
}

/** The innermost code of an error: of the store, of the network, of the system. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  const inner =
    codeOf(error.cause) ??
    (typeof error.cause === 'object' && error.cause !== null && 'code' in error.cause
      ? String(error.cause.code)
      : undefined)
  return inner ?? ('code' in error && typeof error.code === 'string' ? error.code : undefined)
}
