import { MetadataError } from '../errors.js'
import { laterStep } from './later-steps.js'
import { type Migration, migrations } from './schema.js'
import type { Dialect, Steps } from './steps.js'

/**
 * Brings the schema from whatever version it has to the newest one. Runs inside the driver's
 * `migrate`: alone, and whole or not at all.
 */
export function* migrate(dialect: Dialect, list: readonly Migration[] = migrations): Steps<void> {
  yield { sql: 'CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)', values: [] }
  // the names of what a migration left to be done later, and how far that came
  yield { sql: 'CREATE TABLE IF NOT EXISTS schema_steps (name TEXT PRIMARY KEY, position TEXT NOT NULL)', values: [] }
  const row = (yield { sql: 'SELECT version FROM schema_version', values: [] })[0]
  const version = (row?.version as number | undefined) ?? 0
  if (version > list.length) {
    throw new MetadataError(
      'schema-too-new',
      `the database has schema version ${version}, this version of sif-library knows ${list.length} at the most: run the newer version, or restore the backup made before it ran`,
    )
  }
  if (row === undefined) yield { sql: 'INSERT INTO schema_version (version) VALUES (0)', values: [] }
  for (const migration of list.slice(version)) {
    for (const sql of migration(dialect)) yield { sql, values: [] }
  }
  // a new database has nothing that would take long
  if (row === undefined) while ((yield* laterStep(dialect)) !== undefined);
  if (version < list.length) yield { sql: 'UPDATE schema_version SET version = ?', values: [list.length] }
}
