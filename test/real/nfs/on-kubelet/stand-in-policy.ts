// The stand-in for mount.nfs in pods, whoever makes them: the API server adds it to the pods of drivers by its own admission policies, so that manifests stay as they are
// installed.

import { join } from 'node:path'
import type { KubeletCluster } from '../../kubelet/cluster.ts'
import { limitMs } from '../../kubelet/pods.ts'
import { until } from '../../mirror/laboratory/program.ts'

export interface StandInPlaces {
  /** The folder on the nodes with the program `stand-in`, its file `.root` and the servers' folder `exports`. */
  readonly root: string
  /** In pods of ours `umount` is the stand-in too. */
  readonly umount: boolean
}

/** Pods by a label, and where in their containers the stand-in lies. */
const drivers = (umount: boolean) => [
  {
    name: 'ours',
    label: 'app.kubernetes.io/component',
    values: ['agent-nfs', 'nfs-controller'],
    places: ['/usr/sbin/mount.nfs', ...(umount ? ['/usr/bin/umount'] : [])],
  },
  // The image of upstream's driver here has nothing but the driver.
  { name: 'upstream', label: 'app', values: ['csi-nfs-node', 'csi-nfs-controller'], places: ['/bin/mount', '/bin/umount'] },
]

type Driver = ReturnType<typeof drivers>[number]

/** Makes the policies, and waits until the API server goes by them. */
export async function addStandIn({ plane }: KubeletCluster, { root, umount }: StandInPlaces): Promise<void> {
  const path = '/apis/admissionregistration.k8s.io/v1'
  for (const driver of drivers(umount)) {
    const metadata = { name: `stand-in-${driver.name}` }
    await plane.client.want('POST', `${path}/mutatingadmissionpolicies`, {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'MutatingAdmissionPolicy',
      metadata,
      spec: policyOf(driver, root),
    })
    await plane.client.want('POST', `${path}/mutatingadmissionpolicybindings`, {
      apiVersion: 'admissionregistration.k8s.io/v1',
      kind: 'MutatingAdmissionPolicyBinding',
      metadata,
      spec: { policyName: metadata.name },
    })
    await until(
      `pods of ${driver.name} get the stand-in`,
      async () => (await tried(plane.client, driver)).includes(root),
      limitMs,
      250,
    )
  }
}

/** What the API server would make of a pod of the driver. */
async function tried(client: KubeletCluster['plane']['client'], { label, values }: Driver): Promise<string> {
  const answer = await client.send('POST', '/api/v1/namespaces/default/pods?dryRun=All', {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'tried', labels: { [label]: values[0] } },
    spec: { automountServiceAccountToken: false, containers: [{ name: 'app', image: 'none' }] },
  })
  return JSON.stringify(answer.body)
}

function policyOf({ label, values, places }: Driver, root: string) {
  const text = (value: string) => JSON.stringify(value)
  const volume = (name: string, path: string, type: string) =>
    `Object.spec.volumes{name: ${text(name)}, hostPath: Object.spec.volumes.hostPath{path: ${text(path)}, type: ${text(type)}}}`
  const mount = (name: string, mountPath: string) =>
    `Object.spec.containers.volumeMounts{name: ${text(name)}, mountPath: ${text(mountPath)}}`
  const folders = [...new Set(places.map(place => join(place, '..')))]
  const volumes = [
    volume('stand-in', join(root, 'stand-in'), 'File'),
    volume('stand-in-root', join(root, '.root'), 'File'),
    volume('servers', join(root, 'exports'), 'Directory'),
  ]
  const mounts = [
    mount('servers', join(root, 'exports')),
    ...places.map(place => mount('stand-in', place)),
    ...folders.map(folder => mount('stand-in-root', join(folder, '.root'))),
  ]
  const expression = `Object{spec: Object.spec{
    volumes: [${volumes.join(', ')}],
    containers: object.spec.containers.map(one, Object.spec.containers{name: one.name, volumeMounts: [${mounts.join(', ')}]})
  }}`
  return {
    failurePolicy: 'Fail',
    reinvocationPolicy: 'Never',
    matchConstraints: {
      resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] }],
    },
    matchConditions: [
      {
        name: 'mounts',
        expression: `has(object.metadata.labels) && ${text(label)} in object.metadata.labels && object.metadata.labels[${text(label)}] in [${values.map(text).join(', ')}]`,
      },
    ],
    mutations: [{ patchType: 'ApplyConfiguration', applyConfiguration: { expression } }],
  }
}
