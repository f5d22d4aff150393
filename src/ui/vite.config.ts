/** Builds the page into `dist/ui`: hashed names, compressed files beside them, and the manifest that the server reads. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { defineConfig, type Plugin } from 'vite'
import { noticesOf } from '../../scripts/third-party.mjs'

const here = fileURLToPath(new URL('.', import.meta.url))
const output = fileURLToPath(new URL('../../dist/ui', import.meta.url))

const types: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
}

/** Compresses what was built, and writes `manifest.json`. */
function manifest(): Plugin {
  const packages = new Set<string>()
  return {
    name: 'sif-library-manifest',
    moduleParsed: ({ id }) => {
      packages.add(id)
    },
    closeBundle: () => {
      const files: Record<string, object> = {}
      for (const entry of readdirSync(output, { recursive: true, withFileTypes: true })) {
        const path = join(entry.parentPath, entry.name)
        const name = relative(output, path).split(sep).join('/')
        const type = types[name.split('.').at(-1) ?? '']
        if (!entry.isFile() || type === undefined) continue
        const bytes = readFileSync(path)
        writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }))
        writeFileSync(
          `${path}.br`,
          brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } }),
        )
        files[name] = {
          type,
          immutable: /-[\w-]{8}\.\w+$/.test(name),
          worker: name.includes('hash-worker'),
          compressed: true,
        }
      }
      writeFileSync(join(output, 'manifest.json'), `${JSON.stringify({ files }, undefined, 2)}\n`)
      writeFileSync(
        join(output, 'THIRD-PARTY-NOTICES.txt'),
        noticesOf(packages, 'The web page of sif-library carries these packages inside its scripts.\n'),
      )
    },
  }
}

export default defineConfig({
  root: here,
  base: './',
  plugins: [manifest()],
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  worker: { format: 'es', rolldownOptions: { output: { entryFileNames: 'assets/[name]-[hash].js' } } },
  build: {
    outDir: output,
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
})
