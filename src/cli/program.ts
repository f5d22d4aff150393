/** The command line, made from the tables of commands and options. */
import { Argument, Command as Commander, CommanderError, Option } from 'commander'
import { packageVersion } from 'sif-library'
import { type Command, commonOptions, type Terminal } from './command.js'
import { commands } from './commands/index.js'
import { toFailure } from './failure.js'
import { type Flags, resolveSettings } from './options/resolve.js'
import { type OptionKey, optionName, optionTable, optionVariable } from './options/table.js'
import { plainLine, plainText } from './plain-text.js'

const groups: Readonly<Record<string, string>> = {
  user: 'accounts of the standalone server',
  token: 'access tokens of users',
}

/** Commander files `--no-sweep` under `sweep`, as its opposite. */
const attributeOf = (option: Option): { readonly attribute: string; readonly value: (given: unknown) => unknown } => ({
  attribute: option.attributeName(),
  value: option.negate ? (given) => given !== true : (given) => given,
})

function makeOption(key: OptionKey): Option {
  const { kind, help, shown } = optionTable[key]
  const flags = kind.placeholder === '' ? `--${optionName(key)}` : `--${optionName(key)} <${kind.placeholder}>`
  const option = new Option(flags, `${help}${shown === undefined ? '' : ` (default: ${shown})`}`)
  return kind.repeatable
    ? option.argParser((value: string, before: readonly string[] | undefined) => [...(before ?? []), value])
    : option
}

function addCommand(
  parent: Commander,
  command: Command,
  done: { readonly terminal: Terminal; readonly end: (exitCode: number) => void },
): void {
  const child = parent.command(command.name.split(' ').at(-1) ?? command.name).description(command.summary)
  for (const { name, help, optional = false, choices } of command.args ?? []) {
    const argument = new Argument(optional ? `[${name}]` : `<${name}>`, help)
    child.addArgument(choices === undefined ? argument : argument.choices([...choices]))
  }
  const options = [...command.options, ...commonOptions].map((key) => ({ key, option: makeOption(key) }))
  for (const { option } of options) child.addOption(option)
  child.addHelpText(
    'after',
    `\nEvery option is also an environment variable, such as ${optionVariable('data')}, and a key of the --config file.`,
  )
  child.action(async () => {
    const flags: Flags = {}
    for (const { key, option } of options) {
      const { attribute, value } = attributeOf(option)
      if (child.getOptionValueSource(attribute) === 'cli') flags[key] = value(child.getOptionValue(attribute))
    }
    const settings = resolveSettings({ flags, environment: done.terminal.environment })
    // processedArgs has an entry for every declared argument, undefined where it was not given
    done.end(
      (await command.run({ settings, args: child.processedArgs as (string | undefined)[], terminal: done.terminal })) ??
        0,
    )
  })
}

function makeProgram(terminal: Terminal, end: (exitCode: number) => void): Commander {
  const line = (write: (line: string) => void) => (text: string) => write(text.replace(/\n$/, ''))
  const program = new Commander('sif-library')
    .description('A library:// registry for Singularity and Apptainer images')
    .version(packageVersion, '--version', 'print the version')
    .exitOverride()
    .configureOutput({
      writeOut: line(terminal.out),
      writeErr: line(terminal.note),
      outputError: (text, write) => write(text.replace(/^error: /, 'sif-library: ')),
    })
    .showHelpAfterError('(see --help)')
  const parents = new Map<string, Commander>()
  for (const command of commands) {
    const [first = '', second] = command.name.split(' ')
    if (second !== undefined && !parents.has(first))
      parents.set(first, program.command(first).description(groups[first] ?? ''))
    addCommand(parents.get(first) ?? program, command, { terminal, end })
  }
  return program
}

/** Whatever a command prints, nothing in it reaches the terminal as a command of its own. */
function plainTerminal(terminal: Terminal): Terminal {
  const { out, note, progress } = terminal
  return {
    ...terminal,
    out: (line) => out(plainText(line)),
    note: (line) => note(plainText(line)),
    progress: (text) => progress(plainLine(text)),
  }
}

/**
 * Runs a command line (without `node` and the script) and returns its exit code: 0 done, 1 the work
 * failed, 2 wrong usage.
 */
export async function run(argv: readonly string[], given: Terminal): Promise<number> {
  const terminal = plainTerminal(given)
  let exitCode = 0
  const program = makeProgram(terminal, (code) => {
    exitCode = code
  })
  try {
    await program.parseAsync(argv, { from: 'user' })
    return exitCode
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    const { exitCode: failed, message, unforeseen } = toFailure(error)
    terminal.note(`sif-library: ${message}`)
    if (unforeseen && error instanceof Error) terminal.note(error.stack ?? '')
    return failed
  }
}
