import type { SettingStore } from '../contract.js'
import { insertOrFind } from './names.js'
import { type Row, type SqlRunner, selectFirst } from './steps.js'

const storedValue = (row: Row): string => row.value as string
const byName = 'SELECT value FROM settings WHERE name = ?'

export function settingStore(runner: SqlRunner): SettingStore {
  return {
    getOrSet: (name, value) =>
      runner.run('transaction', function* () {
        const insert = {
          sql: 'INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING value',
          values: [name, value],
        }
        return (yield* insertOrFind(storedValue, insert, { sql: byName, values: [name] })).record
      }),
    get: (name) => runner.run('read', () => selectFirst(storedValue, byName, name)),
    set: (name, value) =>
      runner.run('transaction', function* () {
        yield {
          sql: 'INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value',
          values: [name, value],
        }
      }),
  }
}
