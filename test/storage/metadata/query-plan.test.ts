import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findByTag } from '../../../src/storage/metadata/sql/images.js'
import { migrations } from '../../../src/storage/metadata/sql/schema.js'
import { sqlStore } from '../../../src/storage/metadata/sql/store.js'
import { sqliteDialect, withoutRowLocks } from '../../../src/storage/metadata/sqlite/dialect.js'
import { SqliteDriver } from '../../../src/storage/metadata/sqlite/driver.js'
import {
  loadBetterSqlite,
  loadNodeSqlite,
  type SqliteConnection,
  type SqliteLibrary,
} from '../../../src/storage/metadata/sqlite/library.js'
import { describeMetadataStore } from '../../../src/testing/index.js'

const statements = new Set<string>()
let folder: string
let connection: SqliteConnection

/** A library that remembers every statement. */
async function loadRecording(): Promise<SqliteLibrary> {
  const library = loadNodeSqlite() ?? (await loadBetterSqlite())
  return (file) => {
    const inner = library(file)
    return {
      ...inner,
      prepare: (sql) => {
        statements.add(sql)
        return inner.prepare(sql)
      },
    }
  }
}

/** Runs the whole conformance suite, so that every statement of the store is seen once. */
async function runSuite(): Promise<void> {
  const tests: (() => Promise<void>)[] = []
  const runner = {
    describe: (_name: string, body: () => void) => body(),
    test: (_name: string, body: () => Promise<void>) => tests.push(body),
  }
  const create = () => ({ store: sqlStore(new SqliteDriver({ file: ':memory:', busyMs: 0, load: loadRecording })) })
  describeMetadataStore(runner, { name: 'recorded', lacks: ['second'], create })
  for (const body of tests) await body()
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sif-library-plan-'))
  const file = join(folder, 'registry.db')
  const load = async () => loadNodeSqlite() ?? (await loadBetterSqlite())
  const store = sqlStore(new SqliteDriver({ file, busyMs: 0, load }))
  await store.ready()
  await store.close()
  connection = (await load())(file)
  await runSuite()
}, 240_000)

afterAll(async () => {
  connection.close()
  await rm(folder, { recursive: true })
})

function planOf(sql: string): string[] {
  const values = Array.from({ length: sql.split('?').length - 1 }, () => null)
  return connection
    .prepare(`EXPLAIN QUERY PLAN ${sql}`)(values)
    .map((row) => row.detail as string)
}

test('a lookup by tag is three lookups, each in one index', () => {
  expect(planOf(withoutRowLocks(findByTag))).toEqual([
    expect.stringMatching(/^SEARCH c USING INDEX \S+ \(entity_name=\? AND collection_name=\? AND name=\?\)$/),
    expect.stringMatching(/^SEARCH t USING PRIMARY KEY \(container_id=\? AND arch=\? AND tag=\?\)$/),
    expect.stringMatching(/^SEARCH i USING INDEX \S+ \(id=\?\)$/),
  ])
})

test('a token is found by its hash, and the roles of its user by theirs: one lookup in each table', () => {
  const sql = [...statements].find((text) => text.includes('t.hash = ?'))
  expect(planOf(sql ?? '')).toEqual([
    expect.stringMatching(/^SEARCH t USING INDEX \S+ \(hash=\?\)$/),
    expect.stringMatching(/^SEARCH u USING INDEX \S+ \(id=\?\)$/),
    'CORRELATED SCALAR SUBQUERY 1',
    expect.stringMatching(/^SEARCH m USING INDEX \S+ \(subject=\? AND kind=\?\)$/),
    expect.stringMatching(/^SEARCH e USING INDEX \S+ \(id=\?\)$/),
    'CORRELATED SCALAR SUBQUERY 2',
    // the groups of the user, from their JSON
    expect.stringMatching(/^SCAN list VIRTUAL TABLE/),
    expect.stringMatching(/^SEARCH m USING INDEX \S+ \(subject=\? AND kind=\?\)$/),
    expect.stringMatching(/^SEARCH e USING INDEX \S+ \(id=\?\)$/),
  ])
})

test('a list of unproven or damaged images reads these only', () => {
  const sql = [...statements].find((text) => text.includes('i.id > ?') && text.includes('i.state IN'))
  expect(planOf(sql ?? '')).toContainEqual(expect.stringMatching(/^SEARCH i USING INDEX images_unpublished \(id>\?\)$/))
})

test('blobs that wait for an inspection are found in their own index', () => {
  const sql = [...statements].find((text) => text.includes('inspection_version = ? AND blob_key > ?'))
  expect(planOf(sql ?? '')).toEqual([
    expect.stringMatching(/USING INDEX blobs_by_inspection \(inspection_version=\? AND blob_key>\?\)$/),
  ])
})

test('no statement walks through a table that grows', () => {
  // migrations walk, once
  const once = new Set(migrations.flatMap((migration) => migration(sqliteDialect)))
  const isOnce = (sql: string) =>
    once.has(sql) || /substr\(entity_id, 24, 1\)|FROM entities WHERE used_bytes > 0/.test(sql)
  const queries = [...statements].filter((sql) => /^(?:SELECT|INSERT|UPDATE|DELETE)/.test(sql) && !isOnce(sql))
  expect(queries.length).toBeGreaterThan(60)
  // lists of everything, for people; the one row of the schema's version, the sixteen of the counters, what an index holds of deletions under way; the array of a JSON value; the index of a search, which stops at the limit
  const allowed =
    /^SCAN (?:schema_version|schema_steps.*|counters|containers USING INDEX containers_deleting|list VIRTUAL TABLE .*|x VIRTUAL TABLE .*|users(?: USING (?:COVERING )?INDEX .*)?|t)$/
  const walking = queries.flatMap((sql) => {
    const steps = planOf(sql).filter(
      (step) =>
        step.startsWith('SCAN ') &&
        !allowed.test(step) &&
        !/^SCAN (?:CONSTANT ROW|expired|stuck|first|branch\d+|\(subquery)/.test(step),
    )
    return steps.map((step) => `${step}: ${sql}`)
  })
  expect(walking).toEqual([])
})
