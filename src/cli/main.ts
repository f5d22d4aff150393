#!/usr/bin/env node
import { homedir } from 'node:os'
import { run } from './program.js'

process.exitCode = await run(process.argv.slice(2), {
  out: (line) => process.stdout.write(`${line}\n`),
  note: (line) => process.stderr.write(`${line}\n`),
  environment: process.env,
  home: homedir(),
})
