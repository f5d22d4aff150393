import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const entries: Record<string, string> = JSON.parse(readFileSync(new URL('./entries.json', import.meta.url), 'utf8'))

/** src/cli imports the package by its public names; the unit tests meet the sources behind them, not what was built last. */
const alias = Object.entries(entries).map(([name, file]) => ({
  find: new RegExp(`^sif-library${name.slice(1)}$`),
  replacement: fileURLToPath(new URL(file, import.meta.url)),
}))

/** The examples import the package as their readers do: here by what was built. */
const distAlias = Object.keys(entries).map((name) => ({
  find: new RegExp(`^sif-library${name.slice(1)}$`),
  replacement: fileURLToPath(new URL(`./dist/${name === '.' ? 'index' : name.slice(2)}.js`, import.meta.url)),
}))

const shared = { environment: 'node' as const, testTimeout: 20_000, hookTimeout: 60_000 }

const e2e = {
  ...shared,
  globalSetup: ['test/e2e/harness/built.ts', 'test/e2e/harness/left-behind.ts'],
  testTimeout: 300_000,
  hookTimeout: 900_000,
}

/** They measure how long somebody waits, or start whole systems: nothing else runs beside them. */
const alone = [
  'test/e2e/{containers,deploy}.test.ts',
  'test/e2e/{ui,postgres}/*.test.ts',
  'test/e2e/s3/clusters.test.ts',
]

export default defineConfig({
  test: {
    // Vitest's default leaves a core idle; half of what a test file does is waiting
    maxWorkers: Math.max(2, availableParallelism()),
    projects: [
      {
        resolve: { alias },
        test: {
          ...shared,
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/e2e/**', 'test/package/**', 'test/examples/**', 'node_modules/**'],
        },
      },
      // Real clients, real stores, the built package: slower, and they start processes.
      {
        resolve: { alias: distAlias },
        test: {
          ...shared,
          name: 'package',
          globalSetup: ['test/e2e/harness/built.ts', 'test/e2e/harness/left-behind.ts'],
          include: ['test/package/**/*.test.ts', 'test/examples/**/*.test.ts'],
          testTimeout: 240_000,
          hookTimeout: 240_000,
        },
      },
      { test: { ...e2e, name: 'e2e', include: ['test/e2e/**/*.test.ts'], exclude: alone } },
      { test: { ...e2e, name: 'e2e-alone', include: alone, fileParallelism: false } },
    ],
  },
})
