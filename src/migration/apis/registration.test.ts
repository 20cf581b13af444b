import { describe, expect, test } from 'vitest'
import { ledSinceMs } from '#kube/objects/led-since.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { isAsBefore, isLed, ledBack, ledSince, ledTo, ledToUs } from './registration.ts'

const name = 'v1beta1.metrics.k8s.io'
const object = (metadata: object, spec: object): KubeObject => ({
  apiVersion: 'apiregistration.k8s.io/v1',
  kind: 'APIService',
  metadata: { name, ...metadata },
  spec: { group: 'metrics.k8s.io', version: 'v1beta1', groupPriorityMinimum: 100, versionPriority: 100, ...spec },
})
const ours = object(
  {
    labels: { 'app.kubernetes.io/part-of': 'ballast', 'ballast.dev/capability': 'metrics' },
    annotations: { 'ballast.dev/cabundle-inject': 'b/tls' },
  },
  { service: { namespace: 'b', name: 'ballast-apiserver', port: 443 }, caBundle: 'b3Vycw==' },
)
const theirSpec = { service: { namespace: 'kube-system', name: 'metrics-server', port: 443 }, insecureSkipTLSVerify: true }

// biome-ignore format: a table
const owners: readonly (readonly [owner: string, labels: Readonly<Record<string, string>>, annotations: Readonly<Record<string, string>>])[] = [
  ['Helm', { 'app.kubernetes.io/managed-by': 'Helm', 'app.kubernetes.io/instance': 'm', 'helm.sh/chart': 'metrics-server-3.13.0' }, { 'meta.helm.sh/release-name': 'm', 'meta.helm.sh/release-namespace': 'kube-system' }],
  ['Flux', { 'helm.toolkit.fluxcd.io/name': 'm', 'kustomize.toolkit.fluxcd.io/name': 'apps' }, { 'kustomize.toolkit.fluxcd.io/prune': 'enabled' }],
  ['Argo CD', { 'argocd.argoproj.io/instance': 'm' }, { 'argocd.argoproj.io/tracking-id': 'm:apiregistration.k8s.io/APIService:/x' }],
  ['kubectl', { 'k8s-app': 'metrics-server' }, { 'kubectl.kubernetes.io/last-applied-configuration': '{}' }],
  ['addon manager', { 'addonmanager.kubernetes.io/mode': 'Reconcile' }, {}],
  ['k3s', { 'objectset.rio.cattle.io/hash': 'x' }, { 'objectset.rio.cattle.io/owner-name': 'metrics-apiservice' }],
  ['cert-manager', {}, { 'cert-manager.io/inject-ca-from': 'kube-system/metrics-server' }],
]

describe('callers are led to us', () => {
  test.each(owners)('the marks of %s go, what users added stays, and the write is conditional', (_owner, labels, annotations) => {
    const before = object(
      {
        uid: 'u',
        resourceVersion: '7',
        labels: { ...labels, team: 'x' },
        annotations: { ...annotations, 'example.com/note': 'y' },
      },
      theirSpec,
    )
    expect(ledToUs(before, ours)).toEqual({
      ...ours,
      metadata: {
        name,
        uid: 'u',
        resourceVersion: '7',
        labels: { team: 'x', ...ours.metadata.labels },
        annotations: { 'example.com/note': 'y', ...ours.metadata.annotations },
      },
    })
  })

  test('since when they are, is said', () => {
    const led = ledToUs(object({}, theirSpec), ledSince(ours, Date.UTC(2026, 0, 1)))
    expect(ledSinceMs(led)).toBe(Date.UTC(2026, 0, 1))
    expect(led.metadata.annotations).toMatchObject(ours.metadata.annotations ?? {})
  })

  test('where nothing is registered ours is made', () => expect(ledToUs(undefined, ours)).toEqual(ours))

  test.each<[string, KubeObject | undefined, boolean]>([
    ['ours', ours, true],
    ['nothing', undefined, false],
    ['another Service', object({}, { ...theirSpec, caBundle: 'b3Vycw==' }), false],
    ['another authority', object({}, { ...Object(ours['spec']), caBundle: 'eA==' }), false],
    ['trust without an authority', object({}, { ...Object(ours['spec']), insecureSkipTLSVerify: true }), false],
    ['the same, said in more words', object({}, { ...Object(ours['spec']), insecureSkipTLSVerify: false }), true],
  ])('is it so: %s', (_name, found, expected) => expect(isLed(found, ours)).toBe(expected))

  test.each(owners)('and back: the marks of %s come again, what users wrote meanwhile stays', (_owner, labels, annotations) => {
    const before = object(
      {
        labels: { ...labels, team: 'x', gone: 'x' },
        annotations: { ...annotations, 'example.com/note': 'y' },
      },
      theirSpec,
    )
    const led = ledToUs(before, ledSince(ours, 0))
    const { gone: _gone, ...kept } = led.metadata.labels ?? {}
    const meanwhile = {
      ...led,
      metadata: {
        ...led.metadata,
        ...{ uid: 'u', resourceVersion: '9', labels: { ...kept, team: 'z', tier: 'a' } },
        annotations: { ...led.metadata.annotations, 'example.com/more': 'm' },
      },
    }
    expect(ledBack(meanwhile, before)).toEqual({
      ...before,
      metadata: {
        ...{ name, uid: 'u', resourceVersion: '9', labels: { ...labels, team: 'z', tier: 'a' } },
        annotations: { ...annotations, 'example.com/note': 'y', 'example.com/more': 'm' },
      },
    })
    expect(ledBack(undefined, before)).toEqual(before)
  })

  test('an authority that upstream writes itself may be another one, and must be there', () => {
    const before = object({}, { ...theirSpec, caBundle: 'b25l' })
    const found = (caBundle: object) => object({}, { ...theirSpec, ...caBundle })
    expect(isAsBefore(found({ caBundle: 'dHdv' }), before)).toBe(false)
    expect(isAsBefore(found({ caBundle: 'dHdv' }), before, 'written')).toBe(true)
    expect(isAsBefore(found({}), before, 'written')).toBe(false)
    expect(isAsBefore(found({ caBundle: 'dHdv', versionPriority: 9 }), before, 'written')).toBe(false)
  })

  test('as before is its whole spec, and no wish for our authority', () => {
    const before = object({}, theirSpec)
    expect(isAsBefore(object({ resourceVersion: '9' }, theirSpec), before)).toBe(true)
    expect(isAsBefore(object({}, { ...theirSpec, versionPriority: 99 }), before)).toBe(false)
    expect(isAsBefore(object({ annotations: ours.metadata.annotations }, theirSpec), before)).toBe(false)
    expect(ledTo(before)).toBe('kube-system/metrics-server')
    expect(ledTo(object({}, {}))).toBeUndefined()
  })
})
