/**
 * The JSON Schema of configuration files, from the option table. Published as
 * `sif-library/config.schema.json`.
 */
import { optionKeys, optionName, optionTable } from './table.js'

export function configSchema(): object {
  const keys = optionKeys.filter((key) => key !== 'config')
  const properties = keys.map((key) => {
    const { kind, help, shown } = optionTable[key]
    return [
      optionName(key),
      { description: shown === undefined ? help : `${help} (default: ${shown})`, ...kind.schema },
    ]
  })
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Configuration file of sif-library',
    type: 'object',
    additionalProperties: false,
    properties: { $schema: { type: 'string' }, ...Object.fromEntries(properties) },
  }
}
