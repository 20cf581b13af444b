import { describe, expect, test } from 'vitest'
import { externalMetricsShape, mirrorShape, nfsShape } from './capability-shapes.test-d.ts'
import { landingPart } from './plans/plan-rights.ts'
import { rightsOf } from './rbac.ts'

const all = [mirrorShape, externalMetricsShape, nfsShape]

describe('rights follow from what the parts of a trust say', () => {
  test('a part without needs and permissions gets no right at all', () => {
    expect(rightsOf(all, { trust: 'agent-mirror', elects: false })).toEqual({ cluster: [], namespaces: new Map() })
  })

  test('what is watched may be read, in the namespace where it is watched', () => {
    const rights = rightsOf(all, { trust: 'core', elects: true })
    expect(rights.namespaces.get('')).toEqual([
      { apiGroups: [''], resources: ['configmaps'], resourceNames: ['ballast-status'], verbs: ['get', 'patch'] },
      { apiGroups: [''], resources: ['configmaps'], verbs: ['create'] },
      { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch'] },
      { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create', 'get', 'update'] },
      { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] },
    ])
    expect(rights.cluster).toEqual([
      { apiGroups: [''], resources: ['nodes'], verbs: ['get', 'list', 'watch'] },
      { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] },
    ])
  })

  test('edge gets scale, reviews and one named ConfigMap, but no permits: it does not arbitrate', () => {
    const rights = rightsOf(all, { trust: 'edge', elects: true })
    const groups = rights.cluster.flatMap(rule => rule.apiGroups)
    expect(groups).toContain('authentication.k8s.io')
    expect(groups).not.toContain('ballast.dev')
    expect(rights.namespaces.get('kube-system')).toEqual([
      {
        apiGroups: [''],
        resources: ['configmaps'],
        resourceNames: ['extension-apiserver-authentication'],
        verbs: ['get', 'list', 'watch'],
      },
    ])
  })

  test('whoever serves webhooks under configurations of its own keeps one Secret, and the bundle in those alone', () => {
    const rights = rightsOf([{ ...mirrorShape, parts: [landingPart()] }], { trust: 'core', elects: false })
    expect(rights.namespaces.get('')).toEqual([
      { apiGroups: [''], resources: ['secrets'], resourceNames: ['ballast-tls'], verbs: ['get', 'list', 'update', 'watch'] },
      { apiGroups: [''], resources: ['secrets'], verbs: ['create'] },
    ])
    expect(rights.cluster).toContainEqual({
      apiGroups: ['admissionregistration.k8s.io'],
      resources: ['mutatingwebhookconfigurations'],
      resourceNames: ['ballast-landing'],
      verbs: ['get', 'list', 'patch', 'watch'],
    })
  })

  test('verbs asked for one resource from several sides are joined in one rule', () => {
    const rule = rightsOf(all, { trust: 'nfs-controller', elects: false }).cluster.find(({ resources }) =>
      resources.includes('persistentvolumes'),
    )
    expect(rule?.verbs).toEqual(['create', 'delete', 'get', 'list', 'patch', 'watch'])
  })
})

test('a verb that no name can bound gets a rule without names; what a wider rule grants is not granted again', () => {
  const [part] = mirrorShape.parts
  const because = 'a test'
  const asking = [
    { groups: [''], resources: ['pods'], verbs: ['get', 'list'], because },
    { groups: [''], resources: ['pods'], verbs: ['watch'], because },
    { groups: [''], resources: ['configmaps'], verbs: ['get', 'create'], names: ['x'], because },
    { groups: [''], resources: ['secrets'], verbs: ['get'], names: ['y'], because },
    { groups: [''], resources: ['secrets'], verbs: ['get', 'list'], because },
  ] as const
  const capability = { ...mirrorShape, parts: part === undefined ? [] : [{ ...part, permissions: asking, needs: [] }] }
  expect(rightsOf([capability], { trust: 'agent-mirror', elects: false }).cluster).toEqual([
    { apiGroups: [''], resources: ['configmaps'], resourceNames: ['x'], verbs: ['get'] },
    { apiGroups: [''], resources: ['configmaps'], verbs: ['create'] },
    { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch'] },
    { apiGroups: [''], resources: ['secrets'], verbs: ['get', 'list'] },
  ])
})
