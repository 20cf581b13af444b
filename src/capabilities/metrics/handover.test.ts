import { expect, test } from 'vitest'
import { serviceOf } from '#kube/objects/api-service.ts'
import { ledSinceAnnotation } from '#kube/objects/led-since.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { handoverUntilMs, nothingSeen, type Seen, seenNow } from './handover.ts'

const own = { namespace: 'ballast-system', name: 'ballast-apiserver', port: 443 }
const theirs = { namespace: 'kube-system', name: 'metrics-server', port: 443 }
const startMs = Date.UTC(2026, 0, 1)
const minute = 60_000

const registration = (service: object | undefined, since?: string): KubeObject => ({
  apiVersion: 'apiregistration.k8s.io/v1',
  kind: 'APIService',
  metadata: { name: 'v1beta1.metrics.k8s.io', ...(since === undefined ? {} : { annotations: { [ledSinceAnnotation]: since } }) },
  spec: service === undefined ? {} : { service },
})

test.each<[string, KubeObject | undefined, object | undefined]>([
  ['nothing', undefined, undefined],
  ['an API of the server itself', registration(undefined), undefined],
  ['a port that is not said', registration({ namespace: 'a', name: 'b' }), { namespace: 'a', name: 'b', port: 443 }],
  ['a port', registration({ namespace: 'a', name: 'b', port: 8443 }), { namespace: 'a', name: 'b', port: 8443 }],
])('%s', (_, object, service) => expect(serviceOf(object)).toEqual(service))

const at = (ms: number) => new Date(startMs + ms).toISOString()
// biome-ignore format: a table
test.each<[string, KubeObject | undefined, Seen, number, number | undefined]>([
  ['a swap wrote the time',                   registration(own, at(0)),              nothingSeen, 0,                10 * minute],
  ['just before its end',                     registration(own, at(0)),              nothingSeen, 10 * minute - 1,  10 * minute],
  ['its end',                                 registration(own, at(0)),              nothingSeen, 10 * minute,      undefined],
  ['a clock a little ahead',                  registration(own, at(30_000)),         nothingSeen, 0,                10 * minute + 30_000],
  ['a time of tomorrow',                      registration(own, at(86_400_000)),     nothingSeen, 0,                undefined],
  ['a time that is none',                     registration(own, 'soon'),             nothingSeen, 0,                undefined],
  ['a time with a zone',                      registration(own, '2026-01-01T01:00:00+01:00'), nothingSeen, 0,       10 * minute],
  ['ours since long',                         registration(own),                     nothingSeen, 0,                undefined],
  ['it was seen to change',                   registration(own),                     { service: own, sinceMs: startMs }, minute, 10 * minute],
  ['both, of which the later counts',         registration(own, at(0)),              { service: own, sinceMs: startMs + minute }, minute, 11 * minute],
  ['led elsewhere again',                     registration(theirs, at(0)),           { service: own, sinceMs: startMs }, minute, undefined],
  ['another Service of our namespace',        registration({ ...own, name: 'other' }, at(0)), nothingSeen, 0,       undefined],
  ['another port of our Service',             registration({ ...own, port: 8081 }, at(0)),    nothingSeen, 0,       undefined],
  ['not registered',                          undefined,                             { service: own, sinceMs: startMs }, minute, undefined],
])('%s', (_, object, seen, afterMs, until) => {
  expect(handoverUntilMs(seen, object, own, startMs + afterMs)).toBe(until === undefined ? undefined : startMs + until)
})

test('a change is seen where another’s Service becomes ours, and no other', () => {
  const seen = (...services: readonly (object | undefined)[]) =>
    services.reduce<Seen>((before, service, index) => seenNow(before, registration(service), own, startMs + index), nothingSeen)
      .sinceMs
  expect([
    seen(own),
    seen(undefined, own),
    seen(theirs, own),
    seen(theirs, undefined, own),
    seen({ ...own, port: 1 }, own),
    seen(theirs, own, own, own),
    seen(theirs, own, theirs),
    seen(theirs, own, theirs, own),
  ]).toEqual([undefined, undefined, startMs + 1, startMs + 2, startMs + 1, startMs + 1, undefined, startMs + 3])
})
