import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { crd, structuralSchemaOf } from './crd.ts'
import { duration, intOrString, quantity } from './crd-fields.ts'
import { structural } from './structural-schema.ts'

const schemaOf = (schema: z.ZodType) => structuralSchemaOf(schema, 'spec')

test('kube-machinery case 32', () => {
  const schema = schemaOf(z.object({ replicas: z.int().min(0).default(1), target: quantity(), mode: z.enum(['a', 'b']) }))
  expect(schema).toEqual({
    type: 'object',
    required: ['target', 'mode'],
    properties: {
      replicas: { type: 'integer', format: 'int64', minimum: 0, default: 1 },
      target: {
        'x-kubernetes-int-or-string': true,
        anyOf: [{ type: 'integer' }, { type: 'string' }],
        pattern: '^[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,3})?$',
      },
      mode: { type: 'string', enum: ['a', 'b'] },
    },
  })
})

describe('zod to structural (kube-machinery 3.14)', () => {
  const text = { type: 'string', maxLength: 1024 }
  // biome-ignore format: a table
  test.each([
    ['a strict object prunes', z.strictObject({ a: z.string() }), { type: 'object', properties: { a: text }, required: ['a'] }],
    ['a loose object keeps', z.looseObject({ a: z.string().optional() }), { type: 'object', properties: { a: text }, 'x-kubernetes-preserve-unknown-fields': true }],
    ['a record', z.record(z.string(), z.boolean()), { type: 'object', additionalProperties: { type: 'boolean' }, maxProperties: 256 }],
    ['a record of anything', z.record(z.string(), z.unknown()), { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }],
    ['anything', z.unknown(), { 'x-kubernetes-preserve-unknown-fields': true }],
    ['an array', z.array(z.string()), { type: 'array', items: text, maxItems: 256 }],
    ['an array with bounds', z.array(z.boolean()).min(1).max(3), { type: 'array', items: { type: 'boolean' }, minItems: 1, maxItems: 3 }],
    ['a set', z.array(z.string()).meta({ listType: 'set' }), { type: 'array', items: text, maxItems: 256, 'x-kubernetes-list-type': 'set' }],
    ['a text with bounds', z.string().min(1).max(5).regex(/^a+$/), { type: 'string', minLength: 1, maxLength: 5, pattern: '^a+$' }],
    ['a time', z.iso.datetime(), { type: 'string', format: 'date-time', maxLength: 1024 }],
    ['a literal', z.literal('x'), { type: 'string', enum: ['x'] }],
    ['a nullable', z.string().nullable(), { ...text, nullable: true }],
    ['an int32', z.int32(), { type: 'integer', format: 'int32' }],
    ['an int32 from 1', z.int32().min(1), { type: 'integer', format: 'int32', minimum: 1 }],
    ['a bigint', z.bigint(), { type: 'integer', format: 'int64' }],
    ['a number above', z.number().gt(0).max(1), { type: 'number', minimum: 0, exclusiveMinimum: true, maximum: 1 }],
    ['a percentage', intOrString(), { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }], pattern: '^[0-9]{1,6}%$' }],
    ['a described default', z.boolean().default(false).describe('on'), { type: 'boolean', default: false, description: 'on' }],
    ['a rule', z.string().refine(value => value !== 'x').meta({ cel: { rule: "self != 'x'", message: 'not x' } }), { ...text, 'x-kubernetes-validations': [{ rule: "self != 'x'", message: 'not x' }] }],
  ])('%s', (_case, schema, expected) => {
    expect(schemaOf(schema)).toEqual(expected)
  })

  test('a list told apart by keys', () => {
    const item = z.object({ name: z.string(), value: z.string().optional() })
    expect(schemaOf(z.array(item).meta({ listType: 'map', keys: ['name'] }))).toMatchObject({
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
    })
  })

  test('a union told apart by its keys', () => {
    expect(schemaOf(z.union([z.object({ a: z.string() }), z.object({ b: z.int() })]))).toEqual({
      type: 'object',
      properties: { a: text, b: { type: 'integer', format: 'int64' } },
      'x-kubernetes-validations': [
        { rule: '[has(self.a), has(self.b)].filter(x, x).size() == 1', message: 'exactly one of a, b must be set' },
      ],
    })
  })

  test('a union told apart by a field', () => {
    const union = z.discriminatedUnion('type', [
      z.object({ type: z.literal('x'), v: z.string() }),
      z.object({ type: z.literal('y') }),
    ])
    expect(schemaOf(union)).toEqual({
      type: 'object',
      properties: { type: { type: 'string', enum: ['x', 'y'] }, v: text },
      required: ['type'],
      'x-kubernetes-validations': [{ rule: "self.type != 'x' || has(self.v)", message: 'v is required where type is x' }],
    })
  })
})

describe('what a CRD cannot say is refused with its path', () => {
  const tree = z.object({
    get children() {
      return z.array(tree)
    },
  })
  // biome-ignore format: a table
  test.each([
    ['look-ahead', z.object({ a: z.string().regex(/(?=x)/) }), 'spec.a has the pattern'],
    ['a union of scalars', z.object({ a: z.union([z.string(), z.boolean()]) }), 'spec.a is a union of other things'],
    ['branches nothing tells apart', z.union([z.object({ a: z.string() }), z.object({ a: z.string(), b: z.string() })]), 'spec is a union with a branch'],
    ['one key, two types', z.union([z.object({ a: z.string(), x: z.int() }), z.object({ b: z.string(), x: z.string() })]), 'spec.x has different types'],
    ['recursion', tree, 'uses $ref'],
    ['a map key that may be absent', z.array(z.object({ n: z.string().optional() })).meta({ listType: 'map', keys: ['n'] }), 'spec is a map by n'],
    ['a set of objects', z.array(z.object({ n: z.string() })).meta({ listType: 'set' }), 'spec is a set of what is neither'],
  ])('%s', (_case, schema, message) => {
    expect(() => schemaOf(schema)).toThrow(message)
  })
})

test('the whole object', () => {
  const made = crd({
    group: 'ballast.dev',
    kind: 'RebalancePolicy',
    scope: 'Cluster',
    shortNames: ['rbp'],
    categories: ['ballast'],
    versions: [
      {
        name: 'v1alpha1',
        spec: z.object({ interval: duration().default('5m') }),
        status: z.object({ phase: z.string().optional() }),
        printerColumns: [{ name: 'Phase', type: 'string', jsonPath: '.status.phase' }],
      },
    ],
  })
  expect(made.metadata.name).toBe('rebalancepolicies.ballast.dev')
  expect(made.spec.names).toEqual({
    kind: 'RebalancePolicy',
    listKind: 'RebalancePolicyList',
    plural: 'rebalancepolicies',
    singular: 'rebalancepolicy',
    shortNames: ['rbp'],
    categories: ['ballast'],
  })
  expect(made.spec.versions[0]).toMatchObject({ served: true, storage: true, subresources: { status: {} } })
  expect(made.spec.versions[0]?.additionalPrinterColumns.map(column => column.name)).toEqual(['Phase', 'Ready', 'Age'])
  expect(made.spec.versions[0]?.schema.openAPIV3Schema).toMatchObject({
    required: ['spec'],
    properties: { metadata: { type: 'object' }, spec: { properties: { interval: { type: 'string', default: '5m' } } } },
  })
})

test('a kind without a condition of type Ready has no column for it', () => {
  const spec = z.object({ interval: duration() })
  const made = crd({ group: 'ballast.dev', kind: 'Wish', scope: 'Cluster', versions: [{ name: 'v1', spec, readyColumn: false }] })
  expect(made.spec.versions[0]?.additionalPrinterColumns.map(column => column.name)).toEqual(['Age'])
})

test('a default that would be pruned is refused', () => {
  const properties = { a: { type: 'string' } }
  expect(() => structural({ type: 'object', properties, default: { b: 'x' } }, 'spec')).toThrow(
    'spec has a default with the unknown field b',
  )
  expect(() => structural({ type: 'object', properties, required: ['a'], default: {} }, 'spec')).toThrow(
    'without the required field a',
  )
})

test('just one version is stored', () => {
  const versions = [
    { name: 'v1', spec: z.object({}) },
    { name: 'v2', spec: z.object({}) },
  ]
  expect(() => crd({ group: 'g', kind: 'Box', scope: 'Namespaced', versions })).toThrow('2 versions are stored')
})

describe('the same schemas at run time', () => {
  // biome-ignore format: a table
  test.each([
    ['quantity', quantity(), ['500m', '1.5Gi', 2, '1e3'], ['', '-', '1K', 'x', true, '1e9999']],
    ['intOrString', intOrString(), ['25%', 3], ['25', '2.5%', '%', null]],
    ['duration', duration(), ['1h30m', '0', '1.5s', '-5m'], ['1d', '', '5', '9999999999h']],
  ])('%s', (_name, schema, good, bad) => {
    expect(good.filter(value => !schema.safeParse(value).success)).toEqual([])
    expect(bad.filter(value => schema.safeParse(value).success)).toEqual([])
  })
})
