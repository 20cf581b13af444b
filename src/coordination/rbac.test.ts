import { describe, expect, test } from 'vitest'
import { externalMetricsShape, mirrorShape, nfsShape } from './capability-shapes.test-d.ts'
import { accountObjects, rightsOf } from './rbac.ts'

const all = [mirrorShape, externalMetricsShape, nfsShape]

describe('rights follow from what the parts of a trust say', () => {
  test('a part without needs and permissions gets no right at all', () => {
    expect(rightsOf(all, { trust: 'agent-mirror', elects: false })).toEqual({ cluster: [], namespaces: new Map() })
  })

  test('what is watched may be read, in the namespace where it is watched', () => {
    const rights = rightsOf(all, { trust: 'core', elects: true })
    expect(rights.namespaces.get('')).toEqual([
      { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch'] },
      { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create', 'get', 'update'] },
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

  test('verbs asked for one resource from several sides are joined in one rule', () => {
    const rule = rightsOf(all, { trust: 'nfs-controller', elects: false }).cluster.find(({ resources }) =>
      resources.includes('persistentvolumes'),
    )
    expect(rule?.verbs).toEqual(['create', 'delete', 'get', 'list', 'patch', 'watch'])
  })
})

test('the account comes with a role and a binding for the cluster and for each namespace', () => {
  const objects = accountObjects(all, { trust: 'edge', elects: true, name: 'ballast-apiserver', namespace: 'ballast-system' })
  expect(objects.map(object => `${object.kind} ${object.metadata.namespace ?? '-'}`)).toEqual([
    'ServiceAccount ballast-system',
    'ClusterRole -',
    'ClusterRoleBinding -',
    'Role ballast-system',
    'RoleBinding ballast-system',
    'Role kube-system',
    'RoleBinding kube-system',
  ])
})
