import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Command, CommandContext, Terminal } from '../command.js'
import { UsageError, WorkError } from '../failure.js'
import { checkRemote, writeRemote } from '../remote-file.js'

const clients = ['singularity', 'apptainer'] as const

export const login: Command = {
  name: 'login',
  summary:
    'sign the command lines of this user in to a registry anywhere: asks for an access token, and writes remote.yaml of Singularity and Apptainer',
  args: [{ name: 'url', help: 'address of the registry, such as https://registry.example' }],
  options: [],
  run: runLogin,
}

/** One line of stdin. On a terminal what is typed is not shown. */
async function readToken(terminal: Terminal): Promise<string> {
  const { stdin } = process
  const isTerminal = stdin.isTTY
  if (isTerminal) {
    terminal.note('Access token (it is not shown while you type or paste):')
    stdin.setRawMode(true)
  }
  try {
    return await (isTerminal ? readHidden() : readLine())
  } finally {
    if (isTerminal) stdin.setRawMode(false)
    stdin.pause()
  }
}

async function readLine(): Promise<string> {
  for await (const line of createInterface({ input: process.stdin })) return line.trim()
  return ''
}

async function readHidden(): Promise<string> {
  let typed = ''
  for await (const chunk of process.stdin)
    for (const character of String(chunk)) {
      if (character === '\r' || character === '\n') return typed.trim()
      // Ctrl+C and Ctrl+D in raw mode
      if (character === '\u0003' || character === '\u0004') throw new UsageError('no token was given')
      typed = character === '\u007f' ? typed.slice(0, -1) : typed + character
    }
  return typed.trim()
}

/**
 * Asks the registry whether the token is good. Throws WorkError when it is not, or when no registry
 * answers.
 */
async function checkToken(url: string, token: string): Promise<void> {
  let status: number
  try {
    const answer = await fetch(`${url}/v1/token-status`, { headers: { authorization: `Bearer ${token}` } })
    status = answer.status
  } catch {
    throw new WorkError(`${url} does not answer`)
  }
  if (status === 404 || status === 401) throw new WorkError('the token is not valid here: mistyped, revoked or expired')
  if (status !== 200) throw new WorkError(`${url} answered ${status}: is it the address of a registry?`)
}

async function runLogin({ args: [given = ''], terminal }: CommandContext): Promise<undefined> {
  const url = given.replace(/\/+$/, '')
  if (!/^https?:\/\/[^\s/?#]+[^\s?#]*$/.test(url))
    throw new UsageError(`${JSON.stringify(given)} is no http(s) address`)
  const folders = clients.map(
    (client) => terminal.environment[`${client.toUpperCase()}_CONFIGDIR`] || join(terminal.home, `.${client}`),
  )
  const files = folders.map((folder) => join(folder, 'remote.yaml'))
  for (const file of files) await checkRemote(file)
  const token = await readToken(terminal)
  if (token === '') throw new UsageError('no token was given')
  await checkToken(url, token)
  for (const file of files) {
    const { backup } = await writeRemote(file, { name: 'sif-library', url, token })
    terminal.out(`wrote ${file}${backup === undefined ? '' : ` (before: ${backup})`}`)
  }
  terminal.note(`sif-library is the active remote now: ${url}`)
}
