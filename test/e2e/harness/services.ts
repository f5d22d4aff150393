import { findPrograms } from '../../../scripts/postgres.mjs'
import { installS3Server } from '../../../scripts/s3-servers.mjs'

/** Why a test over PostgreSQL and MinIO cannot run here; undefined when it can (as root PostgreSQL is installed when it is started). */
export async function servicesMissing(): Promise<string | undefined> {
  if (findPrograms() === undefined && process.getuid?.() !== 0) return 'PostgreSQL is not installed'
  return installS3Server('minio').then(
    () => undefined,
    (error: Error) => error.message,
  )
}
