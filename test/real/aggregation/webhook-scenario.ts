// What is asked of an API server about admission webhooks, well and badly behaved, the same of the real one and of the twin.
import { once } from 'node:events'
import { createServer } from 'node:https'
import { setTimeout as pause } from 'node:timers/promises'
import { systemClock } from '#kube/clock.ts'
import { issueAuthority, issueLeaf } from '#kube/server/certificates.ts'
import type { Answer, Ask, Recorded, Site } from './scenario.ts'

export type Fields = Readonly<Record<string, unknown>>

interface Reaction {
  readonly status?: number
  readonly contentType?: string
  /** The `response` of a review, beside its uid; or a text as it stands. */
  readonly response?: Fields | string
  readonly apiVersion?: string
  /** It never answers. */
  readonly hangs?: true
}

interface Case {
  readonly kind?: 'Mutating' | 'Validating'
  /** What stands in the webhook beside its name, selector and address. */
  readonly webhook?: Fields
  /** Another address than the server's. */
  readonly clientConfig?: Fields
  readonly reaction?: Reaction
  /** Further webhooks of the same configuration, in order. */
  readonly more?: readonly { readonly webhook?: Fields; readonly reaction?: Reaction }[]
  readonly asks?: readonly Ask[]
  /** Also what the webhook was asked. */
  readonly recordsReview?: true
}

const patchOf = (...operations: readonly object[]) => ({
  allowed: true,
  patchType: 'JSONPatch',
  patch: Buffer.from(JSON.stringify(operations)).toString('base64'),
})
const maps = '/api/v1/namespaces/default/configmaps'
const pods = '/api/v1/namespaces/default/pods'
const budgets = '/apis/policy/v1/namespaces/default/poddisruptionbudgets'
const scalers = '/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers'

const deny = (status?: Fields): Reaction => ({ response: { allowed: false, ...(status === undefined ? {} : { status }) } })
const allow: Reaction = { response: { allowed: true } }
const addData = (key: string) => patchOf({ op: 'add', path: `/data/${key}`, value: 'patched' })

const cases: Readonly<Record<string, Case>> = {
  denied: { reaction: deny({ message: 'no' }) },
  'denied-reason': { reaction: deny({ reason: 'because' }) },
  'denied-both': { reaction: deny({ reason: 'Teapot', message: 'no', code: 418 }) },
  'denied-silently': { reaction: deny() },
  'denied-low-code': { reaction: deny({ message: 'no', code: 200 }) },
  'denied-details': { reaction: deny({ message: 'no', code: 422, details: { causes: [{ field: 'data', message: 'x' }] } }) },
  'denied-by-mutating': { kind: 'Mutating', reaction: deny({ message: 'no' }) },
  warned: { reaction: { response: { allowed: true, warnings: ['careful', 'two\nlines'] } } },
  'refuses-connections': { clientConfig: { url: 'https://127.0.0.1:1/hook' } },
  'refuses-connections-ignored': { clientConfig: { url: 'https://127.0.0.1:1/hook' }, webhook: { failurePolicy: 'Ignore' } },
  'address-with-slashes': { clientConfig: { url: 'https://127.0.0.1:1//a//b/' } },
  'address-with-dots': { clientConfig: { url: 'https://127.0.0.1:1/a/../b/./c' } },
  'address-without-path': { clientConfig: { url: 'https://127.0.0.1:1' } },
  'address-with-escapes': { clientConfig: { url: 'https://127.0.0.1:1/a%20b%2Fc' } },
  'service-without-path': { clientConfig: { service: { namespace: 'default', name: 'nobody' } } },
  'service-with-slashes': { clientConfig: { service: { namespace: 'default', name: 'nobody', path: '/hook/' } } },
  'no-service': { clientConfig: { service: { namespace: 'default', name: 'nobody', path: '/hook' } } },
  'unknown-authority': { clientConfig: { caBundle: '' }, reaction: allow },
  'server-error': { reaction: { status: 500, response: 'oh no' } },
  'not-found': { reaction: { status: 404, contentType: 'text/plain', response: 'nothing here' } },
  'no-json': { reaction: { response: 'hello' } },
  'empty-response': { reaction: { response: '{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}' } },
  'other-uid': { reaction: { response: { uid: 'other', allowed: true } } },
  'other-version': { reaction: { apiVersion: 'admission.k8s.io/v1beta1', response: { allowed: true } } },
  hangs: { webhook: { timeoutSeconds: 1 }, reaction: { hangs: true } },
  'hangs-ignored': { webhook: { timeoutSeconds: 1, failurePolicy: 'Ignore' }, reaction: { hangs: true } },
  patched: { kind: 'Mutating', reaction: { response: addData('a') } },
  'patched-without-type': { kind: 'Mutating', reaction: { response: { ...addData('a'), patchType: undefined } } },
  'patched-another-type': { kind: 'Mutating', reaction: { response: { ...addData('a'), patchType: 'MergePatch' } } },
  'type-without-patch': { kind: 'Mutating', reaction: { response: { allowed: true, patchType: 'JSONPatch' } } },
  'patched-badly': { kind: 'Mutating', reaction: { response: patchOf({ op: 'remove', path: '/nowhere/at/all' }) } },
  'patched-no-json': {
    kind: 'Mutating',
    reaction: { response: { ...addData('a'), patch: Buffer.from('x').toString('base64') } },
  },
  'patched-name': {
    kind: 'Mutating',
    reaction: { response: patchOf({ op: 'replace', path: '/metadata/name', value: 'other' }) },
  },
  'patched-unknown-field': { kind: 'Mutating', reaction: { response: patchOf({ op: 'add', path: '/colour', value: 'red' }) } },
  'patched-by-validating': { reaction: { response: addData('a') } },
  'two-patches': {
    kind: 'Mutating',
    reaction: { response: addData('a') },
    more: [{ reaction: { response: addData('b') } }],
  },
  reinvoked: {
    kind: 'Mutating',
    webhook: { reinvocationPolicy: 'IfNeeded' },
    reaction: { response: addData('a') },
    more: [{ reaction: { response: addData('b') } }],
    recordsReview: true,
  },
  'not-reinvoked': {
    kind: 'Mutating',
    reaction: { response: addData('a') },
    more: [{ reaction: { response: addData('b') } }],
    recordsReview: true,
  },
  'condition-false': {
    webhook: { matchConditions: [{ name: 'never', expression: 'request.userInfo.username == "nobody"' }] },
    reaction: deny({ message: 'no' }),
  },
  'condition-true': {
    webhook: { matchConditions: [{ name: 'always', expression: 'object.metadata.labels["case"] == "condition-true"' }] },
    reaction: deny({ message: 'no' }),
  },
  'condition-fails': {
    webhook: { matchConditions: [{ name: 'broken', expression: 'object.nowhere == 1' }] },
    reaction: allow,
  },
  'condition-fails-ignored': {
    webhook: { failurePolicy: 'Ignore', matchConditions: [{ name: 'broken', expression: 'object.nowhere == 1' }] },
    reaction: deny({ message: 'no' }),
  },
  reviewed: {
    reaction: allow,
    recordsReview: true,
    webhook: { rules: [{ operations: ['*'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] }] },
    asks: [
      { method: 'POST', path: `${maps}?fieldManager=me`, body: configMap('reviewed') },
      { method: 'PATCH', path: `${maps}/reviewed?fieldManager=me`, body: { data: { b: '2' } } },
      { method: 'PATCH', path: `${maps}/reviewed?dryRun=All`, body: { data: { b: '3' } } },
      { method: 'DELETE', path: `${maps}/reviewed?propagationPolicy=Background` },
    ],
  },
  equivalent: {
    reaction: deny({ message: 'no' }),
    recordsReview: true,
    webhook: {
      rules: [
        { operations: ['CREATE'], apiGroups: ['autoscaling'], apiVersions: ['v1'], resources: ['horizontalpodautoscalers'] },
      ],
    },
    asks: [{ method: 'POST', path: scalers, body: scaler('equivalent') }],
  },
  evicted: {
    reaction: allow,
    recordsReview: true,
    webhook: {
      rules: [
        { operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods/eviction'] },
        { operations: ['DELETE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'] },
      ],
    },
    asks: [
      { method: 'POST', path: pods, body: pod('evicted') },
      { method: 'POST', path: `${pods}/evicted/eviction?dryRun=All`, body: eviction('evicted') },
      { method: 'POST', path: `${pods}/evicted/eviction`, body: eviction('evicted') },
      { method: 'POST', path: `${pods}/nobody/eviction`, body: { ...eviction('evicted'), metadata: { name: 'nobody' } } },
    ],
  },
  'eviction-denied': {
    reaction: deny({ message: 'stay' }),
    webhook: { rules: [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods/eviction'] }] },
    asks: [
      { method: 'POST', path: pods, body: pod('eviction-denied') },
      { method: 'POST', path: `${pods}/eviction-denied/eviction`, body: eviction('eviction-denied') },
      { method: 'DELETE', path: `${pods}/eviction-denied?gracePeriodSeconds=0` },
    ],
  },
  'deletion-denied': {
    reaction: deny({ message: 'stay' }),
    webhook: { rules: [{ operations: ['DELETE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'] }] },
    asks: [
      { method: 'POST', path: pods, body: pod('deletion-denied') },
      { method: 'DELETE', path: `${pods}/deletion-denied` },
      { method: 'POST', path: `${pods}/deletion-denied/eviction`, body: eviction('deletion-denied') },
    ],
  },
  exact: {
    reaction: deny({ message: 'no' }),
    webhook: {
      matchPolicy: 'Exact',
      rules: [
        { operations: ['CREATE'], apiGroups: ['autoscaling'], apiVersions: ['v1'], resources: ['horizontalpodautoscalers'] },
      ],
    },
    asks: [{ method: 'POST', path: scalers, body: scaler('exact') }],
  },
  'status-not-asked': {
    reaction: deny({ message: 'no' }),
    webhook: {
      rules: [{ operations: ['UPDATE'], apiGroups: ['policy'], apiVersions: ['v1'], resources: ['poddisruptionbudgets'] }],
    },
    asks: [
      { method: 'POST', path: budgets, body: budget('status-not-asked') },
      { method: 'PATCH', path: `${budgets}/status-not-asked/status`, body: { status: { disruptionsAllowed: 1 } } },
      { method: 'PATCH', path: `${budgets}/status-not-asked`, body: { metadata: { annotations: { a: 'b' } } } },
    ],
  },
  'status-asked': {
    reaction: deny({ message: 'no' }),
    webhook: { rules: [{ operations: ['UPDATE'], apiGroups: ['policy'], apiVersions: ['v1'], resources: ['*/status'] }] },
    asks: [
      { method: 'POST', path: budgets, body: budget('status-asked') },
      { method: 'PATCH', path: `${budgets}/status-asked/status`, body: { status: { disruptionsAllowed: 1 } } },
      { method: 'PATCH', path: `${budgets}/status-asked`, body: { metadata: { annotations: { a: 'b' } } } },
    ],
  },
}

function pod(name: string): object {
  const spec = {
    serviceAccountName: 'default',
    automountServiceAccountToken: false,
    containers: [{ name: 'c', image: 'registry.example/c:1' }],
  }
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, labels: { case: name } }, spec }
}

function eviction(name: string): object {
  return { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, labels: { case: name } } }
}

function configMap(name: string): object {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, labels: { case: name } }, data: { own: '1' } }
}

function budget(name: string): object {
  const spec = { minAvailable: 1, selector: { matchLabels: { app: name } } }
  return { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata: { name, labels: { case: name } }, spec }
}

function scaler(name: string): object {
  const spec = { maxReplicas: 3, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' } }
  return { apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler', metadata: { name, labels: { case: name } }, spec }
}

/** Runs all cases and yields what was answered, and what webhooks were asked, without what differs from run to run. */
export async function recordWebhooks(site: Site, lagMs: number): Promise<readonly Recorded[]> {
  const reviews = new Map<string, Fields[]>()
  const nowMs = systemClock.now()
  const authority = await issueAuthority({ commonName: 'hooks', nowMs })
  const leaf = await issueLeaf(authority, { commonName: 'hooks', dnsNames: ['localhost'], usages: ['server'], nowMs })
  const server = createServer({ cert: leaf.certificate, key: leaf.key })
  server.on('request', (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const [, name = '', at = '0'] = (request.url ?? '').split('?')[0]?.split('/') ?? []
      const review: { readonly request: Fields } = JSON.parse(Buffer.concat(chunks).toString())
      reviews.set(name, [
        ...(reviews.get(name) ?? []),
        { ...review.request, hook: Number(at), query: request.url?.split('?')[1] },
      ])
      const known = cases[name]
      const reaction = (at === '0' ? known?.reaction : known?.more?.[Number(at) - 1]?.reaction) ?? allow
      if (reaction.hangs === true) return
      response.writeHead(reaction.status ?? 200, { 'content-type': reaction.contentType ?? 'application/json' })
      const { response: said = {}, apiVersion = 'admission.k8s.io/v1' } = reaction
      const body =
        typeof said === 'string'
          ? said
          : { apiVersion, kind: 'AdmissionReview', response: { uid: review.request['uid'], ...said } }
      response.end(typeof body === 'string' ? body : JSON.stringify(body))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const caBundle = Buffer.from(authority.certificate).toString('base64')
  try {
    for (const [name, known] of Object.entries(cases)) await want(site, configurationOf(name, known, { port, caBundle }))
    // A real server hears of its configurations a moment later.
    await pause(lagMs)
    const records: Recorded[] = []
    for (const [name, known] of Object.entries(cases)) {
      for (const ask of known.asks ?? [{ method: 'POST', path: maps, body: configMap(name) } as const]) {
        const answer = await site.ask(ask)
        records.push({ name, ask: { method: ask.method, path: ask.path }, ...steady(answer, port) })
      }
      if (known.recordsReview !== true) continue
      const seen = (reviews.get(name) ?? []).map(steadyReview)
      records.push({
        name: `${name}: what was asked`,
        ask: { method: 'POST', path: name },
        status: 200,
        contentType: '',
        body: seen,
      })
    }
    return records
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

function configurationOf(name: string, known: Case, at: { readonly port: number; readonly caBundle: string }): Ask {
  const kind = known.kind ?? 'Validating'
  const rules = [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] }]
  const hooks = [{ webhook: known.webhook }, ...(known.more ?? [])].map(({ webhook = {} }, index) => {
    const own = { url: `https://localhost:${at.port}/${name}/${index}`, caBundle: at.caBundle, ...known.clientConfig }
    return {
      name: `h${index}.${name}.example.io`,
      admissionReviewVersions: ['v1'],
      sideEffects: 'None',
      timeoutSeconds: 5,
      rules,
      objectSelector: { matchLabels: { case: name } },
      clientConfig: 'service' in own ? { service: own.service } : own.caBundle === '' ? { url: own.url } : own,
      ...webhook,
    }
  })
  return {
    method: 'POST',
    path: `/apis/admissionregistration.k8s.io/v1/${kind.toLowerCase()}webhookconfigurations`,
    body: {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: `${kind}WebhookConfiguration`,
      metadata: { name },
      webhooks: hooks,
    },
  }
}

export async function want(site: Site, ask: Ask): Promise<void> {
  const answer = await site.ask(ask)
  if (answer.status >= 300) throw new Error(`${ask.method} ${ask.path}: ${answer.status} ${answer.text}`)
}

const unsteadyMetadata = ['uid', 'resourceVersion', 'creationTimestamp', 'managedFields', 'generation', 'deletionTimestamp']

export function steady(answer: Answer, port: number): Pick<Recorded, 'status' | 'contentType' | 'body'> {
  const text = answer.text.replaceAll(`:${port}`, ':HOOKS').replaceAll('[::1]', '127.0.0.1')
  return {
    status: answer.status,
    contentType: answer.contentType,
    body: text.startsWith('{') ? withoutUnsteady(JSON.parse(text)) : text,
  }
}

export function withoutUnsteady(object: Fields): Fields {
  const { metadata, details } = object
  const kept = (fields: unknown, names: readonly string[]) =>
    Object.fromEntries(Object.entries(Object(fields)).filter(([key]) => !names.includes(key)))
  return {
    ...object,
    ...(metadata === undefined || metadata === null ? {} : { metadata: kept(metadata, unsteadyMetadata) }),
    ...(details === undefined ? {} : { details: kept(details, ['uid']) }),
  }
}

function steadyReview({ uid: _uid, userInfo, object, oldObject, ...rest }: Fields): Fields {
  const { username, groups }: { readonly username?: string; readonly groups?: readonly string[] } = Object(userInfo)
  const plain = (value: unknown) => (typeof value === 'object' && value !== null ? withoutUnsteady(Object(value)) : value)
  return { ...rest, userInfo: { username, groups }, object: plain(object), oldObject: plain(oldObject) }
}
