/** Checks that whoever holds an upload URL can write his own bytes with it, and do nothing else. */
import type { StorageBackend } from 'sif-library/storage'
import type { S3Storage, UploadVerdict } from 'sif-library/storage/s3'
import { failed } from './bytes.js'
import { explain } from './explanations.js'
import type { Finding, Findings } from './finding.js'

const isS3 = (storage: StorageBackend): storage is S3Storage => 'examineUploads' in storage

const signers: Readonly<Record<UploadVerdict['signedBy'], string>> = {
  session: 'a session that the store opened for it',
  uploadCredentials: 'the key in SIF_LIBRARY_UPLOAD_ACCESS_KEY_ID',
  credentials: 'the registry’s own key',
}

const waysOut =
  'one of: a store that opens sessions for this key (AssumeRole at its S3 port: not for temporary credentials); SIF_LIBRARY_UPLOAD_ACCESS_KEY_ID and SIF_LIBRARY_UPLOAD_SECRET_ACCESS_KEY of a key that may s3:PutObject below blobs/ and nothing else; a proxy in front of the store that drops x-amz-copy-source (deploy/nginx.conf), named by publicEndpoint'

/** Nothing where the storage is no S3 store. */
export async function* checkUploadUrls(storage: StorageBackend): Findings {
  if (!isS3(storage)) return
  const check = 'upload URLs: an unsigned x-amz-copy-source'
  try {
    const { verdict, reach } = await storage.examineUploads()
    const by = `signed by ${signers[verdict.signedBy]}`
    yield copyFinding(check, verdict, by)
    if (verdict.signedBy === 'credentials' || reach === undefined) return
    yield reach.length === 0
      ? { check: 'upload URLs: what else their signer may do', state: 'ok', found: 'nothing' }
      : {
          check: 'upload URLs: what else their signer may do',
          state: 'failed',
          found: reach.join(', '),
          cause:
            'the policy of that key allows more than s3:PutObject below blobs/ (and .incoming/blobs/) of the prefix',
          fix: 'the second policy of docs/storage.md, "AWS"',
        }
  } catch (error) {
    yield failed(check, error)
  }
}

function copyFinding(check: string, verdict: UploadVerdict, by: string): Finding {
  const where =
    verdict.seenThrough === 'endpoint' ? ', seen through endpoint: publicEndpoint cannot be tried from here' : ''
  switch (verdict.copying) {
    case 'refused':
      return { check, state: 'ok', found: `refused (${verdict.answer}); ${by}${where}` }
    case 'ignored':
      return { check, state: 'ok', found: `dropped on the way; ${by}${where}` }
    case 'copied':
      return {
        check,
        state: 'failed',
        found: `copies another object (${verdict.answer}); ${by}. Uploads go through the registry`,
        cause: 'the store acts on a header that no signature covers, with the rights of whoever signed the URL',
        fix: waysOut,
      }
    case 'unclear':
    case 'unusable':
      return {
        check,
        state: 'failed',
        found: `${verdict.blocked ?? verdict.answer}; ${by}. Uploads go through the registry`,
        cause: 'publicEndpoint is not what clients use, or the signer may not write below blobs/',
        fix: 'storage URL: publicEndpoint; or the policy of the signer',
        // the code of the store or of the network, where there is one, says more
        ...explain(/\b([A-Za-z_]{6,})$/.exec(verdict.answer)?.[1]),
      }
  }
}
