// What is asked of an API server about a kind that is served in two versions, converted by a webhook that behaves well or badly; the same
// of the real one and of the twin.
import { setTimeout as pause } from 'node:timers/promises'
import type { Converter } from '#kube/server/conversion.ts'
import {
  type ConversionFault,
  type ConversionResponse,
  startConversionServer,
  steadyLines,
  steadyReview,
  untilServed,
} from './conversion-server.ts'
import type { Ask, Recorded, Site } from './scenario.ts'
import { type Fields, want } from './webhook-scenario.ts'

const group = 'conversion.example.io'
const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const collection = (version: 'v1' | 'v2') => `/apis/${group}/${version}/namespaces/default/boxes`
const tableAccept = 'application/json;as=Table;v=v1;g=meta.k8s.io'
const metadataAccept = 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io'
const metadataListAccept = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io'

/** v1 has one text `size: 3x4`, v2 two numbers. */
const converter: Converter = {
  name: 'boxes',
  convert(object, apiVersion) {
    const spec: Fields = Object(object['spec'])
    const rest = { ...object, metadata: { ...object.metadata } }
    if (apiVersion.endsWith('/v2')) {
      const [width, height] = String(spec['size']).split('x').map(Number)
      const { size: _, ...others } = spec
      return { ...rest, spec: { ...others, width, height } }
    }
    const { width, height, ...others } = spec
    return { ...rest, spec: { ...others, size: `${width}x${height}` } }
  },
}

/** How a webhook answers that does not do its work: the response of a good one, changed; or another answer. */
const faults: Readonly<Record<string, ConversionFault>> = {
  failure: response => ({ ...response, result: { status: 'Failure', message: 'it does not fit' }, convertedObjects: [] }),
  'failure-silently': response => ({ ...response, result: { status: 'Failure' } }),
  'no-result': ({ result: _, ...response }) => response,
  'other-uid': response => ({ ...response, uid: 'other' }),
  'too-few': response => ({ ...response, convertedObjects: [] }),
  'too-many': response => ({ ...response, convertedObjects: [...response.convertedObjects, ...response.convertedObjects] }),
  'other-version': response => ({
    ...response,
    convertedObjects: response.convertedObjects.map(object => ({ ...object, apiVersion: `${group}/v3` })),
  }),
  'other-kind': response => ({
    ...response,
    convertedObjects: response.convertedObjects.map(object => ({ ...object, kind: 'Crate' })),
  }),
  'other-name': response => withMetadata(response, { name: 'other' }),
  'other-uid-of-object': response => withMetadata(response, { uid: 'other' }),
  'other-labels': response => withMetadata(response, { labels: { converted: 'yes' }, annotations: { note: 'x' } }),
  'bad-labels': response => withMetadata(response, { labels: { '-': '-' } }),
  'no-metadata': response => ({
    ...response,
    convertedObjects: response.convertedObjects.map(({ metadata: _, ...object }) => object),
  }),
  'no-json': () => 'hello',
  empty: () => '{"apiVersion":"apiextensions.k8s.io/v1","kind":"ConversionReview"}',
  'server-error': () => 500,
}

function withMetadata(response: ConversionResponse, changed: Fields): Fields {
  const objects = response.convertedObjects
  return {
    ...response,
    convertedObjects: objects.map(object => ({ ...object, metadata: { ...Object(object['metadata']), ...changed } })),
  }
}

const definition = (clientConfig: Fields) => {
  const text = { type: 'string', pattern: '^[0-9]+x[0-9]+$' }
  const number = { type: 'integer', maximum: 100 }
  const version = (
    name: string,
    storage: boolean,
    properties: Fields,
    required: readonly string[],
    columns: readonly Fields[],
  ) => ({
    name,
    served: true,
    storage,
    subresources: { status: {} },
    additionalPrinterColumns: columns,
    schema: {
      openAPIV3Schema: {
        type: 'object',
        properties: {
          spec: { type: 'object', required, properties: { colour: { type: 'string', default: name }, ...properties } },
          status: { type: 'object', properties: { phase: { type: 'string' } } },
        },
      },
    },
  })
  const column = (name: string, type: string) => ({ name, type, jsonPath: `.spec.${name.toLowerCase()}` })
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `boxes.${group}` },
    spec: {
      group,
      names: { plural: 'boxes', singular: 'box', kind: 'Box', listKind: 'BoxList' },
      scope: 'Namespaced',
      versions: [
        version('v1', true, { size: text }, ['size'], [column('Size', 'string')]),
        version(
          'v2',
          false,
          { width: number, height: number },
          ['width'],
          [column('Width', 'integer'), column('Height', 'integer')],
        ),
      ],
      conversion: { strategy: 'Webhook', webhook: { conversionReviewVersions: ['v1'], clientConfig } },
    },
  }
}

const box = (version: 'v1' | 'v2', name: string, spec: Fields, more: Fields = {}) => ({
  apiVersion: `${group}/${version}`,
  kind: 'Box',
  metadata: { name },
  spec,
  ...more,
})

const asks: Readonly<Record<string, Ask>> = {
  'a stored version created': { method: 'POST', path: collection('v1'), body: box('v1', 'a', { size: '1x2' }) },
  'another version created': { method: 'POST', path: collection('v2'), body: box('v2', 'b', { width: 3, height: 4 }) },
  'created and not stored': {
    method: 'POST',
    path: `${collection('v2')}?dryRun=All`,
    body: box('v2', 'c', { width: 5, height: 6 }),
  },
  'refused by the schema of its version': { method: 'POST', path: collection('v2'), body: box('v2', 'd', { width: 300 }) },
  'refused by required fields of its version': { method: 'POST', path: collection('v2'), body: box('v2', 'd', { height: 3 }) },
  'a field of the other version': {
    method: 'POST',
    path: `${collection('v2')}?fieldValidation=Strict`,
    body: box('v2', 'd', { width: 3, height: 3, size: '1x1' }),
  },
  'read as stored': { method: 'GET', path: `${collection('v1')}/b` },
  'read in another version': { method: 'GET', path: `${collection('v2')}/a` },
  'listed as stored': { method: 'GET', path: collection('v1') },
  'listed in another version': { method: 'GET', path: collection('v2') },
  'a page in another version': { method: 'GET', path: `${collection('v2')}?limit=1` },
  'a table in another version': { method: 'GET', path: collection('v2'), headers: { accept: tableAccept } },
  'metadata of another version': { method: 'GET', path: `${collection('v2')}/a`, headers: { accept: metadataAccept } },
  'metadata of all in another version': { method: 'GET', path: collection('v2'), headers: { accept: metadataListAccept } },
  'watched in another version': { method: 'GET', path: `${collection('v2')}?watch=true&timeoutSeconds=1` },
  'patched in another version': { method: 'PATCH', path: `${collection('v2')}/a`, body: { spec: { height: 9 } } },
  'read as it is stored then': { method: 'GET', path: `${collection('v1')}/a` },
  'patched to what its version refuses': { method: 'PATCH', path: `${collection('v2')}/a`, body: { spec: { width: 300 } } },
  'applied in another version': {
    method: 'PATCH',
    path: `${collection('v2')}/a?fieldManager=me&force=true`,
    headers: { 'content-type': 'application/apply-patch+yaml' },
    body: box('v2', 'a', { width: 7 }),
  },
  'its status in another version': { method: 'PATCH', path: `${collection('v2')}/a/status`, body: { status: { phase: 'Full' } } },
  'read with its status': { method: 'GET', path: `${collection('v1')}/a` },
  'deleted in another version': { method: 'DELETE', path: `${collection('v2')}/b` },
}

/** Runs all cases and yields what was answered, and what the webhook was asked for one object and for a list of a new kind. */
export async function recordConversions(site: Site, lagMs: number): Promise<readonly Recorded[]> {
  await using hook = await startConversionServer(converter)
  const records: Recorded[] = []
  const record = async (name: string, ask: Ask) => {
    const answer = await site.ask(ask)
    const { headers } = ask
    const shown = { method: ask.method, path: ask.path, ...(headers === undefined ? {} : { headers }) }
    records.push({ name, ask: shown, ...steadyLines(answer, hook.port) })
  }
  await want(site, { method: 'POST', path: definitions, body: definition(hook.clientConfig) })
  await untilServed(site, collection('v2'))
  await pause(lagMs)
  for (const [name, ask] of Object.entries(asks)) await record(name, ask)
  hook.seen.length = 0
  await record('read while it is looked at', { method: 'GET', path: `${collection('v2')}/a` })
  const reviewed = hook.seen.map(steadyReview)
  records.push({ name: 'what was asked', ask: { method: 'POST', path: '' }, status: 200, contentType: '', body: reviewed })
  for (const [name, known] of Object.entries(faults)) {
    hook.fault = known
    await record(`${name}: read`, { method: 'GET', path: `${collection('v2')}/a` })
    await record(`${name}: created`, {
      method: 'POST',
      path: `${collection('v2')}?dryRun=All`,
      body: box('v2', name, { width: 1, height: 1 }),
    })
  }
  hook.close()
  await record('gone: read', { method: 'GET', path: `${collection('v2')}/a` })
  await record('gone: read as stored', { method: 'GET', path: `${collection('v1')}/a` })
  await record('gone: created', { method: 'POST', path: collection('v2'), body: box('v2', 'z', { width: 1, height: 1 }) })
  await record('gone: created as stored', { method: 'POST', path: collection('v1'), body: box('v1', 'y', { size: '1x1' }) })
  await want(site, { method: 'DELETE', path: `${definitions}/boxes.${group}` })
  return records
}
