#!/usr/bin/env node
import { homedir } from 'node:os'
import { run } from './program.js'

// whoever read our output may stop reading; that is no reason to fall over
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

process.exitCode = await run(process.argv.slice(2), {
  out: (line) => process.stdout.write(`${line}\n`),
  note: (line) => process.stderr.write(`${line}\n`),
  environment: process.env,
  home: homedir(),
})
