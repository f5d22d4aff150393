import { existsSync, readFileSync } from 'node:fs'
import { defineConfig, type Options } from 'tsup'
import { thirdPartyNotices } from './scripts/third-party.mjs'

const entries: Record<string, string> = JSON.parse(readFileSync(new URL('./entries.json', import.meta.url), 'utf8'))

/** `./storage/s3` → `storage/s3`, `.` → `index`: the file name in dist of a public entry point. */
const outputName = (entryPoint: string): string => (entryPoint === '.' ? 'index' : entryPoint.slice(2))

const library: Options = {
  entry: Object.fromEntries(
    Object.entries(entries)
      .filter(([, file]) => existsSync(file))
      .map(([name, file]) => [outputName(name), file]),
  ),
  format: ['esm', 'cjs'],
  target: 'node20',
  platform: 'node',
  // splitting for CJS too: entry points share one copy of a class where they can (the brand checks cover the rest)
  splitting: true,
  dts: true,
  // `vite build` makes the page, and nothing here makes it again
  clean: ['!ui/**'],
  // the page lies beside the built entry
  shims: true,
  sourcemap: true,
  // esbuild strips the prefix of builtins by default, and node:sqlite exists only with it
  removeNodeProtocol: false,
}

const cli: Options = {
  entry: { 'cli/main': 'src/cli/main.ts' },
  format: ['esm'],
  target: 'node20',
  platform: 'node',
  splitting: false,
  dts: false,
  // it would be larger than the file, most of it of other packages
  sourcemap: false,
  removeNodeProtocol: false,
  // the command uses the package through its public entry points
  external: [/^sif-library/],
  // Who mounts the registry in a server of their own installs none of what only the command needs: tsup bundles
  // devDependencies. Some of them are CommonJS, whose `require` and `__dirname` an ES module does not have.
  banner: {
    js: [
      "import { createRequire as __createRequire } from 'node:module'",
      'const require = __createRequire(import.meta.url)',
      'const __dirname = import.meta.dirname',
    ].join('\n'),
  },
  esbuildPlugins: [thirdPartyNotices('dist/cli/THIRD-PARTY-NOTICES.txt')],
}

export default defineConfig(existsSync('src/cli/main.ts') ? [library, cli] : [library])
