// How operators go from one version of a kind to the next: what was stored before stays in its old version beside what comes in the new
// one, whoever asks in either. Asked of a real API server and of the twin alike.
import { setTimeout as pause } from 'node:timers/promises'
import type { Converter } from '#kube/server/conversion.ts'
import { startConversionServer, steadyLines, untilServed } from './conversion-server.ts'
import type { Ask, Recorded, Site } from './scenario.ts'
import { type Fields, want } from './webhook-scenario.ts'

const group = 'life.example.io'
const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const own = `${definitions}/gadgets.${group}`
type Version = 'v1alpha1' | 'v1'
const at = (version: Version, name = '') => `/apis/${group}/${version}/namespaces/default/gadgets${name === '' ? '' : `/${name}`}`
const applyType = { 'content-type': 'application/apply-patch+yaml' }
const jsonPatchType = { 'content-type': 'application/json-patch+json' }

/** v1alpha1 has a count and an owner in one text, v1 replicas and an owner in two. */
const converter: Converter = {
  name: 'gadgets',
  convert(object, apiVersion) {
    const { count, replicas, owner, ...others }: Fields = Object(object['spec'])
    const rest = { ...object, metadata: { ...object.metadata } }
    if (apiVersion.endsWith('/v1')) {
      const [name, mail] = typeof owner === 'string' ? owner.split(' ') : []
      return {
        ...rest,
        spec: {
          ...others,
          ...(count === undefined ? {} : { replicas: count }),
          ...(name === undefined ? {} : { owner: { name, ...(mail === undefined ? {} : { mail }) } }),
        },
      }
    }
    const { name, mail }: Fields = Object(owner)
    const text = [name, mail].filter(part => part !== undefined).join(' ')
    return {
      ...rest,
      spec: { ...others, ...(replicas === undefined ? {} : { count: replicas }), ...(text === '' ? {} : { owner: text }) },
    }
  },
}

const text = { type: 'string' }
const whole = { type: 'integer' }

function version(name: Version, isStored: boolean, properties: Fields, amount: string) {
  return {
    name,
    served: true,
    storage: isStored,
    subresources: { status: {}, scale: { specReplicasPath: `.spec.${amount}`, statusReplicasPath: '.status.replicas' } },
    additionalPrinterColumns: [{ name: 'Amount', type: 'integer', jsonPath: `.spec.${amount}` }],
    selectableFields: [{ jsonPath: '.spec.mode' }, { jsonPath: name === 'v1' ? '.spec.owner.name' : '.spec.owner' }],
    schema: {
      openAPIV3Schema: {
        type: 'object',
        properties: {
          spec: {
            type: 'object',
            properties: {
              mode: { type: 'string', default: name === 'v1' ? 'fast' : 'slow' },
              extra: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
              ...properties,
            },
          },
          status: { type: 'object', properties: { phase: text, replicas: whole } },
        },
      },
    },
  }
}

function versions(stored: Version) {
  return [
    version('v1alpha1', stored === 'v1alpha1', { [`count`]: whole, owner: text }, 'count'),
    version(
      'v1',
      stored === 'v1',
      { replicas: whole, owner: { type: 'object', properties: { name: text, mail: text } } },
      'replicas',
    ),
  ]
}

const gadget = (version: Version, name: string, spec: Fields, more: Fields = {}) => ({
  apiVersion: `${group}/${version}`,
  kind: 'Gadget',
  metadata: { name, ...Object(more['metadata']) },
  spec,
  ...Object.fromEntries(Object.entries(more).filter(([key]) => key !== 'metadata')),
})

const listed = (name: string, version: Version, query = ''): readonly [string, Ask] => [
  name,
  { method: 'GET', path: `${at(version)}${query}` },
]
const read = (name: string, version: Version, object: string): readonly [string, Ask] => [
  name,
  { method: 'GET', path: at(version, object) },
]
const applied = (name: string, version: Version, manager: string, object: Fields, query = ''): readonly [string, Ask] => [
  name,
  {
    method: 'PATCH',
    path: `${at(version, String(Object(object['metadata']).name))}${query.startsWith('/') ? query : `?fieldManager=${manager}${query}`}`,
    headers: applyType,
    body: object,
  },
]

// Who has which fields is compared within one version only: what of another version's owners a write takes is not played by the twin.
const beforeTheSwitch: readonly (readonly [string, Ask])[] = [
  applied('applied in the old version', 'v1alpha1', 'old-tool', gadget('v1alpha1', 'a', { count: 1, owner: 'ann ann@x' })),
  [
    'created in the new version',
    {
      method: 'POST',
      path: at('v1'),
      body: gadget('v1', 'b', { replicas: 2, owner: { name: 'bob' }, extra: { deep: { x: 1 } } }),
    },
  ],
  read('read in the new version', 'v1', 'a'),
  read('read in the old version', 'v1alpha1', 'b'),
  ['scale in the new version', { method: 'GET', path: `${at('v1', 'b')}/scale` }],
  ['scaled in the new version', { method: 'PATCH', path: `${at('v1', 'b')}/scale`, body: { spec: { replicas: 5 } } }],
  ['scaled in the old version', { method: 'PATCH', path: `${at('v1alpha1', 'a')}/scale`, body: { spec: { replicas: 6 } } }],
  read('scaled in the new version, in the old one', 'v1alpha1', 'b'),
  read('scaled in the old version, in the new one', 'v1', 'a'),
  applied('applied by another in the new version', 'v1', 'new-tool', gadget('v1', 'b', { replicas: 9 })),
  applied('applied by force in the new version', 'v1', 'new-tool', gadget('v1', 'b', { replicas: 9 }), '&force=true'),
  applied(
    'applied again in the old version',
    'v1alpha1',
    'old-tool',
    gadget('v1alpha1', 'a', { count: 6, owner: 'ann ann@y' }),
    '&force=true',
  ),
  applied(
    'applied by the same in the new version',
    'v1',
    'old-tool',
    gadget('v1', 'a', { replicas: 6, owner: { name: 'ann', mail: 'ann@y' } }),
  ),
  read('who owns what', 'v1', 'a'),
  [
    'status in the new version',
    { method: 'PATCH', path: `${at('v1', 'a')}/status`, body: { status: { phase: 'Up', replicas: 9 } } },
  ],
  listed('of a mode', 'v1', '?fieldSelector=spec.mode%3Dslow'),
  listed('of the mode that the other version sets', 'v1alpha1', '?fieldSelector=spec.mode%3Dfast'),
]

const afterTheSwitch: readonly (readonly [string, Ask])[] = [
  ['the definition', { method: 'GET', path: own }],
  [
    'created after the switch',
    { method: 'POST', path: at('v1alpha1'), body: gadget('v1alpha1', 'c', { count: 3, owner: 'cid c@x' }) },
  ],
  read('stored before, in the new version', 'v1', 'a'),
  read('stored before, in the old version', 'v1alpha1', 'a'),
  listed('both in the new version', 'v1'),
  listed('both in the old version', 'v1alpha1'),
  listed('a page of both', 'v1alpha1', '?limit=2'),
  [
    'a watch of both in the old version',
    { method: 'GET', path: `${at('v1alpha1')}?watch=true&resourceVersion=0&timeoutSeconds=1` },
  ],
  ['a watch of both in the new version', { method: 'GET', path: `${at('v1')}?watch=true&resourceVersion=0&timeoutSeconds=1` }],
  [
    'patched, stored before',
    {
      method: 'PATCH',
      path: at('v1', 'a'),
      headers: jsonPatchType,
      body: [
        { op: 'test', path: '/spec/owner/name', value: 'ann' },
        { op: 'replace', path: '/spec/owner/mail', value: 'new@x' },
      ],
    },
  ],
  [
    'patched in the old version, stored before',
    { method: 'PATCH', path: at('v1alpha1', 'c'), body: { spec: { owner: 'bea b@x' } } },
  ],
  [
    'its status, in the old version',
    { method: 'PATCH', path: `${at('v1alpha1', 'c')}/status`, body: { status: { phase: 'Down' } } },
  ],
  read('then in the new version', 'v1', 'c'),
  applied(
    'applied in the old version, stored in the new one',
    'v1alpha1',
    'old-tool',
    gadget('v1alpha1', 'c', { count: 4 }),
    '&force=true',
  ),
  [
    'refused by its resourceVersion',
    { method: 'PATCH', path: at('v1alpha1', 'c'), body: { metadata: { resourceVersion: '1' }, spec: { count: 5 } } },
  ],
  // What nobody has written since would be lost with its version.
  ['migrated by a write', { method: 'PATCH', path: at('v1', 'b'), body: { metadata: { labels: { migrated: 'yes' } } } }],
  ['a version is taken away too early', { method: 'PATCH', path: own, body: { spec: { versions: versions('v1').slice(1) } } }],
]

/** Runs all of it. When the webhook is asked is the server's own affair, and not recorded. */
export async function recordConversionLife(site: Site, lagMs: number): Promise<readonly Recorded[]> {
  await using hook = await startConversionServer(converter)
  const records: Recorded[] = []
  const record = async (name: string, ask: Ask) => {
    const answer = await site.ask(ask)
    const { method, path, headers } = ask
    const asked = { method, path, ...(headers === undefined ? {} : { headers }) }
    const managers = managersOf(answer.text)
    records.push({
      name,
      ask: asked,
      ...steadyLines({ ...answer, text: withoutRevisions(answer.text) }, hook.port),
      ...(managers === undefined ? {} : { managers }),
    })
  }
  const recordAll = async (all: readonly (readonly [string, Ask])[]) => {
    for (const [name, ask] of all) await record(name, ask)
  }
  const definition = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `gadgets.${group}` },
    spec: {
      group,
      names: { plural: 'gadgets', singular: 'gadget', kind: 'Gadget', listKind: 'GadgetList' },
      scope: 'Namespaced',
      versions: versions('v1alpha1'),
      conversion: { strategy: 'Webhook', webhook: { conversionReviewVersions: ['v1'], clientConfig: hook.clientConfig } },
    },
  }
  const alike = versions('v1alpha1').map(one => ({ ...one, selectableFields: [{ jsonPath: '.spec.mode' }] }))
  const body = { ...definition, spec: { ...definition.spec, versions: alike } }
  await recordAll([['the same selectable fields of other schemas', { method: 'POST', path: definitions, body }]])
  await want(site, { method: 'POST', path: definitions, body: definition })
  await untilServed(site, at('v1'))
  await pause(lagMs)
  await recordAll(beforeTheSwitch)
  await want(site, { method: 'PATCH', path: own, body: { spec: { versions: versions('v1') } } })
  await pause(lagMs)
  await recordAll(afterTheSwitch)
  for (const name of ['d', 'e', 'g'])
    await want(site, { method: 'POST', path: at('v1'), body: gadget('v1', name, { replicas: 1 }) })
  await recordAll([listed('all in the old version', 'v1alpha1'), listed('all in the new version', 'v1')])
  hook.fault = response => ({ ...response, convertedObjects: response.convertedObjects.toReversed() })
  await recordAll([listed('answered in another order', 'v1alpha1')])
  hook.fault = response => ({ ...response, result: { status: 'Failure', message: 'not this one' }, convertedObjects: [] })
  await recordAll([
    listed('a list that fails', 'v1alpha1'),
    [
      'a table that fails',
      { method: 'GET', path: at('v1alpha1'), headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' } },
    ],
    ['a watch that fails', { method: 'GET', path: `${at('v1alpha1')}?watch=true&resourceVersion=0&timeoutSeconds=1` }],
    ['a scale that fails', { method: 'GET', path: `${at('v1alpha1', 'd')}/scale` }],
    ['a patch that fails', { method: 'PATCH', path: at('v1alpha1', 'd'), body: { spec: { count: 5 } } }],
    applied('an apply that fails', 'v1alpha1', 'old-tool', gadget('v1alpha1', 'd', { count: 4 }), '&force=true'),
    ['a deletion that fails', { method: 'DELETE', path: at('v1alpha1', 'd') }],
    ['a deletion as it is stored', { method: 'DELETE', path: at('v1', 'd') }],
    ['a deletion of all that fails', { method: 'DELETE', path: at('v1alpha1') }],
  ])
  hook.close()
  await recordAll([
    ['nobody there: held', { method: 'PATCH', path: at('v1', 'e'), body: { metadata: { finalizers: ['example.io/hold'] } } }],
    ['nobody there: deleted in the old version', { method: 'DELETE', path: at('v1alpha1', 'e') }],
    ['nobody there: deleted as it is stored, and held', { method: 'DELETE', path: at('v1', 'e') }],
    ['nobody there: let go', { method: 'PATCH', path: at('v1', 'e'), body: { metadata: { finalizers: null } } }],
    listed('nobody there: listed as stored', 'v1'),
  ])
  await want(site, { method: 'PATCH', path: own, body: { spec: { conversion: { strategy: 'None', webhook: null } } } })
  await pause(lagMs)
  await recordAll([
    read('without a webhook in the old version', 'v1alpha1', 'g'),
    read('without a webhook as it is stored', 'v1', 'g'),
    [
      'versions that are stored are forgotten',
      { method: 'PATCH', path: `${own}/status`, body: { status: { storedVersions: ['v1'] } } },
    ],
    ['the old version is taken away', { method: 'PATCH', path: own, body: { spec: { versions: versions('v1').slice(1) } } }],
  ])
  await pause(lagMs)
  await untilServed(site, at('v1'))
  await recordAll([read('in a version that is gone', 'v1alpha1', 'c'), listed('in what is left', 'v1')])
  await want(site, { method: 'DELETE', path: own })
  return records
}

/** Who owns which fields in which version; undefined of what is no object. */
function managersOf(answer: string): unknown {
  if (!answer.startsWith('{"apiVersion"') && !answer.startsWith('{"kind"')) return undefined
  const { kind, metadata }: Fields = JSON.parse(answer)
  if (kind !== 'Gadget') return undefined
  const { managedFields }: Fields = Object(metadata)
  if (!Array.isArray(managedFields)) return undefined
  return managedFields.map(({ manager, operation, apiVersion, subresource, fieldsV1 }) => ({
    ...{ manager: String(manager).replace(/^(node|undici|ballast.*)$/, 'client'), operation, apiVersion },
    ...(subresource === undefined ? {} : { subresource }),
    fieldsV1,
  }))
}

/** Objects in a watch or a table's bookmark name the revision of the store. */
function withoutRevisions(answer: string): string {
  return answer
    .replaceAll(/"lastTransitionTime":"[^"]*"/g, '"lastTransitionTime":"TIME"')
    .replaceAll(/"caBundle":"[^"]*"/g, '"caBundle":"BUNDLE"')
}
