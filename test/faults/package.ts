/** The built package by its folder, so that a long run keeps the build that it began with. */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

export const cliOf = (root: string): string => join(root, 'dist/cli/main.js')

const load = (root: string, file: string): Promise<unknown> => import(pathToFileURL(join(root, file)).href)

export const loadCore = (root: string): Promise<typeof import('../../src/core/index.js')> =>
  load(root, 'dist/index.js') as Promise<typeof import('../../src/core/index.js')>

export const loadFilesystem = (root: string): Promise<typeof import('../../src/storage/blob/filesystem/index.js')> =>
  load(root, 'dist/storage/filesystem.js') as Promise<typeof import('../../src/storage/blob/filesystem/index.js')>

export const loadS3 = (root: string): Promise<typeof import('../../src/storage/blob/s3/index.js')> =>
  load(root, 'dist/storage/s3.js') as Promise<typeof import('../../src/storage/blob/s3/index.js')>

export const loadSqlite = (root: string): Promise<typeof import('../../src/storage/metadata/sqlite/index.js')> =>
  load(root, 'dist/metadata/sqlite.js') as Promise<typeof import('../../src/storage/metadata/sqlite/index.js')>

export const loadPostgres = (root: string): Promise<typeof import('../../src/storage/metadata/postgres/index.js')> =>
  load(root, 'dist/metadata/postgres.js') as Promise<typeof import('../../src/storage/metadata/postgres/index.js')>

export const loadPostgresServer = (root: string): Promise<typeof import('../../scripts/postgres.mjs')> =>
  load(root, 'scripts/postgres.mjs') as Promise<typeof import('../../scripts/postgres.mjs')>

/** Left out of bundles: it finds its cache by its own place. */
export const loadS3Servers = (root: string): Promise<typeof import('../../scripts/s3-servers.mjs')> =>
  load(root, 'scripts/s3-servers.mjs') as Promise<typeof import('../../scripts/s3-servers.mjs')>
