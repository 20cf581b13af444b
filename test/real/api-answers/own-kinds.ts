// What both servers are asked about our own kinds: above all what hands may not change of a permit.
import { deepStrictEqual } from 'node:assert'
import { ballastApiVersion } from '#coordination/api.ts'
import { ballastKinds } from '#coordination/kinds.ts'
import type { AskedRequest } from '#test/api-answers.ts'

type Body = Readonly<Record<string, unknown>>

const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const mergePatch = 'application/merge-patch+json'
const jsonPatch = 'application/json-patch+json'
const manager = 'fieldManager=tester'

const post = (path: string, body: unknown): AskedRequest => ({ verb: 'POST', path: `${path}?${manager}`, body })
const patch = (path: string, body: unknown, contentType = mergePatch): AskedRequest => ({
  verb: 'PATCH',
  path: `${path}?${manager}`,
  contentType,
  body,
})

function definitionOf(plural: string): AskedRequest {
  const [kind, ...others] = ballastKinds.filter(known => known.plural === plural)
  deepStrictEqual([kind?.definition === undefined, others], [false, []])
  return post(definitions, kind?.definition)
}

const permitTargets: readonly Body[] = [{ apiVersion: 'v1', kind: 'Pod', namespace: 'permits', name: 'web', uid: 'u' }]
export const permitGrant: Body = { token: 3, at: '2026-01-01T00:00:00Z', expiresAt: '2026-01-01T00:05:00Z' }

/** The spec of a permit that was asked for and, with {@link permitGrant}, granted. */
export const permitSpec: Body = {
  requester: 'deschedule',
  class: 'balance',
  verb: 'evict',
  targets: permitTargets,
  workload: 'permits/Deployment/web',
  idempotencyKey: 'plan/m01',
  deadline: '2026-01-01T01:00:00Z',
}

export const company: Body = {
  requester: 'reload',
  class: 'correctness',
  verb: 'restart',
  purpose: 'reload',
  idempotencyKey: 'web/1',
}

export interface HandEdit {
  readonly what: string
  /** `status` for the subresource. */
  readonly subresource?: 'status'
  readonly contentType?: string
  readonly body: unknown
  /** What the server says; undefined where the edit is nobody's harm. */
  readonly refusal?: RegExp
}

/** Edits of a permit that was granted and released. */
export const handEdits: readonly HandEdit[] = [
  { what: 'token', body: { spec: { grant: { token: 9 } } }, refusal: /grant cannot be changed once it is there/ },
  {
    what: 'expiry',
    body: { spec: { grant: { expiresAt: '2027-01-01T00:00:00Z' } } },
    refusal: /grant cannot be changed once it is there/,
  },
  { what: 'grant taken away', body: { spec: { grant: null } }, refusal: /grant cannot be changed once it is there/ },
  {
    what: 'another pod',
    body: { spec: { targets: [{ ...permitTargets[0], name: 'other' }] } },
    refusal: /targets cannot be changed once it is there/,
  },
  {
    what: 'one pod more',
    body: { spec: { targets: [...permitTargets, { apiVersion: 'v1', kind: 'Pod', namespace: 'permits', name: 'other' }] } },
    refusal: /targets cannot be changed once it is there/,
  },
  { what: 'verb', body: { spec: { verb: 'scale' } }, refusal: /verb cannot be changed once it is there/ },
  { what: 'requester', body: { spec: { requester: 'me' } }, refusal: /requester cannot be changed once it is there/ },
  { what: 'class', body: { spec: { class: 'safety' } }, refusal: /class cannot be changed once it is there/ },
  { what: 'key', body: { spec: { idempotencyKey: 'k' } }, refusal: /idempotencyKey cannot be changed once it is there/ },
  { what: 'lock', body: { spec: { workload: null } }, refusal: /workload cannot be changed once it is there/ },
  {
    what: 'a change of the template',
    body: { spec: { change: { annotations: { a: 'b' } } } },
    refusal: /change cannot be added to what is granted/,
  },
  { what: 'company turned away', body: { spec: { joined: [] } }, refusal: /joined may only grow/ },
  { what: 'more company', body: { spec: { joined: [company, { ...company, idempotencyKey: 'web/2' }] } } },
  {
    what: 'release later',
    subresource: 'status',
    body: { status: { releasedAt: '2027-01-01T00:00:00Z' } },
    refusal: /releasedAt cannot be changed once it is there/,
  },
  {
    what: 'release taken back',
    subresource: 'status',
    body: { status: { releasedAt: null } },
    refusal: /releasedAt cannot be changed once it is there/,
  },
  {
    what: 'another ending',
    subresource: 'status',
    body: { status: { ending: 'failed' } },
    refusal: /ending cannot be changed once it is there/,
  },
  {
    what: 'the status as a whole',
    subresource: 'status',
    contentType: jsonPatch,
    body: [{ op: 'remove', path: '/status' }],
    refusal: /the status of a permit that was released cannot be taken away/,
  },
  {
    what: 'the spec as a whole',
    contentType: jsonPatch,
    body: [{ op: 'remove', path: '/spec' }],
    refusal: /spec: Required value/,
  },
  { what: 'a label', body: { metadata: { labels: { seen: 'yes' } } } },
]

export const editRequest = (path: string, { subresource, body, contentType }: HandEdit): AskedRequest =>
  patch(subresource === undefined ? path : `${path}/${subresource}`, body, contentType)

export const permitObject = (name: string, spec: Body): Body => ({
  apiVersion: ballastApiVersion,
  kind: 'DisruptionPermit',
  metadata: { name },
  spec,
})

/** A permit is asked for, granted once, taken along by another, released; then hands try to change each part. */
export function permitRequests(path: string): readonly AskedRequest[] {
  const one = `${path}/p`
  return [
    definitionOf('disruptionpermits'),
    post(path, permitObject('p', permitSpec)),
    ...[
      { ...permitSpec, idempotencyKey: undefined },
      { ...permitSpec, targets: [] },
      { ...permitSpec, verb: 'explode' },
      { ...permitSpec, class: 'mine' },
      { ...permitSpec, grant: { token: 0, at: '', expiresAt: '' } },
      { ...permitSpec, joined: [{ requester: 'reload' }] },
      { ...permitSpec, joined: Array.from({ length: 33 }, () => company) },
      { ...permitSpec, requester: 'r'.repeat(64) },
      { ...permitSpec, change: { annotations: { a: 1 } } },
      { ...permitSpec, targets: 'web' },
      { ...permitSpec, replicas: 1.5 },
    ].map(spec => post(path, permitObject('bad', spec))),
    patch(`${one}/status`, { status: { decision: 'Queued', reason: 'waits', until: '2026-01-01T00:00:00Z' } }),
    patch(one, { spec: { grant: permitGrant } }),
    patch(one, { spec: { grant: { ...permitGrant, token: 4 } } }),
    patch(one, { spec: { joined: [company] } }),
    patch(`${one}/status`, { status: { decision: 'Granted', releasedAt: '2026-01-01T00:01:00Z', ending: 'done' } }),
    ...handEdits.map(edit => editRequest(one, edit)),
    { verb: 'GET', path: one },
    { verb: 'DELETE', path: one },
    { verb: 'DELETE', path: `${definitions}/disruptionpermits.ballast.dev` },
  ]
}

/** A policy is for goals or for an isolation, and says its defaults. */
export function policyRequests(): readonly AskedRequest[] {
  const path = `/apis/${ballastApiVersion}/rebalancepolicies`
  const policy = (name: string, spec: Body): Body => ({
    apiVersion: ballastApiVersion,
    kind: 'RebalancePolicy',
    metadata: { name },
    spec: { trigger: 'manual', ...spec },
  })
  const goal = { name: 'g', nodes: ['n1'], resource: 'cpu', max: 70 }
  return [
    definitionOf('rebalancepolicies'),
    post(path, policy('isolates', { isolation: { enabled: true } })),
    post(path, policy('isolates-later', { goals: [], isolation: {} })),
    post(path, policy('balances', { goals: [goal] })),
    post(path, policy('neither', {})),
    post(path, policy('no-goal', { goals: [] })),
    patch(`${path}/isolates`, { spec: { isolation: null } }),
    patch(`${path}/balances`, { spec: { goals: [] } }),
    ...[
      { isolation: { taintMode: 'sometimes' } },
      { isolation: { keda: 'now' } },
      { isolation: { enabled: 'yes' } },
      { isolation: { exceptions: [''] } },
      { goals: [{ ...goal, max: 170 }] },
      { goals: [{ ...goal, margin: -1 }] },
      { goals: [{ ...goal, resource: 'gpu' }] },
      { goals: [goal], limits: { concurrent: 'two' } },
      { goals: [goal], mode: 'Sometimes' },
    ].map(spec => post(path, policy('bad', spec))),
    { verb: 'DELETE', path: `${definitions}/rebalancepolicies.ballast.dev` },
  ]
}
