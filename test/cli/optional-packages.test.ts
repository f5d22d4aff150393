import { describe, expect, it } from 'vitest'
import { requirePackages } from '../../src/cli/optional-packages.js'

const s3 = { storage: 's3://bucket', metadata: undefined }

describe('optional packages', () => {
  it('are named all at once, with the line that installs them', () => {
    expect(() => requirePackages({ ...s3, metadata: 'postgres://db/x' }, () => false)).toThrow(
      'S3 storage and PostgreSQL need packages that are not installed beside sif-library: npm install @aws-sdk/client-s3 @smithy/signature-v4 @smithy/protocol-http pg',
    )
    expect(() => requirePackages(s3, (name) => name !== '@smithy/signature-v4')).toThrow(
      'S3 storage needs a package that is not installed beside sif-library: npm install @smithy/signature-v4',
    )
  })

  it('are not asked for where nothing needs them, nor where they are there', () => {
    requirePackages({ storage: 'filesystem:/x', metadata: 'sqlite:/x' }, () => false)
    requirePackages({ ...s3, metadata: 'postgresql://db/x' }, () => true)
  })
})
