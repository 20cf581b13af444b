import { describe, expect, test } from 'vitest'
import type { KubeObject, Pod } from '#kube/objects/objects.ts'
import { upstreamText } from '#test/upstream-texts.ts'
import type { PermitRecord } from '../permits/permit-record.ts'
import type { PastEvent } from './past-events.ts'
import { rebuiltOf } from './rebuilt.ts'
import { at, noonMs, PlainCluster, permit, pod, workload, wrote } from './testdata/plain-cluster.ts'

const day = -86_400
const hour = -3_600

/** What is rebuilt of the first object at noon: `kind by seconds`, guesses with a question mark, ours in brackets. */
function rebuilt(
  objects: readonly KubeObject[],
  permits: readonly PermitRecord[] = [],
  events: readonly PastEvent[] = [],
): string {
  const [first] = objects
  if (first === undefined) return 'nothing'
  const cluster = new PlainCluster(objects, permits)
  const lines = rebuiltOf(first, { cluster, events, nowMs: noonMs }).map(({ observation, isGuess, isOurs }) => {
    const { kind, by, atMs, replicas } = observation
    const size = replicas === undefined ? '' : ` ${replicas.from}→${replicas.to}`
    const line = `${kind}${isGuess ? '?' : ''}${size} by ${by} ${(atMs - noonMs) / 1000}`
    return isOurs ? `(${line})` : line
  })
  return lines.join(', ') || 'nothing'
}

interface CartOptions {
  readonly replicas?: number
  readonly by?: readonly ReturnType<typeof wrote>[]
  readonly doneAt?: number
}

function cart({
  replicas = 2,
  by = [wrote('helm', ['template', 'replicas'], { seconds: 3 * day })],
  doneAt,
}: CartOptions = {}): KubeObject {
  const progress = { type: 'Progressing', status: 'True', reason: 'NewReplicaSetAvailable', lastUpdateTime: at(doneAt ?? 0) }
  const status = doneAt === undefined ? {} : { conditions: [progress] }
  return workload('Deployment', 'cart', { creationTimestamp: at(3 * day), managedFields: by, spec: { replicas }, status })
}

function set(revision: number, seconds: number, restartedAt?: string): KubeObject {
  const annotations = restartedAt === undefined ? {} : { 'kubectl.kubernetes.io/restartedAt': restartedAt }
  return workload('ReplicaSet', `cart-${revision}`, {
    under: { kind: 'Deployment', name: 'cart' },
    creationTimestamp: at(seconds),
    annotations: { 'deployment.kubernetes.io/revision': String(revision) },
    spec: { replicas: 2, template: { metadata: { annotations } } },
  })
}

function ofSet(revision: number, name: string, seconds: number): Pod {
  return pod(`cart-${revision}-${name}`, {
    under: { kind: 'ReplicaSet', name: `cart-${revision}` },
    creationTimestamp: at(seconds),
  })
}

const old = [ofSet(1, 'a', 3 * day), ofSet(1, 'b', 3 * day)]
const flux = wrote('kustomize-controller', ['template'], { seconds: hour })
const reloader = wrote('Reloader', ['template'], { seconds: hour })
const ours = wrote('ballast-isolate', ['template'], { seconds: hour })
const grantedAt = (seconds: number) => ({
  token: 1,
  atMs: noonMs + seconds * 1000,
  expiresAtMs: noonMs + seconds * 1000 + 600_000,
})
const restartOf = (seconds: number) =>
  permit({
    verb: 'restart',
    grant: grantedAt(seconds),
    createdMs: noonMs + seconds * 1000,
    releasedAtMs: noonMs + seconds * 1000 + 60_000,
    ending: 'done',
  })

describe('rollouts of a Deployment', () => {
  // biome-ignore format: a table
  test.each<[string, readonly KubeObject[], readonly PermitRecord[], string]>([
    ['its first ReplicaSet, however young',       [cart(), set(1, hour)],                                      [],                    'nothing'],
    ['a second one',                              [cart({ by: [flux] }), set(1, 3 * day), set(2, hour)],       [],                    'rollout by kustomize-controller -3600'],
    ['… its pods came one by one',                [cart({ by: [flux] }), set(1, 3 * day), set(2, hour), ofSet(2, 'a', hour + 20), ofSet(2, 'b', hour + 60)], [], 'rollout by kustomize-controller -3540'],
    ['… and it says when it was done',            [cart({ by: [flux], doneAt: hour + 90 }), set(1, 3 * day), set(2, hour), ofSet(2, 'a', hour + 20), ofSet(2, 'b', hour + 60)], [], 'rollout by kustomize-controller -3510'],
    ['… the one before says that it was done',    [cart({ by: [flux], doneAt: 2 * hour }), set(1, 3 * day), set(2, hour), ofSet(2, 'a', hour + 20)], [], 'rollout by kustomize-controller -3580'],
    ['… a pod of it was replaced long after',     [cart({ by: [flux] }), set(1, 3 * day), set(2, 2 * hour), ofSet(2, 'a', 2 * hour + 20), ofSet(2, 'b', -60)], [], 'rollout by kustomize-controller -7180, pod-lost? by somebody -60'],
    ['… longer than a day ago',                   [cart({ by: [flux] }), set(1, 3 * day), set(2, day - 60)],   [],                    'nothing'],
    ['… of no pods',                              [cart({ replicas: 0, by: [flux] }), set(1, 3 * day), set(2, hour)], [],             'nothing'],
    ['… the first was cleaned up',                [cart({ by: [flux] }), set(2, hour)],                        [],                    'rollout by kustomize-controller -3600'],
    ['back to an older ReplicaSet',               [cart({ by: [flux] }), set(2, -7_200), set(3, 2 * day)],     [],                    'rollout by kustomize-controller -3600'],
    ['our field manager',                         [cart({ by: [ours] }), set(1, 3 * day), set(2, hour)],       [],                    '(rollout by ballast-isolate -3600)'],
    ['our manager wrote long before',             [cart({ by: [wrote('ballast-isolate', ['template'], { seconds: day })] }), set(1, 3 * day), set(2, hour)], [], 'rollout by ballast-isolate -3600'],
    ['it carries the mark of our permit',         [cart({ by: [] }), set(1, 3 * day), set(2, hour, new Date(noonMs - 3_600_000).toISOString())], [restartOf(hour)], '(rollout by somebody -3600)'],
    ['our permit without a mark, as it began',    [cart({ by: [reloader] }), set(1, 3 * day), set(2, hour)],   [{ ...restartOf(hour), mark: 'none' }], '(rollout by Reloader -3600)'],
    ['… long before: its change is there still',  [cart({ by: [reloader] }), set(1, 3 * day), set(2, hour)],   [{ ...restartOf(hour + 3_600), mark: 'none' }], 'rollout by Reloader -3600'],
    ['… that says another change than is there',  [cart({ by: [reloader] }), set(1, 3 * day), set(2, hour)],   [{ ...restartOf(hour), mark: 'none', change: { env: [{ container: 'main', name: 'HASH', value: 'x' }] } }], 'rollout by Reloader -3600'],
    ['… that the one before carried already',     [cart({ by: [flux] }), set(1, day, new Date(noonMs + day * 1000).toISOString()), set(2, hour, new Date(noonMs + day * 1000).toISOString())], [restartOf(day)], 'rollout by kustomize-controller -3600'],
  ])('%s', (_name, objects, permits, expected) => expect(rebuilt(objects, permits)).toBe(expected))
})

const hpa = (seconds: number) => wrote('kube-controller-manager', ['replicas'], { seconds, subresource: 'scale' })
const keda = (seconds: number) => wrote('keda', ['replicas'], { seconds, subresource: 'scale' })
/** As API servers record what goes through `scale`. */
const undated = (manager: string) => {
  const { time: _, ...entry } = wrote(manager, ['replicas'], { subresource: 'scale' })
  return entry
}
/** Its Deployment's controller gave it its size so many seconds after noon. */
const sized = (seconds: number, revision = 1, madeAt = 3 * day) => {
  const { metadata, ...rest } = set(revision, madeAt)
  return { ...rest, metadata: { ...metadata, managedFields: [wrote('kube-controller-manager', ['replicas'], { seconds })] } }
}
const scaledObject: KubeObject = {
  apiVersion: 'keda.sh/v1alpha1',
  kind: 'ScaledObject',
  metadata: { name: 'cart', namespace: 'shop' },
}

function scaling(from: number, to: number, seconds: number): PastEvent {
  const note = upstreamText('scaled-set', to > from ? 'up' : 'down', 'cart-1', String(from), String(to))
  return {
    reason: 'ScalingReplicaSet',
    kind: 'Deployment',
    namespace: 'shop',
    name: 'cart',
    uid: 'deployment-cart',
    note,
    reporter: 'deployment-controller',
    host: '',
    sinceMs: noonMs + seconds * 1000,
    atMs: noonMs + seconds * 1000,
  }
}

describe('scale events', () => {
  // biome-ignore format: a table
  test.each<[string, readonly KubeObject[], readonly PastEvent[], string]>([
    ['an autoscaler',                              [cart({ by: [hpa(-300)] }), set(1, 3 * day), ...old],                     [],                       'scaled by HorizontalPodAutoscaler -300'],
    ['… and Events say from how many',             [cart({ by: [hpa(-300)] }), set(1, 3 * day), ...old],                     [scaling(1, 2, -299)],    'scaled 1→2 by HorizontalPodAutoscaler -300'],
    ['… an Event of another time',                 [cart({ by: [hpa(-300)] }), set(1, 3 * day), ...old],                     [scaling(1, 2, -200)],    'scaled by HorizontalPodAutoscaler -300'],
    ['the pod that came by it replaces none',      [cart({ by: [hpa(-300)] }), set(1, 3 * day), ...old, ofSet(1, 'c', -290)], [],                     'scaled by HorizontalPodAutoscaler -300'],
    ['woken: all pods came by it',                 [cart({ by: [keda(-300)] }), set(1, 3 * day), ofSet(1, 'a', -298), ofSet(1, 'b', -298)], [],         'scaled 0→2 by KEDA -300'],
    ['woken, and nobody signed',                   [cart({ by: [] }), set(1, 3 * day), ofSet(1, 'a', -298), ofSet(1, 'b', -298), scaledObject], [],    'scaled 0→2 by KEDA -298'],
    ['a ScaledObject, and nothing happened',       [cart({ by: [] }), set(1, 3 * day), ...old, scaledObject],                [],                       'nothing'],
    ['made with that many',                        [cart({ by: [wrote('helm', ['template', 'replicas'], { seconds: 3 * day })] }), set(1, 3 * day), ...old], [], 'nothing'],
    ['applied again with the template',            [cart({ by: [wrote('helm', ['template', 'replicas'], { seconds: -300 })] }), set(1, 3 * day), ...old], [],    'nothing'],
    ['… and Events say that it grew',              [cart({ by: [wrote('helm', ['template', 'replicas'], { seconds: -300 })] }), set(1, 3 * day), ...old], [scaling(1, 2, -299)], 'scaled 1→2 by Helm -300'],
    ['by us: it wakes, and counts against nobody', [cart({ by: [wrote('ballast-autoscale', ['replicas'], { seconds: -300, subresource: 'scale' })] }), set(1, 3 * day), ofSet(1, 'a', -298)], [], '(scaled 0→2 by ballast-autoscale -300)'],
  ])('%s', (_name, objects, events, expected) => expect(rebuilt(objects, [], events)).toBe(expected))
})

describe('scale events that the API server does not date', () => {
  const [byHpa, byKeda, byUs] = ['kube-controller-manager', 'keda', 'ballast-autoscale'].map(manager =>
    cart({ by: [undated(manager)] }),
  )
  const agreed = cart({ by: [undated('keda'), wrote('flux', ['replicas'], { seconds: -60 })] })
  const rolled = cart({ by: [undated('kube-controller-manager'), flux], doneAt: hour + 90 })
  // biome-ignore format: a table
  test.each<[string, readonly (KubeObject | undefined)[], readonly PastEvent[], string]>([
    ['nothing tells when',                        [byHpa, set(1, 3 * day), ...old],                                    [],                    'nothing'],
    ['Events do',                                 [byHpa, set(1, 3 * day), ...old],                                    [scaling(1, 2, -300)], 'scaled 1→2 by HorizontalPodAutoscaler -300'],
    ['its ReplicaSet does',                       [byHpa, sized(-300), ...old],                                        [],                    'scaled by HorizontalPodAutoscaler -300'],
    ['… the pod that came by it replaces none',   [byHpa, sized(-300), ...old, ofSet(1, 'c', -298)],                   [],                    'scaled by HorizontalPodAutoscaler -300'],
    ['… more than a day ago',                     [byHpa, sized(day - 60), ...old],                                    [],                    'nothing'],
    ['woken: all pods came by it',                [byKeda, sized(-300), ofSet(1, 'a', -298), ofSet(1, 'b', -298)],     [],                    'scaled 0→2 by KEDA -300'],
    ['… and only the pods tell of it',            [byKeda, set(1, 3 * day), ofSet(1, 'a', -298), ofSet(1, 'b', -298)], [],                    'scaled 0→2 by KEDA -298'],
    ['by us: it wakes, and counts against nobody', [byUs, sized(-300), ofSet(1, 'a', -298), ofSet(1, 'b', -298)],      [],                    '(scaled 0→2 by ballast-autoscale -300)'],
    ['another one agreed to the number later',    [agreed, sized(-300), ...old],                                       [],                    'scaled by KEDA -300'],
    ['the rollout after it gave the set its size', [rolled, set(1, 3 * day), sized(hour + 90, 2, hour), ofSet(2, 'a', hour + 20)], [scaling(1, 2, hour + 80)], 'rollout by kustomize-controller -3510'],
    ['… and then it was scaled',                  [rolled, set(1, 3 * day), sized(-300, 2, hour), ofSet(2, 'a', hour + 20)], [],              'rollout by kustomize-controller -3510, scaled by HorizontalPodAutoscaler -300'],
  ])('%s', (_name, objects, events, expected) => {
    expect(rebuilt(objects.filter(object => object !== undefined), [], events)).toBe(expected)
  })
})

const evicted = permit({
  targets: [{ apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name: 'x', uid: 'x' }],
  grant: grantedAt(hour),
  createdMs: noonMs + hour * 1000,
  releasedAtMs: noonMs + (hour + 60) * 1000,
  ending: 'done',
})

describe('pods that took the place of others', () => {
  // biome-ignore format: a table
  test.each<[string, readonly KubeObject[], readonly PermitRecord[], readonly PastEvent[], string]>([
    ['all as old as their ReplicaSet',          [cart(), set(1, 3 * day), ...old],                                         [],        [],                     'nothing'],
    ['one is younger',                          [cart(), set(1, 3 * day), ...old, ofSet(1, 'c', hour)],                    [],        [],                     'pod-lost? by somebody -3600'],
    ['it came while the rollout went on',       [cart({ doneAt: hour + 60 }), set(1, 3 * day), ...old, ofSet(1, 'c', hour)], [],      [],                     'nothing'],
    ['it came after the rollout was done',      [cart({ doneAt: hour - 60 }), set(1, hour - 300), ofSet(1, 'c', hour)],    [],        [],                     'pod-lost? by somebody -3600'],
    ['nothing says when that was: half an hour', [cart(), set(1, hour - 300), ofSet(1, 'c', hour)],                        [],        [],                     'nothing'],
    ['one of our evictions made it',            [cart(), set(1, 3 * day), ...old, ofSet(1, 'c', hour + 5)],                [evicted], [],                     'nothing'],
    ['… under a clock an hour ahead',           [cart(), set(1, 3 * day), ...old, ofSet(1, 'c', hour + 5)],                [{ ...evicted, grant: grantedAt(0), releasedAtMs: noonMs + 60_000 }], [], 'nothing'],
    ['… an hour behind',                        [cart(), set(1, 3 * day), ...old, ofSet(1, 'c', hour + 5)],                [{ ...evicted, grant: grantedAt(2 * hour), releasedAtMs: noonMs + (2 * hour + 60) * 1000 }], [], 'nothing'],
    ['… set back before the release',           [cart(), set(1, 3 * day), ...old, ofSet(1, 'c', hour + 5)],                [{ ...evicted, releasedAtMs: noonMs + 2 * hour * 1000 }], [], 'nothing'],
    ['… which accounts for one alone',          [cart(), set(1, 3 * day), ...old, ofSet(1, 'c', hour + 5), ofSet(1, 'd', hour + 9)], [evicted], [],           'pod-lost? by somebody -3591'],
    ['… not for a sibling of then',             [cart(), set(1, 3 * day), ...old, ofSet(1, 'c', hour - 2)],                [{ ...evicted, siblings: ['pod-cart-1-c'] }], [], 'pod-lost? by somebody -3602'],
    ['… that was withdrawn',                    [cart(), set(1, 3 * day), ...old, ofSet(1, 'c', hour + 5)],                [{ ...evicted, ending: 'withdrawn' }], [], 'pod-lost? by somebody -3595'],
    ['the Deployment grew then',                [cart(), set(1, 3 * day), ...old, ofSet(1, 'c', -300)],                    [],        [scaling(2, 3, -301)],  'nothing'],
    ['it is on its way out',                    [cart(), set(1, 3 * day), ...old, { ...ofSet(1, 'c', hour), metadata: { ...ofSet(1, 'c', hour).metadata, deletionTimestamp: at(0) } }], [], [], 'nothing'],
  ])('%s', (_name, objects, permits, events, expected) => expect(rebuilt(objects, permits, events)).toBe(expected))
})

const db = { kind: 'StatefulSet', name: 'db' } as const

function statefulSet(seconds: number, updateStrategy: object = {}): KubeObject {
  return workload('StatefulSet', 'db', {
    creationTimestamp: at(3 * day),
    managedFields: [wrote('argocd-controller', ['template'], { seconds })],
    spec: { replicas: 2, updateStrategy },
    status: { updateRevision: 'v2' },
  })
}

function ofDb(ordinal: number, revision: string, seconds: number): Pod {
  return pod(`db-${ordinal}`, { under: db, creationTimestamp: at(seconds), labels: { 'controller-revision-hash': revision } })
}

describe('a StatefulSet', () => {
  // biome-ignore format: a table
  test.each<[string, readonly KubeObject[], string]>([
    ['rolled out since its template was written',     [statefulSet(hour), ofDb(0, 'v2', hour + 40), ofDb(1, 'v2', hour + 10)], 'rollout by Argo CD -3560'],
    ['half way through',                              [statefulSet(hour), ofDb(0, 'v1', 2 * day), ofDb(1, 'v2', hour + 10)],   'rollout by Argo CD -3590'],
    ['written again without a new revision',          [statefulSet(hour), ofDb(0, 'v2', 2 * day), ofDb(1, 'v2', 2 * day)],     'nothing'],
    ['made then',                                     [statefulSet(3 * day), ofDb(0, 'v2', 3 * day)],                          'nothing'],
    ['OnDelete',                                      [statefulSet(hour, { type: 'OnDelete' }), ofDb(0, 'v2', hour + 10)],     'pod-lost? by somebody -3590'],
    ['one pod was replaced long after',               [statefulSet(2 * day), ofDb(0, 'v2', 2 * day), ofDb(1, 'v2', hour)],     'pod-lost? by somebody -3600'],
  ])('%s', (_name, objects, expected) => expect(rebuilt(objects)).toBe(expected))
})

test('a DaemonSet is rolled out by its template; a young pod on a young node is no replacement', () => {
  const daemonSet = workload('DaemonSet', 'agent', {
    creationTimestamp: at(3 * day),
    managedFields: [wrote('helm', ['template'], { seconds: hour })],
    annotations: { 'deprecated.daemonset.template.generation': '2' },
  })
  const ofAgent = (name: string, generation: string, seconds: number) =>
    pod(name, {
      under: { kind: 'DaemonSet', name: 'agent' },
      creationTimestamp: at(seconds),
      labels: { 'pod-template-generation': generation },
    })
  expect(rebuilt([daemonSet, ofAgent('a', '2', hour + 5), ofAgent('b', '2', -60)])).toBe('rollout by Helm -3595')
  expect(rebuilt([daemonSet, ofAgent('a', '2', 2 * day), ofAgent('b', '2', -60)])).toBe('nothing')
})

test('a ReplicaSet under a Deployment is told of with that', () => {
  expect(rebuilt([set(2, hour), cart({ by: [flux] })])).toBe('nothing')
})
