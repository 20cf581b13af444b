// Amounts, numbers and times at the edge of what Go holds, through every way in and out: what is stored, what is shown, what is refused.
import type { BadInputCase } from './case.ts'
import { widgetDefinition } from './definition-cases.ts'
import { type Body, casesOf, configMap, got, groupIn, patchTypes, pod, sent } from './requests.ts'

const namespace = 'extremes'
const core = (resource: string) => `/api/v1/namespaces/${namespace}/${resource}`
const apps = (resource: string) => `/apis/apps/v1/namespaces/${namespace}/${resource}`
const widgets = `/apis/extremes.example.com/v1/namespaces/${namespace}/widgets`

const amounts: Readonly<Record<string, string>> = {
  '1e18': '1e18',
  '9e15': '9e15',
  '1000E': '1000E',
  '9223372036854775807': '9223372036854775807',
  '9223372036854775808': '9223372036854775808',
  '12345678901234567890': '12345678901234567890',
  '1e100': '1e100',
  '9Ei': '9Ei',
  '8191Pi': '8191Pi',
  '100000000000m': '100000000000m',
  '1.000000001': '1.000000001',
}

const ofAmount = (
  resources: (text: string) => Body,
  kind: string,
  more: (text: string, name: string) => Body,
): readonly BadInputCase[] =>
  casesOf(
    amounts,
    (text, name) => sent('POST', `${placeOf[kind] ?? ''}?dryRun=All`, { ...more(text, name), ...resources(text) }),
    `${kind} of `,
  )

const placeOf: Readonly<Record<string, string>> = {
  'a quota': core('resourcequotas'),
  'a limit range': core('limitranges'),
  'a claim': core('persistentvolumeclaims'),
}

/** A Deployment asks for it; no pod of it is judged yet. */
const template = (cpu: string): Body => ({
  selector: { matchLabels: { app: 'x' } },
  template: {
    metadata: { labels: { app: 'x' } },
    spec: { containers: [{ name: 'c', image: 'x', resources: { requests: { cpu, memory: cpu } } }] },
  },
})

const times: Readonly<Record<string, string>> = {
  'a day that February has not': '2026-02-30T00:00:00Z',
  'a 31st of April': '2026-04-31T00:00:00Z',
  'a leap day of no leap year': '2025-02-29T00:00:00Z',
  'a leap day': '2024-02-29T00:00:00Z',
  'month 13': '2026-13-01T00:00:00Z',
  'month 0': '2026-00-01T00:00:00Z',
  'day 0': '2026-01-00T00:00:00Z',
  'day 32': '2026-01-32T00:00:00Z',
  'hour 24': '2026-01-01T24:00:00Z',
  'minute 60': '2026-01-01T00:60:00Z',
  'a leap second': '2026-12-31T23:59:60Z',
  'an offset of 99 hours': '2026-01-01T00:00:00+99:00',
  'an offset of 24 hours': '2026-01-01T00:00:00+24:00',
  'an offset of 25 hours': '2026-01-01T00:00:00+25:00',
  'an offset of 60 minutes': '2026-01-01T00:00:00+00:60',
  'an offset of 61 minutes': '2026-01-01T00:00:00-00:61',
  'the year 0': '0000-01-01T00:00:00Z',
  'the year 0 with an offset': '0000-01-01T00:00:00+01:00',
  'the year 9999 with an offset': '9999-12-31T23:59:59-23:00',
  'the year 10000': '10000-01-01T00:00:00Z',
  'a fraction of 12 digits': '2026-01-01T00:00:00.123456789012Z',
  'a comma': '2026-01-01T00:00:00,5Z',
  'a lower case z': '2026-01-01t00:00:00z',
  nothing: '',
}

/** An Event with both sorts of time. */
const event = (name: string, text: string) =>
  sent('POST', `${core('events')}?dryRun=All`, {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name },
    involvedObject: { kind: 'Pod', name: 'a', namespace },
    reason: 'R',
    type: 'Normal',
    source: { component: 'c' },
    lastTimestamp: text,
  })
const lease = (name: string, text: string) =>
  sent('POST', `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases?dryRun=All`, {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name },
    spec: { renewTime: text },
  })
const numbered = (
  of: Readonly<Record<string, string>>,
  make: (name: string, text: string) => BadInputCase['request'],
  prefix: string,
) => casesOf(of, (text, name) => make(`t${Object.keys(of).indexOf(name)}`, text), prefix)

const widget = (name: string, spec: string) =>
  `{"apiVersion":"extremes.example.com/v1","kind":"Widget","metadata":{"name":"${name}"},"spec":${spec}}`
const beyond =
  '{"big":9007199254740993,"free":{"a":9007199254740993,"b":[-9223372036854775808,9223372036854775807],"c":1.0,"d":1e21,"e":0.1}}'
const table = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' }
const metadata = { accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io' }
const reading = (path: string, headers: Readonly<Record<string, string>> = {}): BadInputCase['request'] => ({
  verb: 'GET',
  path,
  headers,
})

/** Each stands on what the ones before it left. */
const throughEveryDoor: Readonly<Record<string, BadInputCase['request']>> = {
  create: sent('POST', widgets, widget('w', beyond)),
  get: got(`${widgets}/w`),
  list: got(widgets),
  'list as YAML': reading(widgets, { accept: 'application/yaml' }),
  'list as a table': reading(widgets, table),
  'list of metadata': reading(widgets, metadata),
  'list for people': got(`${widgets}?pretty=true`),
  watch: got(`${widgets}?watch=true&timeoutSeconds=1`),
  'merge patch of another field': sent('PATCH', `${widgets}/w`, '{"spec":{"size":1}}', patchTypes.merge),
  'merge patch past int64': sent('PATCH', `${widgets}/w`, '{"spec":{"big":9223372036854775808}}', patchTypes.merge),
  'merge patch of free numbers': sent(
    'PATCH',
    `${widgets}/w`,
    '{"spec":{"free":{"f":9007199254740995,"g":99999999999999999999}}}',
    patchTypes.merge,
  ),
  'json patch': sent('PATCH', `${widgets}/w`, '[{"op":"replace","path":"/spec/big","value":9007199254740995}]', patchTypes.json),
  'json patch that tests': sent(
    'PATCH',
    `${widgets}/w`,
    '[{"op":"test","path":"/spec/big","value":9007199254740995}]',
    patchTypes.json,
  ),
  'json patch that tests its neighbour': sent(
    'PATCH',
    `${widgets}/w`,
    '[{"op":"test","path":"/spec/big","value":9007199254740996}]',
    patchTypes.json,
  ),
  apply: sent('PATCH', `${widgets}/a?fieldManager=m`, widget('a', beyond), patchTypes.apply),
  'apply again': sent('PATCH', `${widgets}/a?fieldManager=m`, widget('a', beyond), patchTypes.apply),
  'apply by another': sent('PATCH', `${widgets}/a?fieldManager=o`, widget('a', '{"big":9007199254740992}'), patchTypes.apply),
  update: sent('PUT', `${widgets}/w`, widget('w', '{"big":-9223372036854775808}')),
  'update with a number for text': sent('PUT', `${widgets}/w`, widget('w', '{"name":9007199254740993}')),
  'update past int64': sent('PUT', `${widgets}/w`, widget('w', '{"big":-9223372036854775809}')),
  'update with a number beyond doubles': sent('PUT', `${widgets}/w`, widget('w', '{"free":{"a":1e400}}')),
  'get after all': got(`${widgets}/w`),
  'a field selector of it': got(`${widgets}?fieldSelector=spec.big%3D1`),
  'remove them': { verb: 'DELETE', path: widgets },
}

const podOf = (name: string, spec: string) =>
  `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"${name}"},"spec":{"automountServiceAccountToken":false,"containers":[{"name":"c","image":"x"}],${spec}}}`

const numbersOfPods: Readonly<Record<string, BadInputCase['request']>> = {
  'a grace of the largest int64': sent('POST', core('pods'), podOf('g1', '"terminationGracePeriodSeconds":9223372036854775807')),
  'a grace beyond int64': sent('POST', core('pods'), podOf('g2', '"terminationGracePeriodSeconds":9223372036854775808')),
  'a user of the largest int64': sent('POST', core('pods'), podOf('g3', '"securityContext":{"runAsUser":9223372036854775807}')),
  'a user past 2^53': sent('POST', core('pods'), podOf('g4', '"securityContext":{"fsGroup":9007199254740993}')),
  'list them': got(`${core('pods')}?limit=500`),
  'list them as a table': reading(core('pods'), table),
  'delete with a grace past 2^53': sent('DELETE', `${core('pods')}/g1`, '{"gracePeriodSeconds":9007199254740993}'),
  'delete with a grace beyond int64': sent('DELETE', `${core('pods')}/g1`, '{"gracePeriodSeconds":9223372036854775808}'),
  'evict with a grace past 2^53': sent(
    'POST',
    `${core('pods')}/g1/eviction`,
    `{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"g1","namespace":"${namespace}"},"deleteOptions":{"gracePeriodSeconds":9007199254740993}}`,
  ),
  'scale past int32': sent(
    'PUT',
    `${apps('deployments')}/scaled/scale`,
    `{"apiVersion":"autoscaling/v1","kind":"Scale","metadata":{"name":"scaled","namespace":"${namespace}"},"spec":{"replicas":9007199254740993}}`,
  ),
  'scale below zero': sent(
    'PUT',
    `${apps('deployments')}/scaled/scale`,
    `{"apiVersion":"autoscaling/v1","kind":"Scale","metadata":{"name":"scaled","namespace":"${namespace}"},"spec":{"replicas":-1}}`,
  ),
  'a generation past 2^53': sent('POST', core('configmaps'), configMapOf('"generation":9007199254740993')),
  'a resourceVersion past int64': sent(
    'PUT',
    `${core('configmaps')}/big`,
    configMapOf('"resourceVersion":"99999999999999999999"'),
  ),
}

function configMapOf(metadata: string): string {
  return `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"big",${metadata}}}`
}

export const extremeGroup = groupIn(namespace, {
  setUp: [
    sent('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', widgetDefinition('extremes.example.com')),
    sent('POST', apps('deployments'), {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'scaled' },
      spec: template('1'),
    }),
    sent('POST', core('configmaps'), configMap('plain')),
  ],
  cases: [
    ...casesOf(
      amounts,
      (text, name) =>
        sent(
          'POST',
          `${core('pods')}?dryRun=All`,
          pod(`p${Object.keys(amounts).indexOf(name)}`, {}, { resources: { requests: { cpu: text } } }),
        ),
      'a pod with cpu of ',
    ),
    ...casesOf(
      amounts,
      (text, name) =>
        sent('POST', `${apps('deployments')}?dryRun=All`, {
          apiVersion: 'apps/v1',
          kind: 'Deployment',
          metadata: { name: `d${Object.keys(amounts).indexOf(name)}` },
          spec: template(text),
        }),
      'a template with ',
    ),
    ...ofAmount(
      text => ({ spec: { hard: { 'requests.cpu': text, pods: text } } }),
      'a quota',
      () => ({ apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'q' } }),
    ),
    ...ofAmount(
      text => ({ spec: { limits: [{ type: 'Container', max: { cpu: text } }] } }),
      'a limit range',
      () => ({ apiVersion: 'v1', kind: 'LimitRange', metadata: { name: 'l' } }),
    ),
    ...ofAmount(
      text => ({ spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: text } } } }),
      'a claim',
      () => ({ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'c' } }),
    ),
    ...numbered(times, event, 'an event at '),
    ...numbered(times, lease, 'a lease at '),
    ...casesOf(throughEveryDoor, request => request, 'past 2^53: '),
    ...casesOf(numbersOfPods, request => request, 'numbers: '),
  ],
})
