// Which events are told, to whom, and what goes over the wire.
import { describe, expect, test } from 'vitest'
import { type CloudEventSource, eventTypes } from '../kinds/cloud-event-source.ts'
import { isWanted, noticeOf, requestOf } from './cloud-event.ts'

const stamp = { id: 'one', atMs: Date.parse('2027-01-15T10:00:00.250Z') }
const namespaceOf = (kind: string) => (kind === 'ClusterTriggerAuthentication' ? {} : { namespace: 'media' })
const told = (kind: string, reason: string) =>
  noticeOf(
    { reason, note: 'words', regarding: { apiVersion: 'keda.sh/v1alpha1', kind, name: 'Queue', ...namespaceOf(kind) } },
    stamp,
  )

// biome-ignore format: a table
const rows: readonly [kind: string, reason: string, type: string | undefined][] = [
  ['ScaledObject', 'ScaledObjectReady', 'keda.scaledobject.ready.v1'],
  ['ScaledObject', 'ScaledObjectCheckFailed', 'keda.scaledobject.failed.v1'],
  ['ScaledObject', 'ScaledObjectUpdateFailed', 'keda.scaledobject.failed.v1'],
  ['ScaledObject', 'ScaledObjectDeleted', 'keda.scaledobject.removed.v1'],
  ['ScaledObject', 'ScaledObjectPaused', 'keda.scaledobject.paused.v1'],
  ['ScaledObject', 'ScaledObjectUnpaused', 'keda.scaledobject.unpaused.v1'],
  ['ScaledJob', 'ScaledJobReady', 'keda.scaledjob.ready.v1'],
  ['ScaledJob', 'ScaledJobCheckFailed', 'keda.scaledjob.failed.v1'],
  ['ScaledJob', 'ScaledJobDeleted', 'keda.scaledjob.removed.v1'],
  ['ScaledJob', 'ScaledJobPaused', 'keda.scaledjob.paused.v1'],
  ['ScaledJob', 'ScaledJobUnpaused', 'keda.scaledjob.unpaused.v1'],
  ['ScaledJob', 'ScaledJobRolloutCleanupStarted', 'keda.scaledjob.rolloutcleanup.started.v1'],
  ['ScaledJob', 'ScaledJobRolloutCleanupCompleted', 'keda.scaledjob.rolloutcleanup.completed.v1'],
  ['ScaledJob', 'ScaledJobRolloutCleanupFailed', 'keda.scaledjob.rolloutcleanup.failed.v1'],
  ['TriggerAuthentication', 'TriggerAuthenticationAdded', 'keda.authentication.triggerauthentication.created.v1'],
  ['TriggerAuthentication', 'ClusterTriggerAuthenticationUpdated', 'keda.authentication.triggerauthentication.updated.v1'],
  ['TriggerAuthentication', 'TriggerAuthenticationDeleted', 'keda.authentication.triggerauthentication.removed.v1'],
  ['ClusterTriggerAuthentication', 'ClusterTriggerAuthenticationAdded', 'keda.authentication.clustertriggerauthentication.created.v1'],
  ['ClusterTriggerAuthentication', 'ClusterTriggerAuthenticationUpdated', 'keda.authentication.clustertriggerauthentication.updated.v1'],
  ['ClusterTriggerAuthentication', 'ClusterTriggerAuthenticationDeleted', 'keda.authentication.clustertriggerauthentication.removed.v1'],
  ['ScaledObject', 'KEDAScaleTargetActivated', undefined],
  ['ScaledJob', 'KEDAJobsCreated', undefined],
  ['Pod', 'ScaledObjectReady', undefined],
]

test.each(rows)('%s %s is told as %s', (kind, reason, type) => {
  expect(told(kind, reason)?.type).toBe(type)
})

test('every type that a source can name is told of something', () => {
  expect(new Set(rows.flatMap(([, , type]) => type ?? []))).toEqual(new Set(eventTypes))
})

describe('who wants it', () => {
  const ready = 'keda.scaledobject.ready.v1'
  const paused = 'keda.scaledobject.paused.v1'
  const source = (
    namespace: string | undefined,
    eventSubscription: CloudEventSource['spec']['eventSubscription'],
  ): CloudEventSource => ({
    apiVersion: 'eventing.keda.sh/v1alpha1',
    kind: 'CloudEventSource',
    metadata: { name: 'told', ...(namespace === undefined ? {} : { namespace }) },
    spec: { destination: { http: { uri: 'http://told' } }, eventSubscription },
  })
  const notice = told('ScaledObject', 'ScaledObjectReady')

  test.each([
    ['its namespace', source('media', undefined), true],
    ['another namespace', source('shop', undefined), false],
    ['the cluster', source(undefined, undefined), true],
    ['includes it', source('media', { includedEventTypes: [ready] }), true],
    ['includes another', source('media', { includedEventTypes: [paused] }), false],
    ['excludes it', source('media', { excludedEventTypes: [ready] }), false],
    ['excludes another', source('media', { excludedEventTypes: [paused] }), true],
    ['both: what is included counts', source('media', { includedEventTypes: [ready], excludedEventTypes: [ready] }), true],
    ['another namespace that includes it', source('shop', { includedEventTypes: [ready] }), false],
  ])('%s', (_name, one, wanted) => {
    expect(notice !== undefined && isWanted(notice, one)).toBe(wanted)
  })
})

describe('over the wire', () => {
  const sent = (kind: string, reason: string, cluster = 'homelab') => {
    const notice = told(kind, reason)
    return notice === undefined ? undefined : requestOf(notice, { cluster, namespace: 'keda' })
  }

  test('attributes are headers, the body is the data', () => {
    expect(sent('ScaledObject', 'ScaledObjectReady')).toEqual({
      headers: {
        'ce-specversion': '1.0',
        'ce-id': 'one',
        'ce-source': '/homelab/keda/keda',
        'ce-subject': '/homelab/media/scaledobject/queue',
        'ce-time': '2027-01-15T10:00:00.250000Z',
        'ce-type': 'keda.scaledobject.ready.v1',
        'content-type': 'application/json',
      },
      body: '{"reason":"ScaledObjectReady","message":"words"}',
    })
  })

  test('an object of the cluster has no namespace in its subject', () => {
    const { headers } = sent('ClusterTriggerAuthentication', 'ClusterTriggerAuthenticationDeleted') ?? {}
    expect(headers?.['ce-subject']).toBe('/homelab//clustertriggerauthentication/queue')
  })

  test("a cluster's name adds no header", () => {
    const { headers } = sent('ScaledObject', 'ScaledObjectReady', 'a\r\nx: y ü\ud800') ?? {}
    expect(headers?.['ce-source']).toBe('/a%0D%0Ax:%20y%20%C3%BC%EF%BF%BD/keda/keda')
  })
})
