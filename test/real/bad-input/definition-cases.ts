// Definitions that no server should take, and objects of odd definitions.
import type { BadInputCase } from './case.ts'
import { type Body, casesOf, groupIn, sent } from './requests.ts'

const namespace = 'definitions'
const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'

/** A definition of Widget with a size, ports, and room for unknown things under `free`. */
export function widgetDefinition(group: string, schema?: Body, more: Body = {}): Body {
  const openAPIV3Schema = schema ?? {
    type: 'object',
    properties: {
      spec: {
        type: 'object',
        properties: {
          size: { type: 'integer', minimum: 0 },
          big: { type: 'integer', format: 'int64' },
          share: { type: 'number' },
          mode: { type: 'string', enum: ['a', 'b'] },
          name: { type: 'string', pattern: '^[a-z]+$', maxLength: 5 },
          free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
          ports: {
            type: 'array',
            'x-kubernetes-list-type': 'map',
            'x-kubernetes-list-map-keys': ['port'],
            items: { type: 'object', required: ['port'], properties: { port: { type: 'integer' }, name: { type: 'string' } } },
          },
          tags: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
          either: { 'x-kubernetes-int-or-string': true },
        },
      },
    },
  }
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `widgets.${group}` },
    spec: {
      group,
      names: { plural: 'widgets', kind: 'Widget' },
      scope: 'Namespaced',
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema } }],
      ...more,
    },
  }
}

const spec = (properties: Body, more: Body = {}): Body => ({
  type: 'object',
  properties: { spec: { type: 'object', properties, ...more } },
})

function nestedSchema(depth: number): Body {
  let schema: Body = { type: 'string' }
  for (let level = 0; level < depth; level++) schema = { type: 'object', properties: { a: schema } }
  return schema
}

const schemas: Readonly<Record<string, Body>> = {
  'no type': { properties: {} },
  'a type of nothing': { type: 'thing' },
  'a type of a string at the top': { type: 'string' },
  'a property without a type': spec({ a: {} }),
  'an array without items': spec({ a: { type: 'array' } }),
  'a pattern that is broken': spec({ a: { type: 'string', pattern: '(' } }),
  'a pattern with a look-ahead': spec({ a: { type: 'string', pattern: '^(?=a)b' } }),
  'a pattern with a back reference': spec({ a: { type: 'string', pattern: '(a)\\1' } }),
  'a pattern of repeats': spec({ a: { type: 'string', pattern: '^(((a{1,1000}){1,1000}){1,1000})$' } }),
  'a rule that is broken': spec({ a: { type: 'string' } }, { 'x-kubernetes-validations': [{ rule: 'self.a ==' }] }),
  'a rule of no field': spec({ a: { type: 'string' } }, { 'x-kubernetes-validations': [{ rule: 'self.b == 1' }] }),
  'a rule of another type': spec({ a: { type: 'string' } }, { 'x-kubernetes-validations': [{ rule: 'self.a == 1' }] }),
  'a rule that is no question': spec({ a: { type: 'string' } }, { 'x-kubernetes-validations': [{ rule: 'self.a' }] }),
  'a rule that is empty': spec({ a: { type: 'string' } }, { 'x-kubernetes-validations': [{ rule: ' ' }] }),
  'a rule of cubic cost': spec(
    { a: { type: 'array', items: { type: 'string' } } },
    { 'x-kubernetes-validations': [{ rule: 'self.a.all(x, self.a.all(y, self.a.all(z, x == y || y == z)))' }] },
  ),
  'a rule of a message with a newline': spec(
    { a: { type: 'string' } },
    { 'x-kubernetes-validations': [{ rule: 'true', message: 'a\nb' }] },
  ),
  'a default of another type': spec({ a: { type: 'integer', default: 'x' } }),
  'a default that is pruned': spec({ a: { type: 'object', default: { x: 1 } } }),
  'a default against its schema': spec({ a: { type: 'integer', minimum: 5, default: 1 } }),
  'an enum of nothing': spec({ a: { type: 'string', enum: [] } }),
  'a negative maxLength': spec({ a: { type: 'string', maxLength: -1 } }),
  'a minimum of text': spec({ a: { type: 'integer', minimum: 'x' } }),
  'additionalProperties and properties': spec({
    a: { type: 'object', properties: { b: { type: 'string' } }, additionalProperties: { type: 'string' } },
  }),
  'additionalProperties false': spec({ a: { type: 'object', additionalProperties: false } }),
  uniqueItems: spec({ a: { type: 'array', uniqueItems: true, items: { type: 'string' } } }),
  'a list map without keys': spec({
    a: { type: 'array', 'x-kubernetes-list-type': 'map', items: { type: 'object', properties: { k: { type: 'string' } } } },
  }),
  'a list map of an optional key': spec({
    a: {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['k'],
      items: { type: 'object', properties: { k: { type: 'string' } } },
    },
  }),
  'a list map of scalars': spec({
    a: { type: 'array', 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['k'], items: { type: 'string' } },
  }),
  'a set of objects': spec({ a: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'object' } } }),
  'an unknown list type': spec({ a: { type: 'array', 'x-kubernetes-list-type': 'bag', items: { type: 'string' } } }),
  $ref: spec({ a: { $ref: '#/definitions/x' } }),
  'anyOf with types': spec({ a: { anyOf: [{ type: 'string' }, { type: 'integer' }] } }),
  'metadata restricted': {
    type: 'object',
    properties: { metadata: { type: 'object', properties: { labels: { type: 'object' } } } },
  },
  '200 levels': nestedSchema(200),
  'a required field that is not there': spec({ a: { type: 'string' } }, { required: ['b'] }),
}

const definitions: Readonly<Record<string, (group: string) => Body>> = {
  'a wrong name': group => ({ ...widgetDefinition(group), metadata: { name: 'other' } }),
  'no group': group => widgetDefinition(group, undefined, { group: '' }),
  'no versions': group => widgetDefinition(group, undefined, { versions: [] }),
  'two storage versions': group =>
    widgetDefinition(group, undefined, {
      versions: ['v1', 'v2'].map(name => ({
        name,
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object' } },
      })),
    }),
  'no storage version': group =>
    widgetDefinition(group, undefined, {
      versions: [{ name: 'v1', served: true, storage: false, schema: { openAPIV3Schema: { type: 'object' } } }],
    }),
  'a version twice': group =>
    widgetDefinition(group, undefined, {
      versions: [true, false].map(storage => ({
        name: 'v1',
        served: true,
        storage,
        schema: { openAPIV3Schema: { type: 'object' } },
      })),
    }),
  'a version in upper case': group =>
    widgetDefinition(group, undefined, {
      versions: [{ name: 'V1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
    }),
  'no schema': group => widgetDefinition(group, undefined, { versions: [{ name: 'v1', served: true, storage: true }] }),
  'a wrong scope': group => widgetDefinition(group, undefined, { scope: 'Everywhere' }),
  'a kind of bad letters': group => widgetDefinition(group, undefined, { names: { plural: 'widgets', kind: 'wid get' } }),
  'no names': group => widgetDefinition(group, undefined, { names: {} }),
  preserveUnknownFields: group => widgetDefinition(group, undefined, { preserveUnknownFields: true }),
  'a protected group': () => ({ ...widgetDefinition('x.k8s.io'), metadata: { name: 'widgets.x.k8s.io' } }),
  'a scale of no path': group =>
    widgetDefinition(group, undefined, {
      versions: [
        { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } }, subresources: { scale: {} } },
      ],
    }),
  'a column of a broken path': group =>
    widgetDefinition(group, undefined, {
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object' } },
          additionalPrinterColumns: [{ name: 'A', type: 'thing', jsonPath: 'spec.a[' }],
        },
      ],
    }),
  'a conversion without a webhook': group => widgetDefinition(group, undefined, { conversion: { strategy: 'Webhook' } }),
}

const widgets = `/apis/definitions.example.com/v1/namespaces/${namespace}/widgets`
const widget = (name: string, text: string) =>
  `{"apiVersion":"definitions.example.com/v1","kind":"Widget","metadata":{"name":"${name}"},"spec":${text}}`

const objects: Readonly<Record<string, string>> = {
  'an integer of text': '{"size":"x"}',
  'a negative': '{"size":-1}',
  'a fraction': '{"size":1.5}',
  'a whole fraction': '{"size":1.0}',
  'an exponent': '{"size":1e2}',
  null: '{"size":null}',
  'an integer beyond doubles': '{"size":9007199254740993}',
  'an int64 beyond doubles': '{"big":9007199254740993}',
  'the largest int64': '{"big":9223372036854775807}',
  'beyond int64': '{"big":9223372036854775808}',
  'far beyond int64': '{"big":99999999999999999999999999}',
  'a number of 17 digits': '{"share":0.12345678901234567}',
  'a number of 1e308': '{"share":1e308}',
  'a number of 1e400': '{"share":1e400}',
  'a number of -0': '{"share":-0}',
  'a number of 1e21': '{"share":1e21}',
  'a number of 1e-7': '{"share":1e-7}',
  'a number of 100000000000000000000': '{"share":100000000000000000000}',
  'free integers': '{"free":{"a":9007199254740993,"b":1.0,"c":1e3,"d":[-9223372036854775808],"e":0.1}}',
  'an enum of another': '{"mode":"z"}',
  'an enum of a number': '{"mode":1}',
  'a pattern against': '{"name":"ABC"}',
  'too long and against a pattern': '{"name":"ABCDEFGH"}',
  'a port twice': '{"ports":[{"port":1},{"port":1}]}',
  'a port without its key': '{"ports":[{"name":"x"}]}',
  'a tag twice': '{"tags":["a","a"]}',
  'a tag null': '{"tags":[null]}',
  'either of a fraction': '{"either":1.5}',
  'either of a list': '{"either":[]}',
  'spec a string': '"x"',
  'spec a list': '[]',
  'spec null': 'null',
  __proto__: '{"__proto__":{"size":1},"free":{"__proto__":{"a":1},"constructor":2}}',
  deep: `{"free":${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}}`,
  '1.6 MB': `{"free":{"a":"${'x'.repeat(1_600_000)}"}}`,
}

const patternPath = `/apis/patterns.example.com/v1/namespaces/${namespace}/widgets`
/** Set up before the cases, so that the server is sure to serve it by then. */
const pattern = sent('POST', path, widgetDefinition('patterns.example.com', spec({ a: { type: 'string', pattern: '^(a+)+$' } })))
const slow: readonly BadInputCase[] = [
  {
    name: 'text that makes a pattern backtrack',
    request: sent(
      'POST',
      patternPath,
      `{"apiVersion":"patterns.example.com/v1","kind":"Widget","metadata":{"name":"w"},"spec":{"a":"${'a'.repeat(1000)}!"}}`,
    ),
  },
]

export const definitionGroup = groupIn(namespace, {
  setUp: [sent('POST', path, widgetDefinition('definitions.example.com')), pattern],
  cases: [
    ...casesOf(
      schemas,
      (schema, name) =>
        sent('POST', `${path}?dryRun=All`, widgetDefinition(`s${Object.keys(schemas).indexOf(name)}.example.com`, schema)),
      'schema: ',
    ),
    ...casesOf(
      definitions,
      (make, name) => sent('POST', `${path}?dryRun=All`, make(`d${Object.keys(definitions).indexOf(name)}.example.com`)),
      'definition: ',
    ),
    ...casesOf(
      objects,
      (text, name) => sent('POST', widgets, widget(`o${Object.keys(objects).indexOf(name)}`, text)),
      'object: ',
    ),
    ...slow,
  ],
})
