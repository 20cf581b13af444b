// Unknown and repeated fields under each validation mode, for built-in and custom kinds.
import type { BadInputCase } from './case.ts'
import { widgetDefinition } from './definition-cases.ts'
import { casesOf, groupIn, patchTypes, sent } from './requests.ts'

const namespace = 'fields'
const configMaps = `/api/v1/namespaces/${namespace}/configmaps`
const pods = `/api/v1/namespaces/${namespace}/pods`
const deployments = `/apis/apps/v1/namespaces/${namespace}/deployments`
const widgets = `/apis/fields.example.com/v1/namespaces/${namespace}/widgets`
const modes = ['', 'Strict', 'Warn', 'Ignore', 'strict', 'Nothing'] as const

const podText = (name: string, container: string, more = '') =>
  `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"${name}"},"spec":{"automountServiceAccountToken":false,"containers":[{"name":"c","image":"x"${container}}]${more}}}`

const bodies: Readonly<Record<string, readonly [path: string, body: string]>> = {
  'unknown field': [configMaps, '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"NAME"},"foo":1}'],
  'unknown in metadata': [configMaps, '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"NAME","foo":{"bar":1}}}'],
  'field in other case': [configMaps, '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"NAME"},"Data":{"a":"b"}}'],
  'repeated field': [
    configMaps,
    '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"NAME"},"data":{"a":"1"},"data":{"b":"2"}}',
  ],
  'repeated map key': [configMaps, '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"NAME"},"data":{"a":"1","a":"2"}}'],
  'unknown in a list': [pods, podText('NAME', ',"foo":1,"ports":[{"containerPort":1,"bar":2}]')],
  'repeated in a list': [pods, podText('NAME', ',"image":"y","env":[{"name":"a","name":"b"}]')],
  'unknown and repeated': [pods, podText('NAME', ',"foo":1', ',"restartPolicy":"Never","restartPolicy":"Always","bar":[]')],
  'unknown twice': [configMaps, '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"NAME"},"foo":1,"foo":2}'],
  'unknown with an odd name': [
    configMaps,
    '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"NAME"},"a.b \\"c\\"":1,"é":2,"":3}',
  ],
  '200 unknown fields': [
    configMaps,
    `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"NAME"},${Array.from({ length: 200 }, (_, index) => `"f${index}":1`).join(',')}}`,
  ],
  'unknown of 5,000 letters': [
    configMaps,
    `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"NAME"},"${'f'.repeat(5000)}":1}`,
  ],
  'unknown in a Deployment': [
    deployments,
    '{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"NAME"},"spec":{"replica":1,"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"container":[],"containers":[{"name":"c","image":"x","Image":"y"}]}}}}',
  ],
  'unknown in a custom object': [
    widgets,
    '{"apiVersion":"fields.example.com/v1","kind":"Widget","metadata":{"name":"NAME","foo":1},"spec":{"size":1,"bar":{"a":1}},"top":2}',
  ],
  'repeated in a custom object': [
    widgets,
    '{"apiVersion":"fields.example.com/v1","kind":"Widget","metadata":{"name":"NAME","name":"NAME"},"spec":{"size":1,"size":2,"bar":1,"bar":2}}',
  ],
}

const patches: Readonly<Record<string, readonly [type: keyof typeof patchTypes, path: string, body: string]>> = {
  'merge patch with an unknown field': ['merge', `${configMaps}/kept`, '{"foo":1}'],
  'merge patch with a repeated field': ['merge', `${configMaps}/kept`, '{"data":{"a":"1","a":"2"}}'],
  'strategic patch with an unknown field': ['strategic', `${configMaps}/kept`, '{"foo":1,"metadata":{"bar":2}}'],
  'strategic patch with a repeated field': ['strategic', `${configMaps}/kept`, '{"data":{"a":"1","a":"2"}}'],
  'JSON patch with an unknown field': ['json', `${configMaps}/kept`, '[{"op":"add","path":"/foo","value":1}]'],
  'JSON patch with a repeated field': [
    'json',
    `${configMaps}/kept`,
    '[{"op":"add","path":"/data","value":{"a":"1","a":"2"}},{"op":"test","op":"add","path":"/data/c","value":"d"}]',
  ],
  'apply with an unknown field': [
    'apply',
    `${configMaps}/kept?fieldManager=a`,
    '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"kept"},"foo":1}',
  ],
  'apply with a repeated field': [
    'apply',
    `${configMaps}/kept?fieldManager=a`,
    'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: kept\ndata:\n  q: "1"\n  q: "2"\n',
  ],
  'custom merge patch with an unknown field': ['merge', `${widgets}/kept`, '{"spec":{"bar":1}}'],
  'custom JSON patch with an unknown field': ['json', `${widgets}/kept`, '[{"op":"add","path":"/spec/bar","value":1}]'],
  'custom apply with an unknown field': [
    'apply',
    `${widgets}/kept?fieldManager=a`,
    '{"apiVersion":"fields.example.com/v1","kind":"Widget","metadata":{"name":"kept"},"spec":{"bar":1}}',
  ],
}

function inMode(path: string, mode: string): string {
  return mode === '' ? path : `${path}${path.includes('?') ? '&' : '?'}fieldValidation=${mode}`
}

const cases: readonly BadInputCase[] = modes.flatMap((mode, index) => [
  ...casesOf(
    bodies,
    ([path, body], name) =>
      sent('POST', inMode(path, mode), body.replaceAll('NAME', `m${index}-${Object.keys(bodies).indexOf(name)}`)),
    `${mode === '' ? 'default' : mode}: `,
  ),
  ...casesOf(
    patches,
    ([type, path, body]) => sent('PATCH', inMode(path, mode), body, patchTypes[type]),
    `${mode === '' ? 'default' : mode}: `,
  ),
])

export const fieldGroup = groupIn(namespace, {
  setUp: [
    sent('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', widgetDefinition('fields.example.com')),
    sent('POST', configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'kept' }, data: { a: '0' } }),
    sent('POST', widgets, { apiVersion: 'fields.example.com/v1', kind: 'Widget', metadata: { name: 'kept' }, spec: { size: 1 } }),
  ],
  cases,
})
