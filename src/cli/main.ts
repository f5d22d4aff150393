#!/usr/bin/env node
import { homedir } from 'node:os'
import { plainText } from './plain-text.js'
import { run } from './program.js'
import { createProgress } from './progress.js'

// whoever read our output may stop reading; that is no reason to fall over
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

// Nothing that an operator could act on: Node 22 warns that node:sqlite is experimental, and the
// AWS SDK that versions of itself which are not installed will need a newer Node
const ofNoUse = (name: string, message: string): boolean =>
  (name === 'ExperimentalWarning' && message.includes('SQLite')) ||
  /^NodeVersionSupportWarning: The AWS SDK/.test(message)
process.removeAllListeners('warning')
process.on('warning', ({ name, message }) => {
  if (!ofNoUse(name, message)) process.stderr.write(plainText(`${name}: ${message}\n`))
})

const progress = createProgress(process.stderr)
const lineTo =
  (stream: NodeJS.WriteStream) =>
  (line: string): void => {
    progress.clear()
    stream.write(`${line}\n`)
  }

process.exitCode = await run(process.argv.slice(2), {
  out: lineTo(process.stdout),
  note: lineTo(process.stderr),
  progress: progress.show,
  environment: process.env,
  home: homedir(),
})
