// The mirror as a pod that the kubelet reads from a file of its machine: it runs before the node has joined. Made from the DaemonSet of the
// same values. Such a pod may refer to no object of the API: what those would bring comes from its own annotations, or lies on the machine.
import * as z from 'zod'
import type { KubeObject } from '#kube/objects/objects.ts'
import { CommandRefused } from '#process/surroundings.ts'

/** Where a machine has what a cluster keeps in a ConfigMap and in Secrets. Absent: as with objects that are absent. */
const staticPaths = {
  /** `peers`: addresses of nodes that are asked first, one a line. */
  peers: '/etc/ballast/mirror/peers',
  /** `ca.crt`, `tls.crt`, `tls.key`. */
  tls: '/etc/ballast/mirror/tls',
  'basic-auth': '/etc/ballast/mirror/basic-auth',
} as const

const configurationAnnotation = 'ballast.dev/configuration'

/** Numbers that the API server would look up by name. */
const priorities: Readonly<Record<string, number>> = {
  'system-node-critical': 2_000_001_000,
  'system-cluster-critical': 2_000_000_000,
}

const container = z.looseObject({ imagePullPolicy: z.string().optional() })
const volume = z.looseObject({
  name: z.string(),
  hostPath: z.unknown().optional(),
  configMap: z.unknown().optional(),
  secret: z.unknown().optional(),
})
const daemonSet = z.object({
  metadata: z.looseObject({ namespace: z.string() }),
  spec: z.object({
    template: z.object({
      metadata: z.object({ labels: z.record(z.string(), z.string()) }),
      spec: z.looseObject({
        priorityClassName: z.string().optional(),
        initContainers: z.array(container).optional(),
        containers: z.array(container),
        volumes: z.array(volume),
      }),
    }),
  }),
})
const configMap = z.object({ data: z.object({ 'config.yaml': z.string() }) })

type Volume = z.output<typeof volume>
type Container = z.output<typeof container>

/**
 * The pod of the file `ballast-mirror.yaml`, from the objects of an installation with the mirror.
 * @throws CommandRefused where the values want what such a pod cannot have
 */
export function mirrorStaticPod(made: readonly KubeObject[]): KubeObject {
  const found = made.find(({ kind, metadata }) => kind === 'DaemonSet' && metadata.name.endsWith('-agent-mirror'))
  if (found === undefined) throw refused('capabilities.mirror.enabled', 'false', 'true: there is no mirror to make a pod of')
  const { metadata, spec } = daemonSet.parse(found)
  const { namespace } = metadata
  const { template } = spec
  const isConfiguration = ({ kind, metadata: { name, namespace: of } }: KubeObject) =>
    kind === 'ConfigMap' && of === namespace && name.endsWith('-config')
  const configuration = configMap.parse(made.find(isConfiguration)).data['config.yaml']
  const { serviceAccountName, imagePullSecrets, nodeSelector, affinity, ...kept } = template.spec
  const { priorityClassName = '', initContainers, containers, volumes } = template.spec
  const priority = priorities[priorityClassName]
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'ballast-mirror',
      namespace,
      labels: template.metadata.labels,
      annotations: { [configurationAnnotation]: configuration },
    },
    spec: {
      ...kept,
      ...(priority === undefined ? {} : { priority }),
      ...(initContainers === undefined ? {} : { initContainers: initContainers.map(ofMachineImage) }),
      containers: containers.map(ofMachineImage),
      volumes: volumes.map(onMachine),
    },
  }
}

/** The image lies in the machine's own: nothing is to be reached before it runs. */
function ofMachineImage(one: Container): Container {
  return one.imagePullPolicy === 'Never' ? one : { ...one, imagePullPolicy: 'IfNotPresent' }
}

function onMachine(one: Volume): unknown {
  const { name } = one
  if (one.hostPath !== undefined) return one
  if (name === 'config') {
    const fieldRef = { fieldPath: `metadata.annotations['${configurationAnnotation}']` }
    return { name, downwardAPI: { items: [{ path: 'config.yaml', fieldRef }] } }
  }
  if (isStaticPath(name)) return { name, hostPath: { path: staticPaths[name], type: 'DirectoryOrCreate' } }
  if (name === 'api-access')
    throw refused('capabilities.mirror.bootstrapKind', 'kubernetes', 'file, dns, http or static: a static pod has no token')
  if (one.configMap !== undefined || one.secret !== undefined)
    throw refused('mirror.extraVolumes', name, 'no ConfigMap and no Secret: a static pod cannot mount them')
  return one
}

const isStaticPath = (name: string): name is keyof typeof staticPaths => Object.hasOwn(staticPaths, name)

function refused(where: string, found: string, expected: string): CommandRefused {
  return new CommandRefused(`${where}: found ${found}, expected ${expected}`)
}
