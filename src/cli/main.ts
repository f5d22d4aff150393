#!/usr/bin/env node
import { homedir } from 'node:os'
import { run } from './program.js'

// whoever read our output may stop reading; that is no reason to fall over
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

// Node 22 warns that node:sqlite is experimental, at every start: nothing that an operator could act on
process.removeAllListeners('warning')
process.on('warning', ({ name, message }) => {
  if (name !== 'ExperimentalWarning' || !message.includes('SQLite')) process.stderr.write(`${name}: ${message}\n`)
})

process.exitCode = await run(process.argv.slice(2), {
  out: (line) => process.stdout.write(`${line}\n`),
  note: (line) => process.stderr.write(`${line}\n`),
  environment: process.env,
  home: homedir(),
})
