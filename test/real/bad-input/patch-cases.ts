// Patches of all types that are malformed, go nowhere, or leave nonsense behind. Each is a dry run, so that none changes the next.

import { widgetDefinition } from './definition-cases.ts'
import { type Body, casesOf, configMap, deployment, groupIn, patchTypes, pod, sent } from './requests.ts'

const namespace = 'patches'
const configMaps = `/api/v1/namespaces/${namespace}/configmaps`
const kept = `${configMaps}/kept`
const pods = `/api/v1/namespaces/${namespace}/pods`
const deployments = `/apis/apps/v1/namespaces/${namespace}/deployments`
const services = `/api/v1/namespaces/${namespace}/services`
const widgets = `/apis/patches.example.com/v1/namespaces/${namespace}/widgets`

const texts: Readonly<Record<string, string>> = {
  empty: '',
  'open brace': '{',
  null: 'null',
  list: '[]',
  'list of null': '[null]',
  'list of numbers': '[1]',
  string: '"x"',
  number: '1',
  'empty object': '{}',
  'trailing text': '{}x',
  'metadata a string': '{"metadata":"x"}',
  'metadata null': '{"metadata":null}',
  'kind of another': '{"kind":"Secret"}',
  'apiVersion of another': '{"apiVersion":"v9"}',
  'another name': '{"metadata":{"name":"other"}}',
  'name null': '{"metadata":{"name":null}}',
  'another namespace': '{"metadata":{"namespace":"other"}}',
  'another uid': '{"metadata":{"uid":"other"}}',
  'another resourceVersion': '{"metadata":{"resourceVersion":"1"}}',
  'resourceVersion of letters': '{"metadata":{"resourceVersion":"abc"}}',
  'creationTimestamp null': '{"metadata":{"creationTimestamp":null}}',
  'creationTimestamp of another day': '{"metadata":{"creationTimestamp":"2001-01-01T00:00:00Z"}}',
  deletionTimestamp: '{"metadata":{"deletionTimestamp":"2001-01-01T00:00:00Z"}}',
  'labels a list': '{"metadata":{"labels":[]}}',
  'a bad label': '{"metadata":{"labels":{"a b":"c d"}}}',
  'a label of a number': '{"metadata":{"labels":{"a":1}}}',
  'data of numbers': '{"data":{"a":1}}',
  'data a string': '{"data":"x"}',
  'a bad key': '{"data":{"a/b":"c"}}',
  __proto__: '{"__proto__":{"a":"b"},"data":{"__proto__":"x","constructor":"y"}}',
  deep: `{"x":${'{"a":'.repeat(9_000)}1${'}'.repeat(9_000)}}`,
  deeper: `{"x":${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}}`,
  'invalid escape': '{"data":{"a":"\\x"}}',
  'managedFields cleared': '{"metadata":{"managedFields":[{}]}}',
  'managedFields of garbage': '{"metadata":{"managedFields":[{"manager":"a","operation":"Nothing"}]}}',
  'finalizers of garbage': '{"metadata":{"finalizers":["a b"]}}',
  'over 1 MiB': `{"data":{"a":"${'x'.repeat(1024 * 1024 + 1)}"}}`,
  '4 MB': `{"data":{"a":"${'x'.repeat(4 * 1024 * 1024)}"}}`,
}

const operations = (count: number) =>
  JSON.stringify(Array.from({ length: count }, () => ({ op: 'test', path: '/data/a', value: '1' })))

const jsonPatches: Readonly<Record<string, string>> = {
  'no op': '[{"path":"/data/a"}]',
  'unknown op': '[{"op":"merge","path":"/data/a","value":"b"}]',
  'op a number': '[{"op":1,"path":"/data/a"}]',
  'no path': '[{"op":"add","value":"b"}]',
  'path a number': '[{"op":"add","path":1,"value":"b"}]',
  'path without a slash': '[{"op":"add","path":"data/a","value":"b"}]',
  'empty path': '[{"op":"add","path":"","value":{"a":"b"}}]',
  'remove the whole': '[{"op":"remove","path":""}]',
  'replace the whole by a string': '[{"op":"replace","path":"","value":"x"}]',
  'no value': '[{"op":"add","path":"/data/a"}]',
  'null value': '[{"op":"add","path":"/data/a","value":null}]',
  'remove what is not there': '[{"op":"remove","path":"/data/z"}]',
  'remove below what is not there': '[{"op":"remove","path":"/binaryData/z"}]',
  'replace what is not there': '[{"op":"replace","path":"/data/z","value":"b"}]',
  'add below what is not there': '[{"op":"add","path":"/binaryData/z","value":"b"}]',
  'add below a string': '[{"op":"add","path":"/data/a/b","value":"c"}]',
  'test that fails': '[{"op":"test","path":"/data/a","value":"other"}]',
  'test of what is not there': '[{"op":"test","path":"/data/z","value":"other"}]',
  'test of null where nothing is': '[{"op":"test","path":"/data/z","value":null}]',
  'test of an unknown parent': '[{"op":"test","path":"/x/y/z","value":null}]',
  'move from nowhere': '[{"op":"move","from":"/data/z","path":"/data/b"}]',
  'move without from': '[{"op":"move","path":"/data/b"}]',
  'move into itself': '[{"op":"move","from":"/data","path":"/data/b"}]',
  'copy from nowhere': '[{"op":"copy","from":"/data/z","path":"/data/b"}]',
  'copy without from': '[{"op":"copy","path":"/data/b"}]',
  'list index 99': '[{"op":"add","path":"/metadata/finalizers/99","value":"a.b/c"}]',
  'list index -1': '[{"op":"add","path":"/metadata/finalizers/-1","value":"a.b/c"}]',
  'list index -9': '[{"op":"add","path":"/metadata/finalizers/-9","value":"a.b/c"}]',
  'list index 01': '[{"op":"add","path":"/metadata/finalizers/01","value":"a.b/c"}]',
  'list index of letters': '[{"op":"add","path":"/metadata/finalizers/x","value":"a.b/c"}]',
  'list index of a huge number': '[{"op":"add","path":"/metadata/finalizers/99999999999999999999","value":"a.b/c"}]',
  'remove index -': '[{"op":"remove","path":"/metadata/finalizers/-"}]',
  'remove index -1': '[{"op":"remove","path":"/metadata/finalizers/-1"}]',
  append: '[{"op":"add","path":"/metadata/finalizers/-","value":"a.b/d"}]',
  'a tilde': '[{"op":"add","path":"/data/a~2b","value":"x"}]',
  'escaped letters': '[{"op":"add","path":"/metadata/annotations/x~1y~0z","value":"x"}]',
  __proto__: '[{"op":"add","path":"/__proto__/polluted","value":"x"}]',
  constructor: '[{"op":"add","path":"/constructor/prototype/polluted","value":"x"}]',
  '__proto__ in data': '[{"op":"add","path":"/data/__proto__","value":"x"}]',
  'an unknown member': '[{"op":"add","path":"/data/b","value":"x","foo":1}]',
  '10,000 operations': operations(10_000),
  '10,001 operations': operations(10_001),
  'copies that multiply': JSON.stringify([
    { op: 'add', path: '/metadata/annotations/a', value: 'x'.repeat(100_000) },
    ...Array.from({ length: 400 }, (_, index) => ({
      op: 'copy',
      from: '/metadata/annotations/a',
      path: `/metadata/annotations/a${index}`,
    })),
  ]),
  'copies that double': JSON.stringify([
    { op: 'add', path: '/x', value: { a: 'x' } },
    ...Array.from({ length: 40 }, (_, index) => ({ op: 'copy', from: '/x', path: `/x/b${index}` })),
  ]),
  'another name': '[{"op":"replace","path":"/metadata/name","value":"other"}]',
  'remove the name': '[{"op":"remove","path":"/metadata/name"}]',
  'remove the metadata': '[{"op":"remove","path":"/metadata"}]',
  'remove the kind': '[{"op":"remove","path":"/kind"}]',
  'replace the kind': '[{"op":"replace","path":"/kind","value":"Secret"}]',
  'data a number': '[{"op":"replace","path":"/data","value":1}]',
}

const strategic: Readonly<Record<string, readonly [path: string, patch: string]>> = {
  'an unknown directive': [kept, '{"$patch":"explode","data":{"a":"b"}}'],
  'a directive of a number': [kept, '{"$patch":1}'],
  'replace at the top': [kept, '{"$patch":"replace","metadata":{"name":"kept"}}'],
  'delete at the top': [kept, '{"$patch":"delete"}'],
  'delete of data': [kept, '{"data":{"$patch":"delete"}}'],
  'retainKeys of a string': [`${deployments}/kept`, '{"spec":{"strategy":{"$retainKeys":"type","type":"Recreate"}}}'],
  'retainKeys of too few': [`${deployments}/kept`, '{"spec":{"strategy":{"$retainKeys":["rollingUpdate"],"type":"Recreate"}}}'],
  retainKeys: [`${deployments}/kept`, '{"spec":{"strategy":{"$retainKeys":["type"],"type":"Recreate"}}}'],
  'delete from a list that is none': [kept, '{"metadata":{"$deleteFromPrimitiveList/labels":["a"]}}'],
  'delete from a list of objects': [`${pods}/kept`, '{"spec":{"$deleteFromPrimitiveList/containers":["c"]}}'],
  'delete of finalizers': [kept, '{"metadata":{"$deleteFromPrimitiveList/finalizers":["a.b/c"]}}'],
  'delete of finalizers by a string': [kept, '{"metadata":{"$deleteFromPrimitiveList/finalizers":"a.b/c"}}'],
  'order of a string': [`${pods}/kept`, '{"spec":{"$setElementOrder/containers":"c"}}'],
  'order of unknown names': [`${pods}/kept`, '{"spec":{"$setElementOrder/containers":[{"name":"nobody"}]}}'],
  'order without the item of the patch': [
    `${pods}/kept`,
    '{"spec":{"$setElementOrder/containers":[{"name":"x"}],"containers":[{"name":"c","image":"nginx:3"}]}}',
  ],
  'order without names': [
    `${pods}/kept`,
    '{"spec":{"$setElementOrder/containers":[{}],"containers":[{"name":"c","image":"nginx:3"}]}}',
  ],
  'an item without its key': [`${pods}/kept`, '{"spec":{"containers":[{"image":"nginx:3"}]}}'],
  'an item null': [`${pods}/kept`, '{"spec":{"containers":[null]}}'],
  'an item a string': [`${pods}/kept`, '{"spec":{"containers":["c"]}}'],
  'an item whose key is a number': [`${pods}/kept`, '{"spec":{"containers":[{"name":1,"image":"x"}]}}'],
  'delete of an item that is not there': [
    `${pods}/kept`,
    '{"spec":{"tolerations":[{"$patch":"delete","key":"x"}],"volumes":[{"$patch":"delete","name":"x"}]}}',
  ],
  'delete of the only container': [`${pods}/kept`, '{"spec":{"containers":[{"$patch":"delete","name":"c"}]}}'],
  'replace of a list': [`${pods}/kept`, '{"spec":{"containers":[{"$patch":"replace"},{"name":"c","image":"nginx:4"}]}}'],
  'a list as an object': [`${pods}/kept`, '{"spec":{"containers":{"name":"c"}}}'],
  'an object as a list': [`${pods}/kept`, '{"spec":[]}'],
  'a new container': [`${pods}/kept`, '{"spec":{"containers":[{"name":"d","image":"x"}]}}'],
  'replicas of text': [`${deployments}/kept`, '{"spec":{"replicas":"3"}}'],
  'replicas of -1': [`${deployments}/kept`, '{"spec":{"replicas":-1}}'],
  'replicas null': [`${deployments}/kept`, '{"spec":{"replicas":null}}'],
  'the selector': [`${deployments}/kept`, '{"spec":{"selector":{"matchLabels":{"x":"y"}}}}'],
  'the template null': [`${deployments}/kept`, '{"spec":{"template":null}}'],
  'the spec null': [`${deployments}/kept`, '{"spec":null}'],
  'two ports of one number': [`${services}/kept`, '{"spec":{"ports":[{"port":53,"protocol":"UDP","nodePort":30001}]}}'],
  'a custom object': [`${widgets}/kept`, '{"spec":{"size":2}}'],
}

const applied = (more: Body = {}): Body => ({ ...configMap('kept'), data: { a: 'applied' }, ...more })

const applies: Readonly<Record<string, readonly [path: string, body: string]>> = {
  'no manager': [kept, JSON.stringify(applied())],
  'an empty manager': [`${kept}?fieldManager=`, JSON.stringify(applied())],
  'a manager of 129 letters': [`${kept}?fieldManager=${'m'.repeat(129)}`, JSON.stringify(applied())],
  'a manager of a newline': [`${kept}?fieldManager=a%0Ab`, JSON.stringify(applied())],
  'force perhaps': [`${kept}?fieldManager=m&force=perhaps`, JSON.stringify(applied())],
  'a conflict': [`${kept}?fieldManager=m`, JSON.stringify(applied())],
  'two conflicts': [`${kept}?fieldManager=m`, JSON.stringify(applied({ data: { a: 'x', b: 'y' } }))],
  'conflicts with two managers': [`${kept}?fieldManager=m`, JSON.stringify(applied({ data: { a: 'x', c: 'y' } }))],
  forced: [`${kept}?fieldManager=m&force=true`, JSON.stringify(applied())],
  managedFields: [`${kept}?fieldManager=m`, JSON.stringify(applied({ metadata: { name: 'kept', managedFields: [] } }))],
  'managedFields of an entry': [
    `${kept}?fieldManager=m`,
    JSON.stringify(applied({ metadata: { name: 'kept', managedFields: [{ manager: 'm' }] } })),
  ],
  'another name': [`${kept}?fieldManager=m`, JSON.stringify(applied({ metadata: { name: 'other' } }))],
  'no name': [`${kept}?fieldManager=m`, JSON.stringify(applied({ metadata: {} }))],
  'another namespace': [`${kept}?fieldManager=m`, JSON.stringify(applied({ metadata: { name: 'kept', namespace: 'default' } }))],
  'no kind': [`${kept}?fieldManager=m`, JSON.stringify(applied({ kind: undefined }))],
  'no apiVersion': [`${kept}?fieldManager=m`, JSON.stringify(applied({ apiVersion: undefined }))],
  'another kind': [`${kept}?fieldManager=m`, JSON.stringify(applied({ kind: 'Secret' }))],
  'an unknown version': [`${kept}?fieldManager=m`, JSON.stringify(applied({ apiVersion: 'v9' }))],
  'a uid of nothing': [
    `${configMaps}/fresh?fieldManager=m`,
    JSON.stringify({ ...configMap('fresh'), metadata: { name: 'fresh', uid: 'x' } }),
  ],
  'a resourceVersion of nothing': [
    `${configMaps}/fresh?fieldManager=m`,
    JSON.stringify({ ...configMap('fresh'), metadata: { name: 'fresh', resourceVersion: '5' } }),
  ],
  'a stale resourceVersion': [
    `${kept}?fieldManager=m`,
    JSON.stringify(applied({ metadata: { name: 'kept', resourceVersion: '1' } })),
  ],
  'data of numbers': [`${kept}?fieldManager=m`, JSON.stringify(applied({ data: { a: 1 } }))],
  'data a list': [`${kept}?fieldManager=m`, JSON.stringify(applied({ data: [] }))],
  'data null': [`${kept}?fieldManager=m`, JSON.stringify(applied({ data: null }))],
  'YAML of a tab': [`${kept}?fieldManager=m`, 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n\tname: kept\n'],
  'YAML of two documents': [`${kept}?fieldManager=m`, 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: kept\n---\na: b\n'],
  text: [`${kept}?fieldManager=m`, 'hello'],
  'a list': [`${kept}?fieldManager=m`, '[]'],
  null: [`${kept}?fieldManager=m`, 'null'],
  empty: [`${kept}?fieldManager=m`, ''],
  'two containers of one name': [
    `${pods}/fresh?fieldManager=m`,
    JSON.stringify(
      pod('fresh', {
        containers: [
          { name: 'c', image: 'x' },
          { name: 'c', image: 'y' },
        ],
      }),
    ),
  ],
  'a container without a name': [`${pods}/fresh?fieldManager=m`, JSON.stringify(pod('fresh', { containers: [{ image: 'x' }] }))],
  'two ports of one number': [
    `${pods}/fresh?fieldManager=m`,
    JSON.stringify(pod('fresh', {}, { ports: [{ containerPort: 1 }, { containerPort: 1 }] })),
  ],
  'two finalizers that are the same': [
    `${kept}?fieldManager=m`,
    JSON.stringify(applied({ data: undefined, metadata: { name: 'kept', finalizers: ['a.b/c', 'a.b/c'] } })),
  ],
  'containers an object': [`${pods}/fresh?fieldManager=m`, JSON.stringify(pod('fresh', { containers: {} }))],
  'an invalid pod': [`${pods}/fresh?fieldManager=m`, JSON.stringify(pod('fresh', { restartPolicy: 'Perhaps' }))],
  'a custom object of a wrong type': [
    `${widgets}/kept?fieldManager=m`,
    '{"apiVersion":"patches.example.com/v1","kind":"Widget","metadata":{"name":"kept"},"spec":{"size":"big"}}',
  ],
  'a custom object of the same port twice': [
    `${widgets}/kept?fieldManager=m`,
    '{"apiVersion":"patches.example.com/v1","kind":"Widget","metadata":{"name":"kept"},"spec":{"ports":[{"port":1},{"port":1}]}}',
  ],
  'a custom object without a list key': [
    `${widgets}/kept?fieldManager=m`,
    '{"apiVersion":"patches.example.com/v1","kind":"Widget","metadata":{"name":"kept"},"spec":{"ports":[{"name":"x"}]}}',
  ],
}

const types: readonly string[] = [
  '',
  'application/json',
  'application/yaml',
  'text/plain',
  'garbage',
  'application/json-patch',
  'application/merge-patch+json; charset=utf-8',
  'APPLICATION/MERGE-PATCH+JSON',
  'application/apply-patch+json',
  'application/apply-patch+cbor',
  'application/vnd.kubernetes.protobuf',
]

const dry = (path: string) => `${path}${path.includes('?') ? '&' : '?'}dryRun=All`

export const patchGroup = groupIn(namespace, {
  setUp: [
    sent('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', widgetDefinition('patches.example.com')),
    sent('POST', `${configMaps}?fieldManager=first`, {
      ...configMap('kept', { data: { a: '1', b: '2' } }),
      metadata: { name: 'kept', labels: { l: 'm' }, annotations: { n: 'o' }, finalizers: ['a.b/c'] },
    }),
    sent('PATCH', `${kept}?fieldManager=second`, { data: { c: '3' } }, patchTypes.merge),
    sent('POST', pods, pod('kept')),
    sent('POST', deployments, deployment('kept', { replicas: 0 })),
    sent('POST', services, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'kept' },
      spec: {
        type: 'NodePort',
        ports: [
          { name: 'tcp', port: 53, protocol: 'TCP' },
          { name: 'udp', port: 53, protocol: 'UDP' },
        ],
      },
    }),
    sent('POST', widgets, {
      apiVersion: 'patches.example.com/v1',
      kind: 'Widget',
      metadata: { name: 'kept' },
      spec: { size: 1 },
    }),
  ],
  cases: [
    ...(['merge', 'strategic', 'json'] as const).flatMap(type =>
      casesOf(texts, text => sent('PATCH', dry(`${kept}?fieldManager=m`), text, patchTypes[type]), `${type}: `),
    ),
    ...casesOf(jsonPatches, text => sent('PATCH', dry(`${kept}?fieldManager=m`), text, patchTypes.json), 'operation: '),
    ...casesOf(
      strategic,
      ([path, text]) => sent('PATCH', dry(`${path}?fieldManager=m`), text, patchTypes.strategic),
      'directive: ',
    ),
    ...casesOf(
      strategic,
      ([path, text]) => sent('PATCH', dry(`${path}?fieldManager=m`), text, patchTypes.merge),
      'directive in a merge patch: ',
    ),
    ...casesOf(applies, ([path, text]) => sent('PATCH', dry(path), text, patchTypes.apply), 'apply: '),
    ...types.map(type => ({ name: `type ${type}`, request: sent('PATCH', dry(kept), '{}', type) })),
    ...casesOf(
      { merge: '{}', json: '[]', strategic: '{}' } as const,
      (text, type) => sent('PATCH', dry(`${configMaps}/nothing`), text, patchTypes[type as keyof typeof patchTypes]),
      'an object that is not there: ',
    ),
  ],
})
