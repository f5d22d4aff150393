import { Validator } from '@seriousme/openapi-schema-validator'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, it } from 'vitest'
import { makeOpenApi } from '../../src/core/openapi.js'
import { routes } from '../../src/core/routes.js'
import { createTestRegistry } from '../support/registry.js'

interface Operation {
  readonly operationId: string
  readonly parameters: readonly { readonly name: string; readonly in: string; readonly required: boolean }[]
  readonly requestBody?: { readonly content: Record<string, { readonly schema?: object }> }
  readonly responses: Record<string, object>
  readonly security: readonly object[]
}
interface Document {
  readonly openapi: string
  readonly paths: Record<string, Record<string, Operation>>
  readonly components: { readonly schemas: Record<string, object> }
}

const document = makeOpenApi(routes) as Document
const operations = Object.values(document.paths).flatMap((path) => Object.values(path))

describe('the document', () => {
  it('is valid OpenAPI 3.1', async () => {
    const result = await new Validator().validate(structuredClone(document) as object as Record<string, unknown>)
    expect(result).toMatchObject({ valid: true })
  })

  it('has every row, once', () => {
    expect(operations.map(({ operationId }) => operationId).sort()).toEqual(routes.map(({ name }) => name).sort())
  })

  it('has no two paths that differ in the names of their parameters only: such documents are invalid', () => {
    const shapes = Object.keys(document.paths).map((path) => path.replace(/\{[^}]+\}/g, '{}'))
    expect(new Set(shapes).size).toBe(shapes.length)
  })

  it('declares the parameters of each path, and no others', () => {
    for (const [path, methods] of Object.entries(document.paths)) {
      const names = [...path.matchAll(/\{([^}]+)\}/g)].map(([, name]) => name)
      for (const { parameters } of Object.values(methods))
        expect(parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => name)).toEqual(names)
    }
  })

  it('has no reference that leads nowhere, and schemas that compile', () => {
    for (const [, name] of JSON.stringify(document).matchAll(/"#\/components\/(?:schemas|responses)\/(\w+)"/g))
      expect(JSON.stringify(document.components)).toContain(`"${name}":`)
    const ajv = new Ajv2020({ strict: false })
    ajv.addSchema({ $id: 'doc', components: document.components })
    for (const name of Object.keys(document.components.schemas))
      expect(() => ajv.compile({ $ref: `doc#/components/schemas/${name}` })).not.toThrow()
  })

  it('says who needs a token', () => {
    for (const { operationId, security } of operations) {
      const row = routes.find(({ name }) => name === operationId)
      expect(security).toEqual(row?.access === 'public' ? [] : [{}, { bearer: [] }])
    }
  })

  it('is what the server gives out', async () => {
    const registry = await createTestRegistry()
    expect((await registry.call('GET', '/openapi.json')).json).toEqual(JSON.parse(JSON.stringify(document)))
    expect(registry.library.openapi()).toEqual(document)
    await registry.close()
  })
})
