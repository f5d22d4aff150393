/** The page of options in the docs, from the tables of commands and options. */
import { type Command, commonOptions } from '../command.js'
import { type OptionKey, optionKeys, optionName, optionTable, optionVariable } from './table.js'

const cell = (text: string): string => text.replaceAll('|', '\\|')

function commandsOf(key: OptionKey, commands: readonly Command[]): string {
  if (commonOptions.includes(key)) return 'all'
  return commands
    .filter(({ options }) => options.includes(key))
    .map(({ name }) => `\`${name}\``)
    .join(', ')
}

/** A Markdown page. */
export function optionPage(commands: readonly Command[]): string {
  const rows = optionKeys.map((key) => {
    const { kind, help, shown } = optionTable[key]
    const flag = `--${optionName(key)}${kind.placeholder === '' ? '' : ` ${kind.placeholder}`}`
    return `| \`${cell(flag)}\` | ${cell(help)} | ${shown === undefined ? '' : cell(shown)} | ${commandsOf(key, commands)} | \`${optionVariable(key)}\` |`
  })
  return [
    '# Options of `sif-library`',
    '',
    'Made from the option table; a test keeps it so. How flags, environment and configuration file work together is on [the page of the command line](cli.md).',
    '',
    '| option | what it does | default | commands | environment variable |',
    '|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n')
}
