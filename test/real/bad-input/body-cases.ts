// Bodies that are no JSON, no YAML, of no known type, too long, too deep, or of other objects than the path says.
import { gzipSync } from 'node:zlib'
import type { BadInputCase } from './case.ts'
import { casesOf, configMap, groupIn, nested, protobufType, sent } from './requests.ts'

const namespace = 'bodies'
const path = `/api/v1/namespaces/${namespace}/configmaps`
const kilobyte = 1024
const megabyte = 1024 * kilobyte

/** Bytes before, a byte that is no UTF-8, bytes after. */
function withByte(before: string, byte: number, after: string): Buffer {
  return Buffer.concat([Buffer.from(before), Buffer.from([byte]), Buffer.from(after)])
}

const head = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":'

const malformed: Readonly<Record<string, string | Uint8Array>> = {
  empty: '',
  blank: '  \n ',
  'open brace': '{',
  'open key': '{"a"',
  'open string': '{"a":"b',
  'open list': '{"a":[1,',
  'misspelt null': 'nul',
  null: 'null',
  list: '[]',
  string: '"x"',
  number: '42',
  true: 'true',
  'trailing text': `${head}"t1"}}x`,
  'two objects': `${head}"t2"}}${head}"t3"}}`,
  'trailing comma': `${head}"t4"},}`,
  'single quotes': "{'apiVersion':'v1'}",
  'bare keys': '{apiVersion:"v1"}',
  comment: '{/* */"apiVersion":"v1"}',
  'byte order mark': `\uFEFF${head}"t5"}}`,
  'raw newline in a string': `${head}"t6"},"data":{"a":"x\ny"}}`,
  'raw NUL in a string': `${head}"t7"},"data":{"a":"x\u0000y"}}`,
  'NUL escape in a value': `${head}"t8"},"data":{"a":"x\\u0000y"}}`,
  'NUL escape in a name': `${head}"t\\u00009"}}`,
  'NUL escape in a key': `${head}"t10"},"data":{"a\\u0000":"x"}}`,
  'NUL after the object': `${head}"t11"}}\u0000`,
  'unknown escape': `${head}"t12"},"data":{"a":"\\x"}}`,
  'half an escape': `${head}"t13"},"data":{"a":"\\u12"}}`,
  'lone surrogate': `${head}"t14"},"data":{"a":"\\ud800"}}`,
  'invalid UTF-8 in a value': withByte(`${head}"t15"},"data":{"a":"x`, 0xff, 'y"}}'),
  'invalid UTF-8 in a key': withByte(`${head}"t16"},"data":{"a`, 0xff, '":"y"}}'),
  'invalid UTF-8 in a name': withByte(`${head}"t17`, 0xff, '"}}'),
  'cut UTF-8': withByte(`${head}"t18"},"data":{"a":"`, 0xe2, '"}}'),
  NaN: `${head}"t19"},"data":NaN}`,
  'leading zero': `${head}"t20","generation":01}}`,
  'hexadecimal number': `${head}"t21","generation":0x1}}`,
  'plus sign': `${head}"t22","generation":+1}}`,
  'number without digits': `${head}"t23","generation":-}}`,
  'number beyond doubles': `${head}"t24","generation":1e400}}`,
  'integer beyond int64': `${head}"t25","generation":9223372036854775808}}`,
  'largest int64': `${head}"t26","generation":9223372036854775807}}`,
  'fraction for an integer': `${head}"t27","generation":1.5}}`,
  'exponent for an integer': `${head}"t28","generation":1e2}}`,
  'negative zero': `${head}"t29","generation":-0}}`,
}

const shapes: Readonly<Record<string, unknown>> = {
  'no kind': { apiVersion: 'v1', metadata: { name: 's1' } },
  'no apiVersion': { kind: 'ConfigMap', metadata: { name: 's2' } },
  'neither kind nor apiVersion': { metadata: { name: 's3' } },
  'another kind': { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's4' } },
  'kind in lower case': { apiVersion: 'v1', kind: 'configmap', metadata: { name: 's5' } },
  'unknown kind': { apiVersion: 'v1', kind: 'Nothing', metadata: { name: 's6' } },
  'unknown version': { apiVersion: 'v9', kind: 'ConfigMap', metadata: { name: 's7' } },
  'unknown group': { apiVersion: 'nowhere.example.com/v1', kind: 'ConfigMap', metadata: { name: 's8' } },
  'apiVersion with two slashes': { apiVersion: 'a/b/c', kind: 'ConfigMap', metadata: { name: 's9' } },
  'apiVersion a number': { apiVersion: 1, kind: 'ConfigMap', metadata: { name: 's10' } },
  'kind a list': { apiVersion: 'v1', kind: ['ConfigMap'], metadata: { name: 's11' } },
  'no metadata': { apiVersion: 'v1', kind: 'ConfigMap' },
  'metadata null': { apiVersion: 'v1', kind: 'ConfigMap', metadata: null },
  'metadata a string': { apiVersion: 'v1', kind: 'ConfigMap', metadata: 'x' },
  'metadata a list': { apiVersion: 'v1', kind: 'ConfigMap', metadata: [] },
  'name a number': { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 1 } },
  'name an object': { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: { a: 1 } } },
  'keys in other case': { apiVersion: 'v1', kind: 'ConfigMap', Metadata: { name: 's12' }, metadata: { name: 's13', Labels: {} } },
  'data a string': configMap('s14', { data: 'x' }),
  'data a list': configMap('s15', { data: ['x'] }),
  'data of numbers': configMap('s16', { data: { a: 1 } }),
  'data of objects': configMap('s17', { data: { a: {} } }),
  'data of null': configMap('s18', { data: { a: null } }),
  'data null': configMap('s19', { data: null }),
  'binaryData no base64': configMap('s20', { binaryData: { a: '%%%' } }),
  'binaryData of unpadded base64': configMap('s21', { binaryData: { a: 'YQ' } }),
  'binaryData with a newline': configMap('s22', { binaryData: { a: 'YWFh\nYWFh' } }),
  'immutable a string': configMap('s23', { immutable: 'true' }),
  'labels a list': { ...configMap('s24'), metadata: { name: 's24', labels: ['a'] } },
  'a label a number': { ...configMap('s25'), metadata: { name: 's25', labels: { a: 1 } } },
  'a label null': { ...configMap('s26'), metadata: { name: 's26', labels: { a: null } } },
  'finalizers a string': { ...configMap('s27'), metadata: { name: 's27', finalizers: 'a' } },
  'creationTimestamp a word': { ...configMap('s28'), metadata: { name: 's28', creationTimestamp: 'today' } },
  'creationTimestamp a number': { ...configMap('s29'), metadata: { name: 's29', creationTimestamp: 1 } },
  'deletionTimestamp of year 99999': {
    ...configMap('s30'),
    metadata: { name: 's30', deletionTimestamp: '99999-01-01T00:00:00Z' },
  },
  'ownerReferences an object': { ...configMap('s31'), metadata: { name: 's31', ownerReferences: {} } },
  'ownerReferences of strings': { ...configMap('s32'), metadata: { name: 's32', ownerReferences: ['x'] } },
  'managedFields of garbage': {
    ...configMap('s33'),
    metadata: {
      name: 's33',
      managedFields: [{ manager: 'x', operation: 'Nothing', fieldsType: 'FieldsV9', fieldsV1: { a: 1 } }],
    },
  },
  'uid a number': { ...configMap('s34'), metadata: { name: 's34', uid: 1 } },
  'generation a string': { ...configMap('s35'), metadata: { name: 's35', generation: '1' } },
  'a List': { apiVersion: 'v1', kind: 'List', items: [configMap('s36')] },
  'a ConfigMapList': { apiVersion: 'v1', kind: 'ConfigMapList', items: [configMap('s37')] },
  'a Status': { apiVersion: 'v1', kind: 'Status', status: 'Failure' },
}

const strangeKeys: Readonly<Record<string, string>> = {
  '__proto__ as a data key': `${head}"k1"},"data":{"__proto__":"x","constructor":"y","1":"z"}}`,
  '__proto__ as a field': `${head}"k2"},"__proto__":{"data":{"a":"b"}}}`,
  '__proto__ in metadata': `${head}"k3","__proto__":{"labels":{"a":"b"}}}}`,
  '__proto__ as a label': `${head}"k4","labels":{"__proto__":"x","constructor":"y","toString":"z"}}}`,
  'constructor as a label': `${head}"k5","labels":{"constructor":"y","toString":"z","1":"2"}}}`,
  'constructor as an annotation': `${head}"k6","annotations":{"constructor":"y","hasOwnProperty":"z"}}}`,
  'an empty key': `${head}"k7"},"data":{"":"x"}}`,
  'a key of dots': `${head}"k8"},"data":{"..":"x"}}`,
  'a key with a slash': `${head}"k9"},"data":{"a/b":"x"}}`,
  'duplicate keys': `${head}"k10"},"data":{"a":"1","a":"2"}}`,
  'duplicate metadata': `${head}"k11"},"metadata":{"name":"k12"}}`,
  'duplicate kind': `${head}"k13"},"kind":"Secret"}`,
  'duplicate by escape': `${head}"k14"},"data":{"a":"1","\\u0061":"2"}}`,
}

const deep: Readonly<Record<string, string>> = {
  '1,000 objects in an unknown field': `${head}"d1"},"x":${nested(1000, '{"a":', '}')}}`,
  '9,990 lists in an unknown field': `${head}"d2"},"x":${nested(9990, '[', ']')}}`,
  '10,001 lists in an unknown field': `${head}"d3"},"x":${nested(10_001, '[', ']')}}`,
  '100,000 lists in an unknown field': `${head}"d4"},"x":${nested(100_000, '[', ']')}}`,
  '500,000 open braces': nested(500_000, '{"a":', ''),
  '1,000,000 open brackets': '['.repeat(1_000_000),
  '500,000 values in an unknown field': `${head}"d5"},"x":[${'1,'.repeat(499_999)}1]}`,
}

const contentTypes: Readonly<Record<string, readonly [type: string, body: string | Uint8Array]>> = {
  'text/plain': ['text/plain', JSON.stringify(configMap('c1'))],
  'no media type': ['garbage', JSON.stringify(configMap('c2'))],
  'an empty media type': ['', JSON.stringify(configMap('c3'))],
  'half a media type': ['application/', JSON.stringify(configMap('c4'))],
  'JSON with a charset': ['application/json; charset=utf-16', JSON.stringify(configMap('c5'))],
  'JSON with a broken parameter': ['application/json; charset', JSON.stringify(configMap('c6'))],
  'JSON in upper case': ['APPLICATION/JSON', JSON.stringify(configMap('c7'))],
  CBOR: ['application/cbor', Buffer.from('d9d9f7a0', 'hex')],
  form: ['application/x-www-form-urlencoded', 'a=b'],
  'a patch type on a POST': ['application/merge-patch+json', JSON.stringify(configMap('c8'))],
  'YAML as JSON': ['application/json', 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c9\n'],
  'JSON as YAML': ['application/yaml', JSON.stringify(configMap('c10'))],
  'JSON as protobuf': [protobufType, JSON.stringify(configMap('c11'))],
}

const yamls: Readonly<Record<string, string>> = {
  plain: 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: y1\ndata:\n  a: b\n',
  'a tab': 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n\tname: y2\n',
  'an open quote': 'apiVersion: v1\nkind: "ConfigMap\n',
  'a bad indent': 'apiVersion: v1\n  kind: ConfigMap\n',
  'two documents':
    'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: y3\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: y4\n',
  'duplicate keys': 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: y5\ndata:\n  a: "1"\n  a: "2"\n',
  'a number for a string': 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: y6\ndata:\n  a: 1\n',
  'a yes for a string': 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: y7\ndata:\n  a: yes\n',
  'a numeric key': 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: y8\ndata:\n  1: "x"\n',
  'a list as a key': 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: y9\ndata:\n  ? [a]\n  : "x"\n',
  'an unknown tag': 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: !foo y10\n',
  'an anchor': 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: y11\n  labels: &l\n    a: b\ndata: *l\n',
  'an unknown alias': 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: y12\ndata: *nowhere\n',
  'a merge key': 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: y13\n  labels: &l\n    a: b\ndata:\n  <<: *l\n  c: d\n',
  'aliases that multiply': aliasBomb(),
  empty: '',
  'a scalar': 'hello',
  'an unknown field': 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: y14\nfoo: bar\n',
}

function aliasBomb(): string {
  const levels = Array.from({ length: 9 }, (_, level) => {
    const items = level === 0 ? Array(10).fill('"lol"') : Array(10).fill(`*l${level - 1}`)
    return `  l${level}: &l${level} [${items.join(', ')}]`
  })
  return `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: y15\nx:\n${levels.join('\n')}\n`
}

const big: readonly BadInputCase[] = [
  { name: 'a body of 4 MB', request: sent('POST', path, configMap('b1', { data: { a: 'x'.repeat(4 * megabyte) } })) },
  {
    name: 'a chunked body of 4 MB',
    request: { ...sent('POST', path, configMap('b2', { data: { a: 'x'.repeat(4 * megabyte) } })), isChunked: true },
  },
  { name: 'a body one byte over the limit', request: sent('POST', path, ' '.repeat(3 * megabyte + 1)) },
  { name: 'a body of the limit', request: sent('POST', path, `${' '.repeat(3 * megabyte - 2)}{}`) },
  { name: 'data of 1 MiB', request: sent('POST', path, configMap('b3', { data: { a: 'x'.repeat(megabyte) } })) },
  { name: 'data over 1 MiB', request: sent('POST', path, configMap('b4', { data: { aa: 'x'.repeat(megabyte) } })) },
  {
    name: 'data of 1 MiB in two-byte letters',
    request: sent('POST', path, configMap('b5', { data: { a: 'é'.repeat(megabyte / 2 + 1) } })),
  },
  {
    name: 'binaryData over 1 MiB',
    request: sent('POST', path, configMap('b6', { binaryData: { a: Buffer.alloc(megabyte + 1).toString('base64') } })),
  },
  {
    name: 'annotations over 256 KiB',
    request: sent('POST', path, { ...configMap('b7'), metadata: { name: 'b7', annotations: { a: 'x'.repeat(256 * kilobyte) } } }),
  },
  {
    name: 'annotations of 256 KiB',
    request: sent('POST', path, {
      ...configMap('b8'),
      metadata: { name: 'b8', annotations: { a: 'x'.repeat(256 * kilobyte - 1) } },
    }),
  },
  {
    name: 'a Secret over 1 MiB',
    request: sent('POST', `/api/v1/namespaces/${namespace}/secrets`, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'b9' },
      data: { a: Buffer.alloc(megabyte + 1).toString('base64') },
    }),
  },
  {
    name: 'an object of 1.6 MB',
    request: sent('POST', `/api/v1/namespaces/${namespace}/pods`, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'b10' },
      spec: { automountServiceAccountToken: false, containers: [{ name: 'c', image: 'x', args: ['x'.repeat(1_600_000)] }] },
    }),
  },
  {
    name: 'an object of 1.4 MB',
    request: sent('POST', `/api/v1/namespaces/${namespace}/pods`, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'b11' },
      spec: { automountServiceAccountToken: false, containers: [{ name: 'c', image: 'x', args: ['x'.repeat(1_400_000)] }] },
    }),
  },
  {
    name: 'a compressed body',
    request: {
      ...sent('POST', path, gzipSync(JSON.stringify(configMap('b12')))),
      headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
    },
  },
]

export const bodyGroup = groupIn(namespace, {
  cases: [
    ...casesOf(malformed, body => sent('POST', path, body), 'malformed: '),
    ...casesOf(shapes, body => sent('POST', path, body), 'shape: '),
    ...casesOf(strangeKeys, body => sent('POST', path, body), 'key: '),
    ...casesOf(deep, body => sent('POST', path, body), 'deep: '),
    ...casesOf(deep, body => sent('POST', `${path}?fieldValidation=Ignore`, body.replace('"d', '"di')), 'deep, ignored: '),
    ...casesOf(contentTypes, ([type, body]) => sent('POST', path, body, type), 'type: '),
    ...casesOf(yamls, body => sent('POST', path, body, 'application/yaml'), 'YAML: '),
    ...casesOf(
      yamls,
      body => sent('POST', `${path}?fieldValidation=Strict&dryRun=All`, body, 'application/yaml'),
      'strict YAML: ',
    ),
    ...big,
  ],
})
