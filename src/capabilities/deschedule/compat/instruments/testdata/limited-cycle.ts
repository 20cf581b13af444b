// A cluster in which two pods do not tolerate the taint of their node, and a policy that lets one go.
import { node, pod } from '#cluster/testdata/objects.ts'
import type { KubeObject } from '#kube/objects/objects.ts'

const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'rs' }

export const limitedPolicy = JSON.stringify({
  apiVersion: 'descheduler/v1alpha2',
  kind: 'DeschedulerPolicy',
  maxNoOfPodsToEvictTotal: 1,
  profiles: [
    {
      name: 'limited',
      pluginConfig: [{ name: 'RemovePodsViolatingNodeTaints' }],
      plugins: { deschedule: { enabled: ['RemovePodsViolatingNodeTaints'] } },
    },
  ],
})

export function limitedCluster(): readonly KubeObject[] {
  return [
    node('n1', { cpu: '4', pods: '110', taints: [{ key: 'apart', effect: 'NoSchedule' }] }),
    node('n2', { cpu: '4', pods: '110' }),
    ...['a', 'b'].map(name => pod(`x/${name}`, { cpu: '100m', node: 'n1', owner })),
  ]
}
